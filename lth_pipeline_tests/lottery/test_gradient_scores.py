"""SNIP, GraSP and SynFlow on six weights: the numbers are worked out by hand, here."""

from math import log

import pytest
import torch

from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.pruning.prune import prune
from lth_pipeline.lottery.pruning.scores import scores
from lth_pipeline_tests.lottery.six_weights import EXAMPLES, IMAGE_SHAPE, MODEL, alive, weights

LN3 = log(3)

# The weights are a₁, a₂ (hidden) and b = [[b₁₁, b₁₂], [b₂₁, b₂₂]] (output). With a₁ > 0 > a₂, the example x = 1 gives
# h = (a₁, 0) and x = −1 gives h = (0, −a₂): the first sees only column 1 of b, the second only column 2. Both are of
# class 0, so their losses are
#     softplus(u), u = a₁ (b₂₁ − b₁₁)        and        softplus(v), v = −a₂ (b₂₂ − b₁₂),
# and the mean of the two is L = ½ softplus(u) + ½ softplus(v), softplus′ = σ.
A = (1.0, -2.0)
B = ((1 + LN3, 1.0), (1.0, 1 + LN3 / 2))
# u = −ln 3, σ(u) = 1/4; v = 2 · ½ ln 3 = ln 3, σ(v) = 3/4.
# ∂L/∂a₁ = ½ · ¼ · (b₂₁ − b₁₁) = −ln 3 / 8              a₁ g = −ln 3 / 8
# ∂L/∂a₂ = ½ · ¾ · −(b₂₂ − b₁₂) = −3 ln 3 / 16           a₂ g = 3 ln 3 / 8
# ∂L/∂b₁₁ = −½ · ¼ · a₁ = −1/8, ∂L/∂b₂₁ = 1/8           b g = −(1 + ln 3) / 8 and 1 / 8
# ∂L/∂b₁₂ = −½ · ¾ · 2 = −3/4, ∂L/∂b₂₂ = 3/4            b g = −3/4 and (1 + ½ ln 3) · 3/4
SNIP = weights((LN3 / 8, 3 * LN3 / 8), (((1 + LN3) / 8, 3 / 4), (1 / 8, (1 + LN3 / 2) * 3 / 4)))
SNIP_IN_NUMBERS = weights((0.1373265, 0.4119796), ((0.2623265, 0.75), (0.125, 1.1619796)))

# GraSP divides the logits by 200, which these weights undo: u = a₁ (b₂₁ − b₁₁) / 200 is as above for a₁ ten times and b
# twenty times as large. Write a, b, c for a₁, b₁₁, b₂₁ and d = c − b. In these three coordinates
#     ∇u = (d, −a, a) / 200,   Hessian of u = the matrix with ∂²u/∂a∂b = −1/200 and ∂²u/∂a∂c = 1/200,
#     g = ½ σ ∇u,   H = ½ σ (1 − σ) ∇u ∇uᵀ + ½ σ Hess u,   Hess u ∇u = (2a, −d, d) / 200²,
# so Hg = ¼ σ² ((1 − σ) |∇u|² ∇u + (2a, −d, d) / 200²). Of different examples no mixed derivative is left.
# Example 1: a = 10, b = 20 (1 + ln 3), c = 20, d = −20 ln 3, σ = 1/4:
#     ∇u = (−ln 3 / 10, −1/20, 1/20),   |∇u|² = ln² 3 / 100 + 1/200,   (2a, −d, d) / 200² = (1, ln 3, −ln 3) / 2000
# Example 2 is the same with a = −a₂ = 20, b = b₁₂ = 20, c = b₂₂ = 20 + 10 ln 3, d = 10 ln 3, σ = 3/4:
#     ∇v = (ln 3 / 20, −1/10, 1/10),   |∇v|² = ln² 3 / 400 + 1/50,   (2a, −d, d) / 200² = (4, −ln 3, ln 3) / 4000
GRASP_A = (10.0, -20.0)
GRASP_B = ((20 * (1 + LN3), 20.0), (20.0, 20 + 10 * LN3))
_FIRST, _SECOND = 3 / 4 * (LN3**2 / 100 + 1 / 200), 1 / 4 * (LN3**2 / 400 + 1 / 50)  # (1 − σ) |∇u|²
_HG_A = (
    (_FIRST * -LN3 / 10 + 1 / 2000) / 64,
    -(_SECOND * LN3 / 20 + 4 / 4000) * 9 / 64,  # ∂/∂a₂ = −∂/∂a
)
_HG_B = (
    ((-_FIRST / 20 + LN3 / 2000) / 64, (-_SECOND / 10 - LN3 / 4000) * 9 / 64),
    ((_FIRST / 20 - LN3 / 2000) / 64, (_SECOND / 10 + LN3 / 4000) * 9 / 64),
)
GRASP = {name: values * weights(_HG_A, _HG_B)[name] for name, values in weights(GRASP_A, GRASP_B).items()}
GRASP_IN_NUMBERS = weights((-1.4163e-4, 3.7015e-3), ((-5.955e-5, -2.3909e-3), (2.837e-5, 3.7042e-3)))


def close(found, expected, **tolerance):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, **tolerance)


def test_snip_by_hand():
    found = scores("snip", alive(), initial=weights(A, B), model=MODEL, examples=EXAMPLES)
    close(found, SNIP)
    close(found, SNIP_IN_NUMBERS, rtol=0, atol=1e-7)
    close(scores("gradient_magnitude", alive(), trained=weights(A, B), model=MODEL, examples=EXAMPLES), found)


def test_snip_takes_the_gradient_at_the_masked_weights():
    """Without b₁₁ u = a₁ b₂₁ = 1, so ∂L/∂b₂₁ = ½ σ(1) a₁ and a₁ g = b₂₁ g; the other example stays as it was."""
    found = scores("snip", alive(output=((0, 1), (1, 1))), initial=weights(A, B), model=MODEL, examples=EXAMPLES)
    half_sigma = 0.5 * torch.sigmoid(torch.tensor(1.0, dtype=torch.float64)).item()
    close(found, weights((half_sigma, 3 * LN3 / 8), ((0, 3 / 4), (half_sigma, (1 + LN3 / 2) * 3 / 4))))


def test_grasp_by_hand():
    found = scores("grasp", alive(), initial=weights(GRASP_A, GRASP_B), model=MODEL, examples=EXAMPLES)
    close(found, GRASP)
    close(found, GRASP_IN_NUMBERS, rtol=0, atol=6e-8)


def half_squared_gradient(initial, mask):
    """½ ‖g‖² over the survivors, of the loss at temperature 200, from the analytic first derivatives above."""
    (a1, a2), ((b11, b12), (b21, b22)) = (masks.apply(mask, initial)[name].squeeze(-1).tolist() for name in mask)
    su, sv = (
        torch.sigmoid(torch.tensor(z / 200, dtype=torch.float64)).item() / 400
        for z in (a1 * (b21 - b11), -a2 * (b22 - b12))
    )
    g = weights((su * (b21 - b11), -sv * (b22 - b12)), ((-su * a1, sv * a2), (su * a1, -sv * a2)))
    return 0.5 * sum(float((g[name][mask[name]] ** 2).sum()) for name in mask)


@pytest.mark.parametrize("mask", [alive(), alive(output=((1, 1), (1, 0))), alive(output=((0, 1), (1, 1)))])
def test_grasp_is_the_slope_of_half_the_squared_gradient(mask):
    """∂ ½‖g‖² / ∂w = (Hg)_w: by central differences, whatever H is; over survivors only."""
    initial = weights(GRASP_A, GRASP_B)
    found = scores("grasp", mask, initial=initial, model=MODEL, examples=EXAMPLES)
    for name, values in initial.items():
        for position in mask[name].nonzero().tolist():
            place, step = tuple(position), 1e-4
            ends = []
            for sign in (1, -1):
                moved = {key: tensor.clone() for key, tensor in initial.items()}
                moved[name][place] += sign * step
                ends.append(half_squared_gradient(moved, mask))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert float(found[name][place]) == pytest.approx(float(values[place]) * slope, rel=1e-5, abs=1e-12)


def test_grasp_keeps_what_the_gradient_flow_needs():
    """Algorithm 1 removes the highest S = −θ ⊙ Hg: of what stays, shrinking it a little loses the most flow."""
    initial = weights(GRASP_A, GRASP_B)
    lost = {}
    for name in initial:
        for position in range(initial[name].numel()):
            moved = {key: tensor.clone() for key, tensor in initial.items()}
            moved[name].view(-1)[position] *= 1 - 1e-4
            lost[name, position] = half_squared_gradient(initial, alive()) - half_squared_gradient(moved, alive())

    def score(mask):
        return scores("grasp", mask, initial=initial, model=MODEL, examples=EXAMPLES)

    kept = prune(alive(), score, {"": 3}, tuple(initial), allow_empty=True)
    assert {(n, int(p)) for n in kept for p in kept[n].flatten().nonzero()} == set(sorted(lost, key=lost.get)[3:])
    assert min(lost.values()) < 0 < max(lost.values())  # keeping the other end would show
    only = prune(alive(), score, {"": 1}, tuple(initial), allow_empty=True)
    assert only["output.weight"].tolist() == [[False, False], [False, True]]  # b₂₂ with 0.003704, a₂ has 0.003702


# SynFlow: |a| = (1, 2), |b| = [[3, 1], [5, 4]]. One image of ones: h = (1, 2), logits (3 + 2, 5 + 8), R = 18.
# ∂R/∂|b_ij| = h_j, ∂R/∂|a_j| = the sum of column j of |b|: (8, 5).
def test_synflow_by_hand():
    initial = weights((1.0, -2.0), ((3.0, -1.0), (-5.0, 4.0)))
    found = scores("synflow", alive(), initial=initial, model=MODEL, image_shape=IMAGE_SHAPE)
    close(found, weights((8, 10), ((3, 2), (5, 8))))
    assert [float(values.sum()) for values in found.values()] == [18.0, 18.0]  # what flows in flows through each layer
    # without b₂₂: column 2 of |b| is (1, 0)
    found = scores("synflow", alive(output=((1, 1), (1, 0))), initial=initial, model=MODEL, image_shape=IMAGE_SHAPE)
    close(found, weights((8, 2), ((3, 2), (5, 0))))


def test_synflow_is_in_float64():
    """Two layers of 1e-30: their product is no float32."""
    tiny = {name: (tensor * 1e-30).float() for name, tensor in weights((1, 1), ((1, 1), (1, 1))).items()}
    for values in scores("synflow", alive(), initial=tiny, model=MODEL, image_shape=IMAGE_SHAPE).values():
        assert values.dtype == torch.float64 and bool((values > 0).all())
