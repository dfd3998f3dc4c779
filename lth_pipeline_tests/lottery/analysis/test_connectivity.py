"""The line between two networks: its ends, what lies between, and batch norm's statistics on it."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from lth_pipeline.lottery.analysis.connectivity import apart, between, errors_on_line, instability, with_statistics
from lth_pipeline.lottery.data import Data, Part
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.evaluation import evaluate
from lth_pipeline_tests.lottery.small import DATA, MODEL, SCHEDULES, WEIGHTS, run

TRAINED = run(SCHEDULES["adam"]).weights
RESNET = build("resnet_cifar", (1, 8, 8), 3, depth=8, filters=2, initialisation="glorot_normal")
IMAGES = Part(torch.randn(22, 1, 8, 8, generator=generator(5)), torch.arange(22) % 3)


@given(st.integers(3, 9), st.integers(0, 99))
def test_a_line_from_a_network_to_itself_is_flat(points, seed):
    weights = MODEL.initialise(generator(seed))
    rows = errors_on_line(MODEL, weights, weights, DATA, points)
    assert [row.pop("alpha") for row in rows] == pytest.approx([place / (points - 1) for place in range(points)])
    assert all(row == rows[0] for row in rows)
    assert instability([row["test_error"] for row in rows]) == 0
    assert apart(MODEL, WEIGHTS, weights, weights)[0] == 0


def test_the_ends_of_a_line_are_the_networks_themselves():
    rows = errors_on_line(MODEL, WEIGHTS, TRAINED, DATA, 3)
    for row, weights in ((rows[0], WEIGHTS), (rows[-1], TRAINED)):
        test_loss, test_accuracy = evaluate(MODEL, weights, DATA.test)
        train_loss, train_accuracy = evaluate(MODEL, weights, DATA.train)
        assert (row["test_loss"], row["test_error"]) == (test_loss, 1 - test_accuracy)
        assert (row["train_loss"], row["train_error"]) == (train_loss, 1 - train_accuracy)
    half = between(WEIGHTS, TRAINED, 0.5)
    torch.testing.assert_close(half["fc1.weight"], (WEIGHTS["fc1.weight"] + TRAINED["fc1.weight"]) / 2)


def test_there_is_a_barrier_between_a_network_and_the_same_with_its_units_in_another_order():
    """Both compute the same, and what lies between does not."""
    order = torch.randperm(8, generator=generator(3))
    moved = dict(TRAINED)
    for name in ("fc1.weight", "fc1.bias"):
        moved[name] = TRAINED[name][order]
    moved["fc2.weight"] = TRAINED["fc2.weight"][:, order]
    rows = errors_on_line(MODEL, TRAINED, moved, DATA, 5)
    assert rows[0]["train_loss"] == pytest.approx(rows[-1]["train_loss"], rel=1e-5)
    assert rows[2]["train_loss"] > 1.2 * rows[0]["train_loss"]


def test_instability_is_the_highest_error_less_the_mean_of_the_ends():
    assert instability([0.1, 0.4, 0.2]) == pytest.approx(0.25)
    assert instability([0.3, 0.1, 0.1]) == pytest.approx(0.1)  # the higher end


def test_how_far_apart_two_copies_are():
    start = {name: torch.zeros_like(tensor) for name, tensor in WEIGHTS.items()}
    one, other = ({**start, name: torch.ones_like(start[name])} for name in ("fc1.bias", "fc2.bias"))
    distance, cosine = apart(MODEL, start, one, other)
    assert distance == pytest.approx((8 + 5) ** 0.5) and cosine == pytest.approx(0.0)
    assert apart(MODEL, start, one, one) == (0.0, pytest.approx(1.0))
    assert apart(MODEL, start, one, start)[1] is None


def test_batch_norm_statistics_are_means_over_whole_batches():
    weights = RESNET.initialise(generator(1))
    before = {name: tensor.clone() for name, tensor in weights.items()}
    found = with_statistics(RESNET, weights, IMAGES, 8)
    batches = [conv2d(batch, weights["conv1.weight"], padding=1) for batch in IMAGES.images[:16].split(8)]
    mean = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    variance = torch.stack([batch.var((0, 2, 3)) for batch in batches]).mean(0)
    torch.testing.assert_close(found["norm1.running_mean"], mean)
    torch.testing.assert_close(found["norm1.running_var"], variance)
    assert all(torch.equal(weights[name], before[name]) for name in before)  # those that were given stay as they are
    assert all(torch.equal(found[name], before[name]) for name in before if name not in RESNET.buffers)


def test_between_networks_with_batch_norm_statistics_are_taken_anew():
    data = Data(IMAGES, IMAGES, IMAGES, (0.0,), (1.0,))
    one, other = (RESNET.initialise(generator(seed)) for seed in (1, 2))
    fresh = errors_on_line(RESNET, one, other, data, 3, (IMAGES, 8))
    stale = errors_on_line(RESNET, one, other, data, 3)
    middle = with_statistics(RESNET, between(one, other, 0.5), IMAGES, 8)
    assert fresh[1]["test_loss"] == evaluate(RESNET, middle, IMAGES)[0]
    assert fresh[1]["test_loss"] != stale[1]["test_loss"]
