"""From a set as published to the parts that training reads: however they are kept, the same images to the bit."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.data.batches import chunks, fetched, ready
from lth_pipeline.lottery.data.dataset import Raw
from lth_pipeline.lottery.data.parts import parts
from lth_pipeline.lottery.data.statistics import mean_and_deviation
from lth_pipeline.lottery.errors import DataError
from lth_pipeline.lottery.randomness import generator


def images(count: int, seed: int) -> torch.Tensor:
    return torch.randint(256, (count, 3, 5, 4), generator=generator(seed), dtype=torch.uint8)


def raw(train: int = 90, test: int = 30) -> Raw:
    return Raw(images(train, 1), torch.arange(train) % 3, images(test, 2), torch.arange(test) % 3)


def mapped(folder, source: Raw) -> Raw:
    """The same, its images in files that are mapped into memory, its sums known."""
    tensors = {}
    for name in ("train_images", "test_images"):
        np.save(folder / f"{name}.npy", getattr(source, name).numpy())
        tensors[name] = torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c"))
    pixels = source.train_images.long()
    return Raw(
        **tensors,
        train_labels=source.train_labels,
        test_labels=source.test_labels,
        sums=pixels.sum((2, 3)),
        squares=(pixels * pixels).sum((2, 3)),
    )


def made(source: Raw, **options):
    return parts(source, "a set", **{"validation_size": 30, "generator": generator(0), **options})


def all_of(part) -> torch.Tensor:
    return torch.cat([batch for batch, _ in chunks(part, 7)])


@pytest.mark.parametrize("normalisation", ["standard", "unit"])
@pytest.mark.parametrize("sizes", [{}, {"train_size": 12, "test_size": 9}])
def test_bytes_and_streams_give_the_same_images_as_memory(tmp_path, normalisation, sizes):
    common = {"normalisation": normalisation, **sizes}
    source = raw()
    whole = made(source, **common)
    as_bytes = made(source, as_bytes=True, **common)
    streamed = made(mapped(tmp_path, source), streamed=True, **common)
    assert whole.train.images.dtype == torch.float32 and as_bytes.train.images.dtype == torch.uint8
    assert streamed.train.streamed and streamed.train.images.dtype == torch.uint8
    assert (whole.mean, whole.std) == (as_bytes.mean, as_bytes.std) == (streamed.mean, streamed.std)
    order = [torch.tensor([3, 1, 11]), torch.tensor([0]), torch.arange(12)] * 4
    for other in (as_bytes, streamed):
        for name in ("train", "validation", "test"):
            one, two = getattr(whole, name), getattr(other, name)
            assert torch.equal(one.labels, two.labels)
            assert torch.equal(all_of(one), all_of(two))
        taken = [(ready(other.train, pixels), labels) for pixels, labels in fetched(other.train, order)]
        for index, (pixels, labels) in zip(order, taken, strict=True):
            assert torch.equal(pixels, whole.train.images[index])
            assert torch.equal(labels, whole.train.labels[index])


def test_a_stream_that_is_left_early_stops_its_loaders(tmp_path):
    import threading

    part = made(mapped(tmp_path, raw()), streamed=True).train
    stream = fetched(part, torch.arange(60).split(1))
    next(stream)
    assert any(thread.name.startswith("loader") for thread in threading.enumerate())
    stream.close()
    assert not any(thread.name.startswith("loader") for thread in threading.enumerate())


def test_a_part_of_the_images_is_stratified_and_inside_the_whole():
    source = raw()
    whole, some = made(source), made(source, train_size=12, test_size=9)
    assert [len(part) for part in (some.train, some.validation, some.test)] == [12, 30, 9]
    assert torch.bincount(some.train.labels).tolist() == [4, 4, 4]
    assert torch.bincount(some.test.labels).tolist() == [3, 3, 3]
    unit = {"normalisation": "unit"}
    everything = {tuple(image.flatten().tolist()) for image in made(source, **unit).train.images}
    assert {tuple(image.flatten().tolist()) for image in made(source, train_size=12, **unit).train.images} <= everything
    assert torch.equal(whole.validation.labels, some.validation.labels)


def test_every_seed_is_tested_on_the_same_images_and_validated_on_others():
    source = raw()
    unit = {"normalisation": "unit", "test_size": 9}
    one, two = (made(source, generator=generator(seed), **unit) for seed in (1, 2))
    assert torch.equal(one.test.images, two.test.images)
    assert not torch.equal(one.validation.images, two.validation.images)


def test_a_set_without_a_test_part_holds_some_out():
    source = raw(test=0)
    made_of_it = made(source, test_size=15, normalisation="unit")
    assert [len(part) for part in (made_of_it.train, made_of_it.validation, made_of_it.test)] == [45, 30, 15]
    found = torch.cat([made_of_it.train.images, made_of_it.validation.images, made_of_it.test.images])
    assert len({tuple(image.flatten().tolist()) for image in found}) == 90
    with pytest.raises(DataError, match=r"no test part; give data\.test_size"):
        made(source)


@given(st.integers(1, 9), st.integers(0, 2**31))
def test_mean_and_deviation_are_exact_in_any_order(count, seed):
    source = raw(train=9)
    rows = torch.randperm(9, generator=generator(seed))[:count]
    mean, deviation = mean_and_deviation(source, rows)
    pixels = source.train_images[rows].double() / 255
    assert mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), rel=1e-12)
    assert deviation == pytest.approx(pixels.std((0, 2, 3), correction=0).tolist(), rel=1e-9)
    assert (mean, deviation) == mean_and_deviation(source, rows.flip(0))


def test_a_channel_of_one_value_is_not_divided_by_zero():
    flat = raw()
    flat.train_images[:, 1] = 7
    data = made(flat)
    assert data.std[1] == 1.0 and math.isclose(data.mean[1], 7 / 255)
    assert bool(data.train.images.isfinite().all()) and not bool(data.train.images[:, 1].any())
