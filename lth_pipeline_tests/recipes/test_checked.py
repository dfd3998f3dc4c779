"""What may differ between an exported network and the trained one, and what may not."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lth_pipeline.lottery.data import Part
from lth_pipeline.recipes.checked import DiffersError, checked, compared

#: the trained network's: sure, a tie as far as float32 can tell, sure; the greatest is 50, so that 5e-4 are allowed
LOGITS = np.array([[50, 1, 0], [3, 3 + 9e-4, 0], [0, 1, 2]], dtype=np.float32)
LABELS = torch.tensor([0, 0, 1])


def ticket(logits=LOGITS) -> SimpleNamespace:
    images = torch.arange(3.0).view(3, 1, 1, 1)
    data = SimpleNamespace(test=Part(images, LABELS))
    return SimpleNamespace(data=data, batch=2, logits=logits, labels=LABELS.numpy())


def answering(logits):
    """A network that knows its images by number, as batches of two and one."""
    return lambda images: np.asarray(logits, dtype=np.float32)[images[:, 0, 0, 0].astype(int)]


def moved(row: int, column: int, by: float) -> np.ndarray:
    found = LOGITS.copy()
    found[row, column] += by
    return found


def test_the_same_is_the_same():
    found = checked(ticket(), answering(LOGITS))
    assert (found.images, found.max_difference, found.changed, found.ties, found.scale) == (3, 0, 0, 1, 50)
    assert found.accuracy == pytest.approx(1 / 3)


def test_a_tie_may_turn_and_is_counted():
    found = checked(ticket(), answering(moved(1, 0, 4.5e-4) - np.float32([[0], [4.6e-4], [0]]) * [0, 1, 0]))
    assert (found.changed, found.ties, found.beyond) == (1, 1, 0)
    assert found.accuracy == pytest.approx(2 / 3)


@pytest.mark.parametrize("column", range(3))
def test_a_logit_may_not_differ_by_more_than_rounding(column):
    assert checked(ticket(), answering(moved(2, column, 4e-4))).max_difference == pytest.approx(4e-4, rel=0.01)
    with pytest.raises(DiffersError, match=r"a\.onnx: on 3 test images .* by up to 0\.0006 \(allowed: 0\.0005\)"):
        checked(ticket(), answering(moved(2, column, 6e-4)), "a.onnx")


def test_a_prediction_that_is_no_tie_may_not_turn():
    """Nearly one: two logits that lie so far apart that rounding cannot turn them, however little each differs."""
    found = compared(ticket(), answering(moved(2, 1, 1.5)))
    assert (found.changed, found.beyond, found.same) == (1, 1, False)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_no_answer(wrong):
    with pytest.raises(DiffersError):
        checked(ticket(), answering(moved(0, 0, wrong)))


def test_another_number_of_classes_is_said():
    with pytest.raises(DiffersError, match=r"logits of shape \(3, 2\) in the place of \(3, 3\)"):
        checked(ticket(), answering(LOGITS[:, :2]))
