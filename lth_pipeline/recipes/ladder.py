"""The ladder of an experiment: how many weights are left, round by round, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.settings import PruningSettings
from lth_pipeline.lottery.data import DATASETS
from lth_pipeline.lottery.models import Layer, Model, build
from lth_pipeline.lottery.pruning.ladder import kept
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


def model_of(experiment: Experiment) -> Model:
    """The network of an experiment."""
    facts = DATASETS[experiment.data.name]
    settings = experiment.model.model_dump(exclude={"name"})
    return build(experiment.model.name, facts.image_shape, facts.classes, **settings)


def rate(pruning: PruningSettings, layer: Layer) -> float:
    """Share of `layer` pruned in a round (layerwise), or 0 where it is left out."""
    if layer.is_output and pruning.output_rate is not None:
        return pruning.output_rate
    return pruning.rates.get(layer.kind, 0.0)


def ladder(cards: Mapping[str, Experiment], name: str, rounds: int) -> list[Rung]:
    """The rungs 0 … rounds of experiment `name`, through its branches.

    Layerwise counts come from the formula over all rounds at once. In a branch that turns from layerwise to
    global the whole is counted from where it turned.
    """
    model = model_of(cards[name])
    rungs = [Rung(0, {layer.weight: layer.size for layer in model.layers}, (), model.prunable, 1.0)]
    rates: dict[str, list[float]] = {layer.weight: [] for layer in model.layers}
    global_rates: list[float] = []
    turned = rungs[0]
    for round in range(1, rounds + 1):
        pruning = owner(cards, name, round).pruning
        if pruning.scope == "layerwise":
            for layer in model.layers:
                rates[layer.weight].append(rate(pruning, layer))
            keep = {layer.weight: kept(layer.size, rates[layer.weight]) for layer in model.layers}
            weights, ranked = sum(keep.values()), ()
            turned = Rung(round, keep, (), weights, weights / model.prunable)
        else:
            global_rates.append(max(pruning.rates.values()))
            ranked = tuple(layer.weight for layer in model.layers if rate(pruning, layer))
            left_out = sum(turned.keep[layer.weight] for layer in model.layers if layer.weight not in ranked)
            keep = {"": kept(sum(turned.keep[name] for name in ranked), global_rates)}
            weights = keep[""] + left_out
        rungs.append(Rung(round, keep, ranked, weights, weights / model.prunable))
    return rungs
