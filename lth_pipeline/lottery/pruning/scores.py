"""A score for every weight, by any criterion: the higher, the longer the weight stays."""

from __future__ import annotations

import torch

from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.lottery.pruning.gradients import Examples, gradient_flow, sensitivity, synaptic_flow

DIVERGED = "training diverged, try a smaller learning rate"
INFINITE = "the initial weights are not finite"
OVERFLOW = "the network's outputs or their gradients overflow"


def scores(
    criterion: str,
    mask: Tensors,
    *,
    trained: Tensors | None = None,
    initial: Tensors | None = None,
    model: Model | None = None,
    examples: Examples | None = None,
    draws: torch.Generator | None = None,
    image_shape: tuple[int, ...] | None = None,
) -> dict[str, torch.Tensor]:
    """{weight name: scores of the weight's shape, on the mask's device} of all that `mask` holds; 0 where pruned.

    trained, initial: weights by name, biases and batch norm included where a gradient is taken; they are not changed.
    examples: (images ready for `model.logits`, labels), taken as one batch, on the device to compute on.
    draws: CPU generator of `random`; a weight's draw depends on neither the mask nor the order of names.
    image_shape: of the image of ones that `synflow` needs.

    Raises PruningError where a surviving weight or its score is not finite, ValueError where an argument that the
    criterion reads is missing.
    """
    reads = CRITERIA[criterion].reads
    given = {"trained": trained, "initial": initial, "examples": examples, "draws": draws}
    if missing := sorted(name for name in reads if given[name] is None):
        raise ValueError(f"{criterion} needs what is not given: {', '.join(missing)}")
    for kind, reason in (("trained", f"the trained weights are not finite; {DIVERGED}"), ("initial", INFINITE)):
        if kind in reads:
            _refuse_infinite(mask, given[kind], reason)
    found = _computed(criterion, mask, trained, initial, model, examples, draws, image_shape)
    # A weight that is pruned has nothing left to say, whatever the weights given hold in its place.
    done = {name: torch.where(alive, found[name].to(alive.device), 0.0) for name, alive in mask.items()}
    advice = DIVERGED if "trained" in reads else OVERFLOW
    _refuse_infinite(mask, done, f"the scores by {criterion} are not finite; {advice}")
    return done


def _computed(
    criterion: str,
    mask: Tensors,
    trained: Tensors | None,
    initial: Tensors | None,
    model: Model | None,
    examples: Examples | None,
    draws: torch.Generator | None,
    image_shape: tuple[int, ...] | None,
) -> dict[str, torch.Tensor]:
    names = sorted(mask)
    match criterion:
        case "magnitude":
            return {name: trained[name].abs() for name in names}
        case "magnitude_increase":
            return {name: trained[name].abs() - initial[name].abs() for name in names}
        case "movement":
            return {name: (trained[name] - initial[name]).abs() for name in names}
        case "initial_magnitude":
            return {name: initial[name].abs() for name in names}
        case "random":
            return {name: torch.rand(mask[name].shape, generator=draws, dtype=torch.float64) for name in names}
        case "snip":
            return sensitivity(model, mask, initial, examples)
        case "grasp":
            return gradient_flow(model, mask, initial, examples)
        case "synflow":
            return synaptic_flow(model, mask, initial, image_shape)
        case "gradient_magnitude":
            return sensitivity(model, mask, trained, examples)
    raise KeyError(criterion)


def _refuse_infinite(mask: Tensors, values: Tensors, reason: str) -> None:
    for name, alive in mask.items():
        if not bool((values[name].isfinite() | ~alive).all()):
            raise PruningError(f"{name}: {reason}")
