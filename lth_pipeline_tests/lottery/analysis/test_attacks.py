"""Attacks against networks whose weak spots are known, and against foolbox."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.analysis.attacks import REACH, STEPS, accuracies, fgsm, pgd
from lth_pipeline.lottery.analysis.normalisation import Scale, normalised
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.randomness import generator

MODEL = build("mlp", (1, 6, 6), 4, widths=(20, 12), initialisation="glorot_normal")
WEIGHTS = MODEL.initialise(generator(3))
SCALE = Scale(torch.tensor([[[0.13]]]), torch.tensor([[[0.31]]]))
PIXELS = torch.rand(30, 1, 6, 6, generator=generator(4))
LABELS = torch.randint(4, (30,), generator=generator(5))


def logits(pixels: torch.Tensor) -> torch.Tensor:
    return MODEL.logits(WEIGHTS, normalised(pixels, SCALE))


def brighter(pixels: torch.Tensor) -> torch.Tensor:
    """Class 1 where the sum of four pixels is above 2."""
    total = pixels.sum((1, 2, 3))
    return torch.stack([2 - total, total - 2], 1)


def test_of_a_linear_network_the_attacks_find_the_worst_image_there_is():
    pixels = torch.full((2, 1, 2, 2), 0.6)
    pixels[1] = 0.35
    labels = torch.tensor([1, 0])
    worst = torch.stack([pixels[0] - 0.08, pixels[1] + 0.08])
    assert torch.allclose(fgsm(brighter, pixels, labels, 0.08), worst)
    assert torch.allclose(pgd(brighter, pixels, labels, 0.08), worst)
    start = 2 * torch.rand(pixels.shape, generator=generator(0)) - 1
    assert torch.allclose(pgd(brighter, pixels, labels, 0.08, start), worst)  # from anywhere in the ball


def test_accuracy_falls_where_the_radius_reaches_the_boundary():
    """0.6 is 0.1 above the boundary, 0.35 is 0.15 below it, 0.45 is taken for the wrong class to begin with."""
    pixels = torch.tensor([0.6, 0.35, 0.45]).view(3, 1, 1, 1).expand(3, 1, 2, 2)
    rows = accuracies(brighter, pixels, torch.tensor([1, 0, 1]), [0.05, 0.12, 0.2], torch.zeros(3, 1, 2, 2), at_once=2)
    found = {(row["attack"], row["radius"]): row["accuracy"] for row in rows}
    assert found["clean", 0.0] == pytest.approx(2 / 3)
    for attack in ("fgsm", "pgd"):
        assert [found[attack, radius] for radius in (0.05, 0.12, 0.2)] == pytest.approx([2 / 3, 1 / 3, 0])
    assert {row["images"] for row in rows} == {3}


def test_what_is_broken_within_a_smaller_radius_stays_broken():
    """A network that errs between 0.25 and 0.35 alone: an attack by 0.4 from 0.1 steps over it, in ever larger balls
    there is always the image that broke it."""

    def errs_in_a_gap(pixels: torch.Tensor) -> torch.Tensor:
        inside = 0.05 - (pixels.mean((1, 2, 3)) - 0.3).abs()
        return torch.stack([-inside, inside], 1)

    pixels, labels = torch.full((2, 1, 2, 2), 0.1), torch.zeros(2, dtype=torch.int64)
    rows = accuracies(errs_in_a_gap, pixels, labels, [0.1, 0.2, 0.5], torch.zeros_like(pixels))
    found = {name: [row["accuracy"] for row in rows if row["attack"] == name] for name in ("clean", "fgsm", "pgd")}
    assert found == {"clean": [1.0], "fgsm": [1.0, 0.0, 1.0], "pgd": [1.0, 0.0, 0.0]}


def test_a_network_that_is_never_right_leaves_nothing_to_attack():
    model = build("resnet_cifar", (1, 8, 8), 4, depth=8, filters=4, initialisation="kaiming_normal")
    weights, pixels = model.initialise(generator(0)), torch.rand(5, 1, 8, 8, generator=generator(1))
    wrong = (model.logits(weights, pixels).argmax(1) + 1) % 4
    rows = accuracies(lambda seen: model.logits(weights, seen), pixels, wrong, [0.01], torch.zeros_like(pixels))
    assert [row["accuracy"] for row in rows] == [0, 0, 0]


def test_radii_are_shares_of_the_range_that_signals_have():
    """-4 to 4: a tenth is 0.8."""
    signals = torch.full((1, 1, 2, 2), 1.0)
    labels, still = torch.tensor([1]), torch.zeros(1, 1, 2, 2)
    right = [
        row["accuracy"]
        for radius in (0.05, 0.07)  # four of them must fall by more than 0.5 each
        for row in accuracies(brighter, signals, labels, [radius], still, box=(-4.0, 4.0))
        if row["attack"] == "pgd"
    ]
    assert right == [1, 0]


def test_a_network_that_is_sure_is_no_harder_to_attack():
    """100 times the logits: in float32 the cross-entropy of most images is 0, and its gradient, too."""
    from torch.nn.functional import cross_entropy

    right = logits(PIXELS).argmax(1)
    assert (cross_entropy(100 * logits(PIXELS), right, reduction="none") == 0).float().mean() > 0.3
    weights = {name: tensor.double() for name, tensor in WEIGHTS.items()}

    def sure(pixels: torch.Tensor) -> torch.Tensor:
        return 100 * logits(pixels)

    def exact(pixels: torch.Tensor) -> torch.Tensor:
        scale = Scale(*(part.double() for part in SCALE))
        return 100 * MODEL.logits(weights, normalised(pixels, scale))

    found = fgsm(sure, PIXELS, right, 0.1)
    assert (found != fgsm(exact, PIXELS.double(), right, 0.1).float()).float().mean() < 0.01


@given(radius=st.floats(0.001, 1), seed=st.integers(0, 99))
def test_no_attack_leaves_the_ball_or_the_box(radius, seed):
    start = 2 * torch.rand(PIXELS.shape, generator=generator(seed)) - 1
    for attacked in (
        fgsm(logits, PIXELS, LABELS, radius),
        pgd(logits, PIXELS, LABELS, radius, start, steps=3),
        pgd(logits, PIXELS, LABELS, radius, start, box=(0.0, 1.0), steps=0),
    ):
        assert float((attacked - PIXELS).abs().max()) <= radius + 1e-6
        assert float(attacked.min()) >= 0 and float(attacked.max()) <= 1


def test_pgd_finds_more_loss_than_fgsm():
    from torch.nn.functional import cross_entropy

    one, many = fgsm(logits, PIXELS, LABELS, 0.2), pgd(logits, PIXELS, LABELS, 0.2)
    loss = [cross_entropy(logits(seen), LABELS) for seen in (PIXELS, one, many)]
    assert loss[0] < loss[1] < loss[2]


@pytest.mark.parametrize("radius", [0.01, 0.1, 0.3])
def test_they_are_foolboxs_attacks(radius):
    foolbox = pytest.importorskip("foolbox")
    theirs = foolbox.PyTorchModel(Wrapped().eval(), bounds=(0, 1), device="cpu")
    for ours, attack in (
        (fgsm(logits, PIXELS, LABELS, radius), foolbox.attacks.LinfFastGradientAttack(random_start=False)),
        (
            pgd(logits, PIXELS, LABELS, radius),
            foolbox.attacks.LinfProjectedGradientDescentAttack(
                abs_stepsize=REACH * radius / STEPS, steps=STEPS, random_start=False
            ),
        ),
    ):
        _, found, _ = attack(theirs, PIXELS, LABELS, epsilons=radius)
        assert torch.allclose(found, ours, atol=1e-6, rtol=0)
        assert not torch.allclose(found, PIXELS, atol=radius / 2, rtol=0)


class Wrapped(torch.nn.Module):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return logits(pixels)
