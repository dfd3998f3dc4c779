"""What one replicate and round has to tell, and a round's replicates together. Every artifact is read once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import torch

from lth_pipeline.lottery.analysis import initial as initially
from lth_pipeline.lottery.analysis import movement, pixels, structure
from lth_pipeline.lottery.analysis.overlap import overlaps
from lth_pipeline.lottery.analysis.topology import readers
from lth_pipeline.lottery.models import Model
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.recipes.analyses.analysis import Found, Rows
from lth_pipeline.recipes.analyses.networks import Network
from lth_pipeline.recipes.artifacts import early_weights_of, weights_of
from lth_pipeline.recipes.step import MASKED, Step
from lth_pipeline.recipes.training import data_for
from lth_pipeline.recipes.workshop import Workshop

if TYPE_CHECKING:
    from lth_pipeline.recipes.analyses.mask_structure import Round

Tensors = dict[str, torch.Tensor]
READ_AT_ONCE = 4  # artifacts that are kept in case they are read again: masks, and what arms begin with


def found_in(workshop: Workshop, round: Round, images: Found | None) -> Found:
    """Tables layers, units, degrees, pixels, overlaps (with the round before, with random masks), initial, movement
    and signs; arrays of the pixel map and of histograms, named after the round and its arm. images: what
    `images_of` found, where the first layer reads pixels."""
    read = lru_cache(READ_AT_ONCE)(workshop.store.load)
    model = round.chain.model(round.number)
    mask = in_order(model, read(round.mask)) if round.mask else masks.ones(model)
    masked = [network for network in round.here if network.step.arm in MASKED]
    drawn = {network.step: in_order(model, read(network.mask.version)) for network in masked}
    about = {**_columns(round.chain.replicate, round.number, round.arm), "density": masks.density(mask)}
    found = Found()
    _of_masks(found, round, model, [(about, mask), *((_about(network), drawn[network.step]) for network in masked)])
    _of_overlaps(found, round, mask, drawn, read(round.previous) if round.previous else None)
    _of_first_layer(found, round, about, mask[model.layers[0].weight], images)
    initial = weights_of(read(round.initial))
    _add(found, "initial", about, initially.initial_rows(model, initial, mask))
    found.arrays[f"{round.key}/initial"] = initially.initial_histograms(model, initial, mask)
    sd = movement.units_of(initial, mask)
    for network in round.here:
        _of_training(found, read, network, drawn.get(network.step, mask), sd)
    _of_pruning(found, read, round, mask, sd)
    return found


def between_replicates(workshop: Workshop, rounds: Sequence[Round]) -> Found:
    """Table overlaps: a row per pair of replicates and layer, of the masks of one round."""
    model = rounds[0].chain.model(rounds[0].number)
    loaded = {round.chain.replicate: in_order(model, workshop.store.load(round.mask)) for round in rounds}
    rows = []
    for one, other in combinations(sorted(loaded), 2):
        about = _between("replicates", rounds[0].number, one, other_replicate=other)
        rows += [{**about, **row} for row in overlaps(loaded[one], loaded[other])]
    return Found({"overlaps": rows})


def images_of(workshop: Workshop, round: Round) -> Found:
    """Arrays data/mean and data/sd, float32 (C, H, W): of each pixel over the training images, in [0, 1]."""
    owner = round.chain.owner(round.number)
    data = data_for(owner, workshop.dirs, torch.device("cpu"), round.chain.facts(round.number).digest)
    none = (0.0,) * len(data.mean), (1.0,) * len(data.std)
    by = (data.mean, data.std) if owner.data.normalisation == "standard" else none
    mean, deviation = pixels.mean_and_deviation(data.train, *by)
    return Found(arrays={"data/mean": mean.float(), "data/sd": deviation.float()})


def _of_masks(found: Found, round: Round, model: Model, several: Sequence[tuple[dict[str, Any], Tensors]]) -> None:
    """several: (what rows begin with, mask): the round's own and, after it, those drawn at random."""
    who = readers(model, tuple(round.of_network["image_shape"]))
    by_weight = round.number == 0 or round.chain.structure(round.number) == "weights"
    for about, mask in several:
        _add(found, "layers", about, structure.layer_rows(model, mask, who))
        _add(found, "units", about, structure.unit_rows(model, mask, who, by_weight))
    _add(found, "degrees", several[0][0], structure.degree_rows(model, several[0][1], who, by_weight))


def _of_overlaps(
    found: Found, round: Round, mask: Tensors, drawn: Mapping[Step, Tensors], previous: Tensors | None
) -> None:
    """Of the round's mask with that of the round before, and with those drawn at random."""
    replicate, number = round.chain.replicate, round.number
    if previous is not None:
        about = _between("rounds", number, replicate, other_round=number - 1)
        _add(found, "overlaps", about, overlaps(mask, previous))
    for step, other in drawn.items():
        about = _between("arms", number, replicate, other_arm=step.arm, other_draw=step.draw)
        _add(found, "overlaps", about, overlaps(mask, other))


def _of_first_layer(
    found: Found, round: Round, about: Mapping[str, Any], mask: torch.Tensor, images: Found | None
) -> None:
    """mask: the first layer's."""
    if images is None:
        found.arrays[f"{round.key}/kernel"] = pixels.kernel_map(mask)
        return
    there = pixels.pixel_map(mask, tuple(round.of_network["image_shape"]))
    found.arrays[f"{round.key}/pixels"] = there
    row = {
        "pixels": there.numel(),
        "unread": int((there == 0).sum()),
        "correlation_with_sd": pixels.rank_correlation(there, images.arrays["data/sd"]),
        "correlation_with_mean": pixels.rank_correlation(there, images.arrays["data/mean"]),
    }
    _add(found, "pixels", about, [row])


def _of_training(found: Found, read: Callable, network: Network, mask: Tensors, sd: Mapping[str, float]) -> None:
    """From its start to its end: of all weights that are trained. A small dense network has other layers of its own."""
    start, end = (weights_of(read(version)) for version in _ends(network))
    if network.mask is None:
        mask = {name: torch.ones_like(start[name], dtype=torch.bool) for name in mask}
        sd = movement.units_of(start, mask)
    about = _about(network)
    moved = movement.movement_rows(start, end, {"survivors": mask}, sd)
    _add(found, "movement", {**about, "pruned_to_round": None}, moved)
    _add(found, "signs", about, movement.sign_rows(start, end, mask))


def _of_pruning(found: Found, read: Callable, round: Round, mask: Tensors, sd: Mapping[str, float]) -> None:
    """The same of the training that this round's mask was pruned from, and of its controls: apart for the weights that
    were kept and those that were pruned. Of a dense training that was followed the end is where its mask settled."""
    for network in round.before:
        start, end = (read(version) for version in _ends(network))
        early = round.chain.is_early(network.step)
        start, end = weights_of(start), early_weights_of(end) if early else weights_of(end)
        before = read(network.mask.version) if network.mask else {name: mask[name] | True for name in mask}
        groups = {
            "kept": {name: before[name] & mask[name] for name in mask},
            "pruned": {name: before[name] & ~mask[name] for name in mask},
        }
        about = {**_about(network), "pruned_to_round": round.number}
        _add(found, "movement", about, movement.movement_rows(start, end, groups, sd))
        if round.number == network.step.round + 1:
            found.arrays[f"{network.key}/growth_by_fate"] = movement.growth_histograms(start, end, groups, sd)


def in_order(model: Model, mask: Tensors) -> Tensors:
    """The mask, its layers from the input to the output: what is read has them in any order."""
    return {layer.weight: mask[layer.weight] for layer in model.layers}


def _ends(network: Network) -> tuple[str, str]:
    """Data versions of what a training began with and of what it ended with."""
    return network.product.recipe.inputs["weights"], network.product.version


def _about(network: Network) -> dict[str, Any]:
    columns = network.columns
    return {name: columns[name] for name in ("replicate", "round", "arm", "draw", "density")}


def _columns(replicate: int, round: int, arm: str) -> dict[str, Any]:
    return {"replicate": replicate, "round": round, "arm": arm, "draw": 0}


def _between(what: str, round: int, replicate: int, **other: Any) -> dict[str, Any]:
    """What a row of overlaps begins with: the round's mask, and the other that it is held against."""
    own = {"other_replicate": replicate, "other_round": round, "other_arm": "ticket", "other_draw": 0}
    return {"between": what, **_columns(replicate, round, "ticket"), **own, **other}


def _add(found: Found, table: str, about: Mapping[str, Any], rows: Rows) -> None:
    found.tables.setdefault(table, []).extend({**about, **row} for row in rows)
