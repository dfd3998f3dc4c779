"""Data sets: what loads, what is checked, and what a person is told when a set is missing or damaged."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lth_pipeline.home import find_home
from lth_pipeline.lottery.data import DATASETS, DataError, catalog, load
from lth_pipeline.lottery.data.mnist import FILES
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.lottery.idx_files import write_mnist_like

DATA_DIR = find_home().data  # LTH_DATA_DIR
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def large_set() -> str:
    """The largest set on this machine: MNIST, Fashion-MNIST, or the digits, which are everywhere."""
    for name, folders in (
        ("mnist", [DATA_DIR / "MNIST" / "raw"]),
        ("fashion_mnist", [DATA_DIR / "FashionMNIST" / "raw", DEBIAN]),
    ):
        if any(list(folder.glob("train-images-idx3-ubyte*")) for folder in folders):
            return name
    return "digits"


#: name -> (validation size, mean and deviation of the training part's pixels in [0, 1])
KNOWN = {
    "digits": (200, 0.3053, 0.3761),
    "mnist": (5000, 0.1307, 0.3081),
    "fashion_mnist": (5000, 0.2860, 0.3530),
}


@pytest.fixture(scope="module", params=sorted({"digits", large_set()}))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def data(name):
    return load(name, DATA_DIR, validation_size=KNOWN[name][0], generator=generator(1))


def test_sizes_and_types(name, data):
    facts, held_out = DATASETS[name], KNOWN[name][0]
    assert (len(data.train), len(data.validation), len(data.test)) == (
        facts.train - held_out,
        held_out,
        facts.test,
    )
    for part in (data.train, data.validation, data.test):
        assert tuple(part.images.shape) == (len(part), *facts.image_shape)
        assert (part.images.dtype, part.labels.dtype) == (torch.float32, torch.int64)
        assert part.labels.unique().tolist() == list(range(facts.classes))


def test_standard_normalisation_is_by_the_training_part(name, data):
    pixels = data.train.images.double()
    assert pixels.mean() == pytest.approx(0, abs=1e-4)
    assert pixels.std(correction=0) == pytest.approx(1, abs=1e-4)
    # the validation part is scaled by the same two numbers, not by its own
    assert data.validation.images.min() == data.train.images.min()


def test_mean_and_deviation_are_the_published_ones(name, data):
    _, mean, std = KNOWN[name]
    assert data.mean == pytest.approx((mean,), abs=0.001)
    assert data.std == pytest.approx((std,), abs=0.001)


def test_validation_has_every_classs_share(name, data):
    train, validation = (part.labels.bincount() for part in (data.train, data.validation))
    share = (train + validation) * len(data.validation) / (len(data.train) + len(data.validation))
    assert ((validation - share).abs() < 1).all()


def test_digits_have_the_sizes_of_the_built_in_card():
    data = load("digits", DATA_DIR, validation_size=200, generator=generator(0))
    assert (len(data.train), len(data.validation), len(data.test)) == (1200, 200, 397)


def test_unit_normalisation_lies_between_0_and_1():
    """The digits have 17 grey levels, so a division by 255 would show."""
    data = load("digits", DATA_DIR, validation_size=200, generator=generator(0), normalisation="unit")
    for part in (data.train, data.validation, data.test):
        assert (part.images.min(), part.images.max()) == (0, 1)
    assert data.mean == pytest.approx((data.train.images.double().mean().item(),))
    assert data.std == pytest.approx((data.train.images.double().std(correction=0).item(),), abs=1e-6)


def test_the_split_is_the_generators_and_the_test_part_is_fixed():
    first, again, other = (
        load("digits", DATA_DIR, validation_size=200, generator=generator(seed), normalisation="unit")
        for seed in (1, 1, 2)
    )
    assert torch.equal(first.validation.images, again.validation.images)
    assert not torch.equal(first.validation.images, other.validation.images)
    assert torch.equal(first.test.images, other.test.images)


def test_training_and_validation_share_the_training_images_and_nothing_else():
    """Each image goes to one of the two, with its label; a leak would make early stopping too hopeful."""
    raw, _ = catalog.read("digits", DATA_DIR)
    data = load("digits", DATA_DIR, validation_size=200, generator=generator(0), normalisation="unit")
    parts = (data.train, data.validation)
    found = torch.cat([torch.cat([part.images.flatten(1) * 16, part.labels[:, None]], 1) for part in parts])
    whole = torch.cat([raw.train_images.flatten(1), raw.train_labels[:, None]], 1)
    assert sorted(found.tolist()) == sorted(whole.double().tolist())


def test_content_is_checked_at_every_load(monkeypatch):
    right = DATASETS["digits"].digest
    monkeypatch.setitem(catalog.DATASETS, "digits", replace(DATASETS["digits"], digest="0" * 64))
    with pytest.raises(DataError) as caught:
        catalog.read("digits", DATA_DIR)
    assert right in str(caught.value) and "0" * 64 in str(caught.value)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_of_another_content_are_refused_with_both_digests(tmp_path, suffix):
    """Right names, right format, wrong bytes: nothing but the digest can tell."""
    write_mnist_like(tmp_path / "MNIST" / "raw", suffix)
    with pytest.raises(DataError) as caught:
        load("mnist", tmp_path, validation_size=5, generator=generator(0))
    message = str(caught.value)
    assert "MNIST" in message and str(tmp_path) in message
    assert DATASETS["mnist"].digest in message
    found = message.split("has the SHA-256 ")[1][:64]
    assert set(found) <= set("0123456789abcdef") and found != DATASETS["mnist"].digest


def test_a_missing_set_says_where_it_belongs_and_how_to_point_elsewhere(tmp_path):
    with pytest.raises(DataError) as caught:
        load("mnist", tmp_path, validation_size=5, generator=generator(0))
    message = str(caught.value)
    for part in (str(tmp_path / "MNIST" / "raw"), "LTH_DATA_DIR", FILES["train_images"][0]):
        assert part in message


def test_a_set_with_one_file_missing_is_missing(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    write_mnist_like(folder)
    (folder / FILES["test_labels"][0]).unlink()
    with pytest.raises(DataError, match="not on this machine"):
        load("mnist", tmp_path, validation_size=5, generator=generator(0))


def test_a_damaged_file_is_named(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    write_mnist_like(folder)
    damaged = folder / FILES["test_images"][0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte: announces 7,840 bytes and has 7,839"):
        load("mnist", tmp_path, validation_size=5, generator=generator(0))
