"""MNIST-1D: the same bits everywhere, and no trace of the package's seeding."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lth_pipeline.lottery.data import DataError
from lth_pipeline.lottery.data.mnist1d import DECIMALS, mnist1d
from lth_pipeline.lottery.data.published import PUBLISHED
from lth_pipeline.lottery.digest import digest

NOWHERE = Path("nowhere")


def test_content():
    raw, facts = mnist1d(NOWHERE), PUBLISHED["mnist1d"]
    assert raw.train_images.shape == (facts.train, *facts.image_shape) == (4000, 1, 1, 40)
    assert raw.test_images.shape == (facts.test, *facts.image_shape) == (1000, 1, 1, 40)
    assert (raw.train_images.dtype, raw.train_labels.dtype) == (torch.float32, torch.int64)
    whole = torch.cat([raw.train_images, raw.test_images]).double()
    assert whole.mean().item() == pytest.approx(0, abs=1e-5) and whole.std().item() == pytest.approx(1, abs=1e-5)
    labels = torch.cat([raw.train_labels, raw.test_labels])
    assert labels.bincount().tolist() == [500] * 10
    assert raw.full_scale == 1
    assert digest(raw.tensors()) == facts.digest


def test_rounding_leaves_room_for_the_last_bits_of_another_machine():
    """No value lies so near the middle between two of 5 decimals that an error of float64 could move it over."""
    from mnist1d.data import make_dataset

    made = make_dataset()
    scaled = np.concatenate([made["x"], made["x_test"]]) * 10**DECIMALS
    room = np.abs(scaled - np.floor(scaled) - 0.5).min() / 10**DECIMALS
    assert room > 1000 * np.finfo(np.float64).eps * np.abs(scaled).max() / 10**DECIMALS


def test_the_global_generators_stay_as_they_were():
    random.seed(3)
    np.random.seed(4)
    torch.manual_seed(5)
    before = [random.random(), np.random.rand(), np.random.randn(), torch.rand(1).item()]
    random.seed(3)
    np.random.seed(4)
    torch.manual_seed(5)
    mnist1d(NOWHERE)
    assert [random.random(), np.random.rand(), np.random.randn(), torch.rand(1).item()] == before


def test_without_the_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mnist1d", None)
    monkeypatch.setitem(sys.modules, "mnist1d.data", None)
    with pytest.raises(DataError, match="pip install mnist1d"):
        mnist1d(NOWHERE)
