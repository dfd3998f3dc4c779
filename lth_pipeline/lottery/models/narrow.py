"""A dense network as small as a ticket: the same layers, all of them narrower. No torch at import."""

from __future__ import annotations

from fractions import Fraction
from math import lcm

from lth_pipeline.lottery.errors import ModelError
from lth_pipeline.lottery.models.catalog import build
from lth_pipeline.lottery.models.model import Model

EXCESS = Fraction(1, 10)  # share of `weights` by which the narrowest network may be larger


def narrowed(name: str, image_shape: tuple[int, ...], classes: int, weights: int, **settings) -> Model:
    """The network `name` with all hidden widths scaled by one factor of at most 1 (each rounded, and at least 1).

    Of all factors that whose prunable weights (`Model.prunable`) are nearest to `weights`; where two are as near, the
    smaller. settings: as for `build`; images and classes stay, and so do names and number of layers. It is what a
    sparse network is held against: Zhu & Gupta 2018 ("To prune, or not to prune") compare large-sparse with
    small-dense networks of as many weights.

    Raises ModelError where the narrowest, all hidden widths 1, has more than `weights` by more than a tenth.
    """

    def at(scale: Fraction) -> Model:
        return build(name, image_shape, classes, **settings, scale=scale)

    full, narrowest = at(Fraction(1)), at(Fraction(0))
    if narrowest.prunable > weights * (1 + EXCESS):
        raise ModelError(
            f"{name} cannot be narrowed to {weights:,} weights (image shape {tuple(image_shape)}, {classes} classes): "
            f"with one unit in each hidden layer it still has {narrowest.prunable:,}"
        )
    # A width w changes where the factor passes (k + 1/2) / w, so all networks stand on one grid of factors, and the
    # weights never fall along it. Bisection builds as many as its size has binary digits: 12 for ResNet-50 (2 ms).
    steps = lcm(*(2 * layer.shape[0] for layer in full.layers if not layer.is_output))
    below, above = (0, narrowest), (steps, full)
    while above[0] - below[0] > 1:
        middle = (below[0] + above[0]) // 2
        model = at(Fraction(middle, steps))
        if model.prunable < weights:
            below = middle, model
        else:
            above = middle, model
    return min((below[1], above[1]), key=lambda model: (abs(model.prunable - weights), model.prunable))
