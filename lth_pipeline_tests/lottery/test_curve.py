"""Learning curves: the early-stop iteration, and the way into tensors and back."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.training.curve import COLUMNS, early_stop, to_rows, to_tensors

NAN = float("nan")


def rows_with(validation_losses):
    return [
        {**dict.fromkeys(COLUMNS, 0.5), "iteration": 10 * i, "validation_loss": loss}
        for i, loss in enumerate(validation_losses)
    ]


def early_stop_iteration(validation_losses):
    return early_stop(rows_with(validation_losses))["iteration"]


def test_early_stop_is_the_least_validation_loss():
    assert early_stop_iteration([3.0, 1.0, 2.0]) == 10


def test_the_earliest_wins_a_tie():
    assert early_stop_iteration([3.0, 1.0, 1.0, 2.0, 1.0]) == 10


def test_nan_never_wins():
    assert early_stop_iteration([NAN, 2.0, NAN, 1.0, NAN]) == 30
    assert early_stop_iteration([NAN, math.inf]) == 10


def test_of_nothing_but_nan_it_is_the_first():
    assert early_stop_iteration([NAN, NAN]) == 0


@given(st.lists(st.sampled_from([NAN, math.inf, 0.0, 0.1, 0.2, 0.3]), min_size=1, max_size=12))
def test_early_stop_equals_searching_from_the_front(losses):
    best = None
    for i, loss in enumerate(losses):
        if not math.isnan(loss) and (best is None or loss < losses[best]):
            best = i
    assert early_stop_iteration(losses) == 10 * (best or 0)


values = st.floats(allow_nan=True, allow_infinity=True)
whole_rows = st.builds(
    lambda iteration, rest: dict(zip(COLUMNS, (iteration, *rest), strict=True)),
    st.integers(0, 2**53),
    st.tuples(*[values] * 5),
)


@given(st.lists(whole_rows, max_size=6))
def test_rows_come_back_from_tensors(rows):
    columns = to_tensors(rows)
    assert {name: tensor.dtype for name, tensor in columns.items()} == {
        **dict.fromkeys(COLUMNS, torch.float64),
        "iteration": torch.int64,
    }
    back = to_rows(columns)
    assert repr(back) == repr(rows)  # repr tells NaN from a number and -0.0 from 0.0, and 3 from 3.0
