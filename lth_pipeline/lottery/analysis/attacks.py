"""Attacks that know the network: FGSM (Goodfellow et al. 2015) and PGD (Madry et al. 2018), in the L∞ norm.

All in pixels: a radius of 0.1 is a tenth of the way from black to white.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

STEPS = 20  # of PGD
REACH = 2.5  # radii that all its steps make together: enough to go from one side to the other (Madry et al.'s code)

#: pixels (N, C, H, W) -> logits (N, classes)
Logits = Callable[[torch.Tensor], torch.Tensor]
Box = tuple[float, float]  # the least and the greatest value a pixel may have


def fgsm(logits: Logits, pixels: torch.Tensor, labels: torch.Tensor, radius: float, box: Box = (0, 1)) -> torch.Tensor:
    """`pixels`, each moved by `radius` in the direction in which the loss grows, and clipped to `box`."""
    return (pixels + radius * _uphill(logits, pixels, labels)).clamp(*box)


def pgd(
    logits: Logits,
    pixels: torch.Tensor,
    labels: torch.Tensor,
    radius: float,
    start: torch.Tensor | None = None,
    box: Box = (0, 1),
    steps: int = STEPS,
) -> torch.Tensor:
    """`steps` steps of FGSM of 2.5 · radius / steps each, brought back into the ball of `radius` and into `box` after
    each. start: where in the ball it begins, from -1 to 1 for each pixel; None: in the middle."""
    at = pixels if start is None else (pixels + radius * start).clamp(*box)
    for _ in range(steps):
        at = at + REACH * radius / steps * _uphill(logits, at, labels)
        at = (pixels + (at - pixels).clamp(-radius, radius)).clamp(*box)
    return at


def accuracies(
    logits: Logits,
    pixels: torch.Tensor,
    labels: torch.Tensor,
    radii: Sequence[float],
    start: torch.Tensor,
    box: Box = (0, 1),
    at_once: int = 250,
) -> list[dict[str, Any]]:
    """Rows {attack, radius, accuracy, images}: "clean" at radius 0, then "fgsm" and "pgd" at each of `radii`, of so
    many full scales of `box`. start: as of `pgd`, with a row for each image. at_once: images a pass.

    What a network gets wrong without an attack is not attacked and counts as wrong. So does what PGD broke within a
    smaller radius: that image lies within the larger one, too.
    """
    full_scale = box[1] - box[0]
    attacks: list[tuple[str, float]] = [("clean", 0.0), *((name, r) for name in ("fgsm", "pgd") for r in radii)]
    right = dict.fromkeys(attacks, 0)
    for images, truth, begun in zip(pixels.split(at_once), labels.split(at_once), start.split(at_once), strict=True):
        standing = _right(logits, images, truth)
        images, truth, begun = images[standing], truth[standing], begun[standing]
        right["clean", 0.0] += len(truth)
        for radius in radii:
            seen = fgsm(logits, images, truth, radius * full_scale, box)
            right["fgsm", radius] += int(_right(logits, seen, truth).sum())
        for radius in sorted(radii):
            seen = pgd(logits, images, truth, radius * full_scale, begun, box)
            standing = _right(logits, seen, truth)
            images, truth, begun = images[standing], truth[standing], begun[standing]
            right["pgd", radius] += len(truth)
    return [
        {"attack": name, "radius": radius, "accuracy": right[name, radius] / len(labels), "images": len(labels)}
        for name, radius in attacks
    ]


@torch.no_grad()
def _right(logits: Logits, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return logits(pixels).argmax(1) == labels


def _uphill(logits: Logits, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The sign of the cross-entropy's gradient at `pixels`, image by image: the sum has each image's own gradient.

    It is taken of logsumexp(other logits) - own logit, of which the cross-entropy is the softplus: the same sign. The
    cross-entropy itself is 0 in float32 where a network is sure (from a difference of about 17 on), its gradient noise.
    """
    at = pixels.detach().requires_grad_()
    with torch.enable_grad():
        found = logits(at)
        own = labels.unsqueeze(1)
        others = found.scatter(1, own, -torch.inf).logsumexp(1)
        above = (others - found.gather(1, own).squeeze(1)).sum()
    return torch.autograd.grad(above, at)[0].sign()
