"""The straight line between two trained copies of a network: the error along it, and how far apart they are.

Frankle, Dziugaite, Roy & Carbin 2020 (Linear Mode Connectivity and the Lottery Ticket Hypothesis), §2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.dataset import Data, Part
from lth_pipeline.lottery.models.model import Mode, Model, Tensors
from lth_pipeline.lottery.models.pieces import MOMENTUM
from lth_pipeline.lottery.training.evaluation import at_once, evaluate
from lth_pipeline.lottery.training.precision import computing, forward_context

STABLE = 0.02  # instability below which the paper calls a network stable: 2 percentage points of error


def between(one: Tensors, other: Tensors, share: float) -> dict[str, torch.Tensor]:
    """(1 − share) · one + share · other, tensor by tensor; at 0 and 1 the very bits of `one` and `other`."""
    if share in (0.0, 1.0):
        return {name: tensor.clone() for name, tensor in (other if share else one).items()}
    return {name: tensor + share * (other[name] - tensor) for name, tensor in one.items()}


@torch.no_grad()
def with_statistics(
    model: Model, weights: Tensors, part: Part, batch_size: int, precision: str = "float32"
) -> dict[str, torch.Tensor]:
    """`weights` with batch norm's statistics taken anew: the mean over batches of `part`, in order, of each batch's own
    mean and variance. A batch that is short is left out, unless it is the only one. Without batch norm: `weights`.

    Between two networks the running statistics of neither hold.
    """
    if not model.norms:
        return dict(weights)
    taken = {name: tensor.clone() for name, tensor in weights.items()}
    sums = {name: torch.zeros_like(taken[name], dtype=torch.float64) for name in model.buffers}
    size = min(batch_size, len(part))
    batches = 0
    for images, _ in chunks(part, size):
        if len(images) < size:
            continue
        for name in sums:  # so that what is left in it after the pass is MOMENTUM times the batch's own
            taken[name].zero_()
        with forward_context(precision, part.labels.device):
            model.logits(taken, images, Mode(training=True))
        for name, total in sums.items():
            total += taken[name].double() / MOMENTUM
        batches += 1
    return taken | {name: (total / batches).float() for name, total in sums.items()}


def errors_on_line(
    model: Model,
    one: Tensors,
    other: Tensors,
    data: Data,
    points: int,
    statistics: tuple[Part, int] | None = None,
    precision: str = "float32",
) -> list[dict[str, float]]:
    """Error (1 − accuracy) and loss on the training and the test part at `points` points of the line, its ends among
    them: {"alpha": 0 to 1, "train_error", "test_error", "train_loss", "test_loss"}.

    statistics: (images, batch size) that batch norm's statistics are taken from anew at every point, the ends too.
    Everything is computed on the device of `data`.
    """
    device = data.test.labels.device
    ends = [{name: tensor.to(device) for name, tensor in end.items()} for end in (one, other)]
    found = []
    with torch.no_grad(), computing(precision, device):
        for place in range(points):
            alpha = place / (points - 1)
            weights = between(*ends, alpha)
            if statistics and model.norms:
                images, size = statistics
                weights = with_statistics(model, weights, images, min(size, at_once(model, images)), precision)
            train_loss, train_accuracy = evaluate(model, weights, data.train, precision)
            test_loss, test_accuracy = evaluate(model, weights, data.test, precision)
            found.append(
                {
                    "alpha": alpha,
                    "train_error": 1 - train_accuracy,
                    "test_error": 1 - test_accuracy,
                    "train_loss": train_loss,
                    "test_loss": test_loss,
                }
            )
    return found


def instability(errors: Sequence[float]) -> float:
    """The highest error on the line less the mean of the errors at its two ends (Frankle et al. 2020, §2)."""
    return max(errors) - (errors[0] + errors[-1]) / 2


def apart(model: Model, start: Tensors, one: Tensors, other: Tensors) -> tuple[float, float | None]:
    """(L2 distance of the copies, cosine of the angle between their ways from `start`) over all that is learned; the
    cosine is None where one has not moved."""
    names = sorted(set(start) - model.buffers)  # in one order, whatever that of a file: sums are rounded
    begun, first, second = (
        torch.cat([end[name].double().cpu().flatten() for name in names]) for end in (start, one, other)
    )
    ways = first - begun, second - begun
    lengths = ways[0].norm() * ways[1].norm()
    return float((first - second).norm()), float(ways[0] @ ways[1] / lengths) if lengths > 0 else None
