"""Networks that answer together."""

from math import comb, log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.analysis.ensembles import by_error, disagreement, judged, probabilities, subsets, together
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.evaluation import evaluate
from lth_pipeline_tests.lottery.small import DATA, MODEL

LABELS = torch.tensor([0, 1, 1, 0])
ONE = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]])  # right, wrong, right, wrong
OTHER = torch.tensor([[0.4, 0.6], [0.1, 0.9], [0.3, 0.7], [0.2, 0.8]])  # wrong, right, right, wrong


def drawn(seed: int) -> torch.Tensor:
    return torch.randn(6, 3, generator=generator(seed)).softmax(1)


@given(st.integers(0, 99), st.integers(1, 9))
def test_equal_members_answer_as_each_of_them_and_one_alone_as_itself(seed, members):
    member = drawn(seed)
    assert torch.equal(together([member] * members), member)


@given(st.permutations(range(5)))
def test_the_order_of_the_members_does_not_matter(order):
    members = [drawn(seed) for seed in range(5)]
    torch.testing.assert_close(together([members[place] for place in order]), together(members), rtol=0, atol=1e-7)


def test_two_that_err_on_different_images_are_better_together():
    assert (judged(ONE, LABELS)[0], judged(OTHER, LABELS)[0]) == (0.5, 0.5)
    accuracy, loss = judged(together([ONE, OTHER]), LABELS)
    assert accuracy == 0.75
    assert loss == pytest.approx(-(log(0.65) + log(0.65) + log(0.75) + log(0.25)) / 4)
    assert disagreement(ONE, OTHER) == 0.5 and disagreement(ONE, ONE) == 0
    assert by_error(0.5, [0.5, 0.5]) == 1 and by_error(0.0, [1.0, 1.0]) is None


def test_a_probability_of_zero_is_no_infinite_loss():
    assert judged(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))[1] < 100


def test_a_network_is_judged_as_evaluation_judges_it():
    weights = MODEL.initialise(generator(4))
    answers = probabilities(MODEL, weights, DATA.test)
    torch.testing.assert_close(answers.sum(1), torch.ones(15))
    loss, accuracy = evaluate(MODEL, weights, DATA.test)
    assert judged(answers, DATA.test.labels) == (accuracy, pytest.approx(loss, rel=1e-6))


@given(st.integers(1, 9), st.data(), st.integers(0, 99))
def test_subsets_are_all_or_so_many_different_ones(count, data, seed):
    size = data.draw(st.integers(1, count))
    found = subsets(count, size, 20, generator(seed))
    assert len(set(found)) == len(found) == min(20, comb(count, size))
    assert found == sorted(found) == subsets(count, size, 20, generator(seed))
    assert all(len(set(each)) == size and set(each) <= set(range(count)) for each in found)
