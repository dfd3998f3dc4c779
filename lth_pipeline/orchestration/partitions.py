"""Partitions: experiment × replicate for the rounds, experiment for the results, sweep for their comparison."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dagster import MultiPartitionKey, MultiPartitionsDefinition, StaticPartitionsDefinition

from lth_pipeline.experiments import Experiment
from lth_pipeline.home import find_home

REPLICATES = 10  # offered at least; any number is a valid seed


def deepest_round(cards: Mapping[str, Experiment]) -> int:
    """The last round that has assets: the deepest card's, or LTH_DEEPEST_ROUND where that is deeper."""
    return max(find_home().deepest_round, *(card.pruning.rounds for card in cards.values()))


def replicates(cards: Mapping[str, Experiment]) -> int:
    """How many replicates there are partitions for: ten, the most of a card, or LTH_REPLICATES."""
    return max(REPLICATES, find_home().replicates, *(card.replicates for card in cards.values()))


def experiment_partitions(cards: Mapping[str, Experiment]) -> StaticPartitionsDefinition:
    return StaticPartitionsDefinition(list(cards))


def sweep_partitions(names: Collection[str]) -> StaticPartitionsDefinition:
    return StaticPartitionsDefinition(list(names))


def replicate_partitions(cards: Mapping[str, Experiment]) -> MultiPartitionsDefinition:
    return MultiPartitionsDefinition(
        {
            "experiment": experiment_partitions(cards),
            "replicate": StaticPartitionsDefinition([str(number) for number in range(replicates(cards))]),
        }
    )


def partition_key(experiment: str, replicate: int) -> MultiPartitionKey:
    return MultiPartitionKey({"experiment": experiment, "replicate": str(replicate)})
