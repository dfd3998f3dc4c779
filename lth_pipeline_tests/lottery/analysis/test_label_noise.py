"""Wrong labels: how many, which, and what a network made of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.analysis.label_noise import Fitted, fitted, with_noise
from lth_pipeline.lottery.data import Part
from lth_pipeline.lottery.models import Model
from lth_pipeline.lottery.randomness import generator

SHARES = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 200), st.integers(2, 12), SHARES, st.integers(0, 99))
def test_so_many_labels_are_wrong_and_none_of_these_keeps_its_class(count, classes, share, seed):
    labels = torch.randint(classes, (count,), generator=generator(seed + 1000))
    taught, flipped = with_noise(labels, classes, share, generator(seed))
    assert int(flipped.sum()) == round(share * count)
    assert torch.equal(taught != labels, flipped)
    assert taught.dtype == torch.int64 and int(taught.min()) >= 0 and int(taught.max()) < classes


@given(SHARES, SHARES, st.integers(0, 99))
def test_a_greater_share_has_the_same_wrong_labels_and_more(one, other, seed):
    labels = torch.arange(50) % 4
    (fewer, some), (more, many) = (with_noise(labels, 4, share, generator(seed)) for share in sorted((one, other)))
    assert torch.equal(fewer[some], more[some]) and bool(many[some].all())


def test_every_other_class_is_as_likely():
    taught, flipped = with_noise(torch.zeros(3000, dtype=torch.int64), 4, 0.9, generator(0))
    assert taught[flipped].bincount(minlength=4).tolist()[0] == 0
    assert all(800 < count < 1000 for count in taught[flipped].bincount().tolist()[1:])


def test_with_one_class_there_is_no_wrong_label():
    with pytest.raises(ValueError, match="1 class"):
        with_noise(torch.zeros(3, dtype=torch.int64), 1, 0.5, generator(0))


def test_what_a_network_made_of_wrong_labels():
    """Of images that are their own logits: two flipped, one of which it has learned by heart."""
    answers = torch.tensor([0, 1, 2, 0, 1])
    images = torch.nn.functional.one_hot(answers, 3).float().view(5, 3, 1, 1)
    model = Model((), dict, lambda weights, images: images.flatten(1))
    true, taught = torch.tensor([0, 1, 2, 1, 1]), torch.tensor([0, 1, 2, 0, 2])
    found = fitted(model, {}, Part(images, true), taught, true != taught)
    assert found == Fitted(noisy=0.8, clean=0.8, memorised=0.5, recovered=0.5)
    assert fitted(model, {}, Part(images, true), true, torch.zeros(5, dtype=torch.bool))[2:] == (None, None)
