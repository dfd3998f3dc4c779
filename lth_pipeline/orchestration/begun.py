"""Which rounds have been run for which experiments, as Dagster recorded it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from dagster import AssetKey, DagsterInstance

from lth_pipeline.orchestration.stages import asset_name

#: experiment -> {(replicate, round)} of its trainings
Begun = Mapping[str, set[tuple[int, int]]]


def begun_in(instance: DagsterInstance, deepest: int) -> Begun:
    """What has been materialised: a query a round."""
    return begun_of(lambda asset: instance.get_materialized_partitions(AssetKey(asset)), deepest)


def begun_of(partitions_of: Callable[[str], Iterable[str]], deepest: int) -> Begun:
    """The same from {asset: partitions}."""
    found: dict[str, set[tuple[int, int]]] = {}
    for round in range(deepest + 1):
        for partition in partitions_of(asset_name("trained", round)):
            experiment, _, replicate = partition.rpartition("|")
            found.setdefault(experiment, set()).add((int(replicate), round))
    return found
