"""Calibration against numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.analysis.calibration import answers, calibration
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.evaluation import evaluate
from lth_pipeline_tests.lottery.small import DATA, MODEL, WEIGHTS


def logits_of(*sure: float) -> torch.Tensor:
    """Two classes: answers 0, with these probabilities."""
    likely = torch.tensor(sure, dtype=torch.float64)
    return torch.stack([likely.log(), (1 - likely).log()], 1)


def test_the_numbers_of_five_answers():
    """Three are 0.9 sure and two of them right; two are 0.6 sure and both right."""
    found = calibration(logits_of(0.9, 0.9, 0.9, 0.6, 0.6), torch.tensor([0, 0, 1, 0, 0]), bins=10)
    assert found.accuracy == 0.8
    assert found.confidence == pytest.approx((3 * 0.9 + 2 * 0.6) / 5)
    assert found.ece == pytest.approx((3 * abs(2 / 3 - 0.9) + 2 * abs(1 - 0.6)) / 5)
    assert found.nll == pytest.approx(-(2 * math.log(0.9) + math.log(0.1) + 2 * math.log(0.6)) / 5)
    assert found.brier == pytest.approx(2 * (2 * 0.1**2 + 0.9**2 + 2 * 0.4**2) / 5)
    filled = {bin["bin"]: (bin["count"], bin["accuracy"]) for bin in found.bins if bin["count"]}
    assert sorted(filled.values()) == [(2, 1.0), (3, pytest.approx(2 / 3))]
    assert len(found.bins) == 10 and found.bins[0]["confidence"] is None


def test_who_is_right_as_often_as_sure_has_no_error():
    found = calibration(logits_of(*[0.75] * 4), torch.tensor([0, 0, 0, 1]))
    assert found.ece == pytest.approx(0, abs=1e-12)


def test_confidence_of_one_is_in_the_last_bin():
    found = calibration(torch.tensor([[200.0, 0.0], [200.0, 0.0]]), torch.tensor([0, 1]))
    assert found.bins[-1]["count"] == 2 and found.ece == 0.5
    assert found.nll == pytest.approx(100)  # of a probability that float32 has no number for


@given(classes=st.integers(2, 12), count=st.integers(1, 60), strength=st.floats(0, 30), seed=st.integers(0, 99))
def test_every_answer_is_in_its_bin_and_the_numbers_in_their_bounds(classes, count, strength, seed):
    draws = generator(seed)
    logits = strength * torch.randn(count, classes, generator=draws)
    found = calibration(logits, torch.randint(classes, (count,), generator=draws))
    assert sum(bin["count"] for bin in found.bins) == count
    for bin in found.bins:
        assert not bin["count"] or bin["low"] - 1e-9 <= bin["confidence"] <= bin["high"] + 1e-9
    assert abs(found.confidence - found.accuracy) - 1e-9 <= found.ece <= 1  # the bins' errors can only add up
    assert 0 <= found.brier <= 2 and found.nll >= 0 and found.confidence >= 1 / classes - 1e-9


def test_a_network_is_as_accurate_as_its_evaluation_says():
    loss, accuracy = evaluate(MODEL, WEIGHTS, DATA.test)
    found = calibration(*answers(MODEL, WEIGHTS, DATA.test))
    assert found.accuracy == accuracy and found.nll == pytest.approx(loss, rel=1e-5)
