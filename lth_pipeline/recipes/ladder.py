"""The ladder of an experiment: how many weights are left, round by round, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, islice

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.settings import PruningSettings
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.models import NETWORKS, Layer, Model, build
from lth_pipeline.lottery.pruning.ladder import nearest, share_left
from lth_pipeline.recipes.facts import facts_of
from lth_pipeline.recipes.lineage import owner


@dataclass(frozen=True)
class Rung:
    """One round of the ladder.

    keep: survivors by weight name (layerwise), or of all `ranked` weights together under the name "".
    ranked: names of the weights that are ranked together; empty for layerwise.
    weights: survivors in the whole network.
    """

    round: int
    keep: Mapping[str, int]
    ranked: tuple[str, ...]
    weights: int
    density: float


def model_of(experiment: Experiment, dirs: DataDirs | None = None) -> Model:
    """The network of an experiment. dirs: where own images were read to; raises DataError where they were not."""
    facts = facts_of(experiment.data, dirs)
    takes = {"initialisation", *NETWORKS[experiment.model.name].settings}
    settings = experiment.model.model_dump(include=takes, exclude_none=True)
    return build(experiment.model.name, facts.image_shape, facts.classes, **settings)


def rate(pruning: PruningSettings, layer: Layer) -> float:
    """Share of `layer` pruned in a round (layerwise), or 0 where it is left out."""
    if layer.is_output and pruning.output_rate is not None:
        return pruning.output_rate
    return pruning.rates.get(layer.kind, 0.0)


def climb(cards: Mapping[str, Experiment], name: str, dirs: DataDirs | None = None) -> Iterator[Rung]:
    """The rungs of experiment `name` from round 0 on, through its branches, without end.

    Layerwise counts come from the formula over all rounds at once. In a branch that turns from layerwise to
    global the whole is counted from where it turned.
    """
    model = model_of(cards[name], dirs)
    turned = Rung(0, {layer.weight: layer.size for layer in model.layers}, (), model.prunable, 1.0)
    yield turned
    shares = {layer.weight: Fraction(1) for layer in model.layers}
    global_share = Fraction(1)
    for round in count(1):
        pruning = owner(cards, name, round).pruning
        if pruning.scope == "layerwise":
            for layer in model.layers:
                shares[layer.weight] *= share_left(rate(pruning, layer))
            keep = {layer.weight: nearest(layer.size * shares[layer.weight]) for layer in model.layers}
            weights = sum(keep.values())
            turned = Rung(round, keep, (), weights, weights / model.prunable)
            yield turned
        else:
            global_share *= share_left(max(pruning.rates.values()))
            ranked = ranked_layers(pruning, model)
            left_out = sum(turned.keep[layer.weight] for layer in model.layers if layer.weight not in ranked)
            keep = {"": nearest(sum(turned.keep[name] for name in ranked) * global_share)}
            weights = keep[""] + left_out
            yield Rung(round, keep, ranked, weights, weights / model.prunable)


def ranked_layers(pruning: PruningSettings, model: Model) -> tuple[str, ...]:
    """The weights that a global ranking takes together."""
    return tuple(layer.weight for layer in model.layers if rate(pruning, layer))


def ladder(cards: Mapping[str, Experiment], name: str, rounds: int, dirs: DataDirs | None = None) -> list[Rung]:
    """The rungs 0 … rounds."""
    return list(islice(climb(cards, name, dirs), rounds + 1))
