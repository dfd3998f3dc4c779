"""The ladder of an experiment: how many weights are left, round by round, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from fractions import Fraction
from itertools import count, islice

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.settings import PruningSettings, TransferSettings
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.models import NETWORKS, Layer, Model, build
from lth_pipeline.lottery.pruning.ladder import nearest, share_left
from lth_pipeline.recipes.facts import facts_of
from lth_pipeline.recipes.lineage import owner
from lth_pipeline.recipes.registry import registered
from lth_pipeline.recipes.transfer import carried


@dataclass(frozen=True)
class Rung:
    """One round of the ladder.

    keep: survivors by weight name (layerwise), or of all `ranked` weights together under the name ""; whole units
        where the card prunes units. None where only the mask will tell: a ticket from a global ranking elsewhere,
        some of whose layers are fresh here.
    ranked: names of the weights that are ranked together; empty for layerwise.
    weights, density: of the whole network; None where only the mask will tell: a ranking of units of many sizes.
    """

    round: int
    keep: Mapping[str, int] | None
    ranked: tuple[str, ...]
    weights: int | None
    density: float | None


def network_settings(experiment: Experiment) -> dict:
    """What `models.build` takes beside the name, the image shape and the classes."""
    takes = {"initialisation", *NETWORKS[experiment.model.name].settings}
    return experiment.model.model_dump(include=takes, exclude_none=True)


def model_of(experiment: Experiment, dirs: DataDirs | None = None) -> Model:
    """The network of an experiment. dirs: where own images were read to; raises DataError where they were not."""
    facts = facts_of(experiment.data, dirs)
    return build(experiment.model.name, facts.image_shape, facts.classes, **network_settings(experiment))


def source_layers(
    cards: Mapping[str, Experiment], origin: TransferSettings, dirs: DataDirs | None
) -> tuple[Layer, ...]:
    """Of the network that a ticket from elsewhere was found in. Raises DataError where that is not known yet: where own
    images were not read, or a published ticket was not fetched."""
    if origin.registry:
        return registered(origin, dirs).layers
    return model_of(owner(cards, origin.experiment, origin.round), dirs).layers


def matches(layer: Layer, patterns) -> list[str]:
    """Those of `patterns` (names, or shell patterns such as layer3.*) that mean `layer`."""
    return [pattern for pattern in patterns if fnmatchcase(layer.name, pattern)]


def rate(pruning: PruningSettings, layer: Layer) -> Fraction:
    """Share of `layer` pruned in a round (layerwise), or 0 where it is left out. With densities: its weight among
    the layers, 1 or the output's factor."""
    if matches(layer, pruning.leave_out) or (pruning.structure == "units" and layer.is_output):
        return Fraction(0)
    own = matches(layer, pruning.layer_rates or {})
    if own:
        return _exact(pruning.layer_rates[own[0]])
    if layer.is_output and pruning.output_rate is not None:
        return _exact(pruning.output_rate)
    factor = _exact(pruning.output_factor) if layer.is_output and pruning.output_factor else Fraction(1)
    return factor * (1 if pruning.densities else _exact((pruning.rates or {}).get(layer.kind, 0.0)))


def _exact(rate: float) -> Fraction:
    return 1 - share_left(rate)


def density_asked(pruning: PruningSettings, round: int) -> Fraction:
    """Of `pruning.densities`; below the last the steps go on as the last one went."""
    given = [Fraction(1), *(_exact(density) for density in pruning.densities)]
    if round < len(given):
        return given[round]
    return given[-1] * (given[-1] / given[-2]) ** (round - len(given) + 1)


def climb(cards: Mapping[str, Experiment], name: str, dirs: DataDirs | None = None) -> Iterator[Rung]:
    """The rungs of experiment `name` from round 0 on, through its branches, without end.

    Layerwise counts come from the formula over all rounds at once. In a branch that turns from layerwise to
    global the whole is counted from where it turned; after a ticket from elsewhere, from what it brought.
    Raises PruningError where a round cannot be counted beforehand.
    """
    model = model_of(cards[name], dirs)
    base = {layer.weight: layer.size for layer in model.layers}  # what shares are of
    turned = Rung(0, base, (), model.prunable, 1.0)
    yield turned
    shares = {layer.weight: Fraction(1) for layer in model.layers}
    global_share, taken = Fraction(1), None
    for round in count(1):
        experiment = owner(cards, name, round)
        pruning = experiment.pruning
        if experiment.ticket_from and round == 1:
            taken = turned = _taken(cards, experiment, model, dirs)
            if turned.keep and not turned.ranked:
                base = turned.keep
            yield turned
            continue
        if taken and (taken.keep is None or pruning.structure == "units" or _turns(taken, pruning, model)):
            raise PruningError(
                f"round {round} of {name} cannot be counted: how much the ticket that it begins with leaves of each "
                "layer, or unit, is not known beforehand"
            )
        if pruning.scope == "layerwise":
            _share_out(pruning, model, base, shares, round)
            turned = _layerwise(pruning, model, base, shares, round)
            yield turned
        else:
            global_share *= share_left(max((pruning.rates or {"": 0.0}).values()))
            below = base if pruning.mode == "one_shot" else turned.keep
            yield _global(pruning, model, turned, below, global_share, round)


def _turns(taken: Rung, pruning: PruningSettings, model: Model) -> bool:
    """Whether a global ranking is followed by another, whose layers' counts would have to be known."""
    return bool(taken.ranked) and (pruning.scope == "layerwise" or ranked_layers(pruning, model) != taken.ranked)


def _share_out(pruning: PruningSettings, model: Model, base: Mapping[str, int], shares: dict, round: int) -> None:
    """Bring `shares` to what `round` leaves of each layer."""
    if not pruning.densities:
        for layer in model.layers:
            shares[layer.weight] *= share_left(rate(pruning, layer))
        return
    # pruned of each layer: p times its factor, p such that the density of the whole network is the one asked for
    pruned = {layer.weight: base[layer.weight] * rate(pruning, layer) for layer in model.layers}
    excess = sum(base.values()) - density_asked(pruning, round) * model.prunable
    part = excess / sum(pruned.values()) if any(pruned.values()) else Fraction(0)
    for layer in model.layers:
        shares[layer.weight] = 1 - part * rate(pruning, layer)


def _layerwise(pruning, model: Model, base: Mapping[str, int], shares: Mapping[str, Fraction], round: int) -> Rung:
    if pruning.structure == "units":
        units = {layer.weight: layer.shape[0] for layer in model.layers}
        keep = {name: nearest(units[name] * shares[name]) for name in units}
        weights = sum(_in_weights(keep, model.layers, "units").values())
    else:
        keep = {layer.weight: nearest(base[layer.weight] * shares[layer.weight]) for layer in model.layers}
        weights = sum(keep.values())
    return Rung(round, keep, (), weights, weights / model.prunable)


def _global(
    pruning: PruningSettings, model: Model, turned: Rung, below: Mapping[str, int], share: Fraction, round: int
) -> Rung:
    """below: what is left of each layer in the mask that is pruned; the layers that are not ranked keep it."""
    ranked = ranked_layers(pruning, model)
    if pruning.structure == "units":
        whole = {layer.weight: layer.shape[0] for layer in model.layers}
        before = whole if turned.round == 0 else turned.keep  # of round 0 a rung counts weights
        return Rung(round, {"": nearest(sum(before[name] for name in ranked) * share)}, ranked, None, None)
    if turned.ranked:  # a ticket from a global ranking elsewhere
        before, left_out = turned.keep[""], turned.weights - turned.keep[""]
    else:
        before = sum(turned.keep[name] for name in ranked)
        left_out = sum(below[layer.weight] for layer in model.layers if layer.weight not in ranked)
    if pruning.densities:
        keep = {"": nearest(density_asked(pruning, round) * model.prunable) - left_out}
    else:
        keep = {"": nearest(before * share)}
    weights = keep[""] + left_out
    return Rung(round, keep, ranked, weights, weights / model.prunable)


def _taken(cards: Mapping[str, Experiment], experiment: Experiment, model: Model, dirs: DataDirs | None) -> Rung:
    """Round 1 of an experiment whose ticket was found elsewhere."""
    origin = experiment.ticket_from
    whole_source = source_layers(cards, origin, dirs)
    taken = set(carried(whole_source, model.layers, origin.weights))
    whole = {layer.weight: layer.size for layer in model.layers if layer.name not in taken}
    if origin.registry:
        return _counted(registered(origin, dirs).counts, whole, model)
    rung = next(islice(climb(cards, origin.experiment, dirs), origin.round, None))
    if rung.keep is None or rung.weights is None or (rung.ranked and (whole or len(taken) < len(whole_source))):
        return Rung(1, None, (), None, None)
    if rung.ranked:
        return replace(rung, round=1)
    structure = owner(cards, origin.experiment, origin.round).pruning.structure
    return _counted(_in_weights(rung.keep, whole_source, structure), whole, model)


def _counted(left: Mapping[str, int], whole: Mapping[str, int], model: Model) -> Rung:
    """Round 1, of what the ticket leaves of each layer; `whole`: the sizes of those that are fresh."""
    keep = {layer.weight: whole.get(layer.weight, left.get(layer.weight, 0)) for layer in model.layers}
    weights = sum(keep.values())
    return Rung(1, keep, (), weights, weights / model.prunable)


def _in_weights(keep: Mapping[str, int], layers: Iterable[Layer], structure: str) -> dict[str, int]:
    """Survivors by weight name, of counts of weights or of whole units."""
    if structure == "weights":
        return dict(keep)
    return {layer.weight: keep[layer.weight] * (layer.size // layer.shape[0]) for layer in layers}


def ranked_layers(pruning: PruningSettings, model: Model) -> tuple[str, ...]:
    """The weights that a global ranking takes together."""
    return tuple(layer.weight for layer in model.layers if rate(pruning, layer))


def ladder(cards: Mapping[str, Experiment], name: str, rounds: int, dirs: DataDirs | None = None) -> list[Rung]:
    """The rungs 0 … rounds."""
    return list(islice(climb(cards, name, dirs), rounds + 1))
