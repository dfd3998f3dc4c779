"""Flips and padded crops: against images cut one by one, seeded, and of every kind as often as said."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.data.augmentation import Augmentation, augmented
from lth_pipeline.lottery.randomness import generator


def pixels(count: int = 6, dtype=torch.uint8) -> torch.Tensor:
    return torch.randint(1, 256, (count, 2, 5, 4), generator=generator(3)).to(dtype)


def variants(image: torch.Tensor, crop: int, flip: bool) -> list[torch.Tensor]:
    """All that may become of one image (C, H, W)."""
    channels, height, width = image.shape
    padded = torch.zeros(channels, height + 2 * crop, width + 2 * crop, dtype=image.dtype)
    padded[:, crop : crop + height, crop : crop + width] = image
    cut = [padded[:, y : y + height, x : x + width] for y in range(2 * crop + 1) for x in range(2 * crop + 1)]
    return cut + ([window.flip(2) for window in cut] if flip else [])


@given(st.integers(0, 3), st.booleans(), st.integers(0, 2**31), st.sampled_from([torch.uint8, torch.float32]))
def test_each_image_becomes_one_of_its_own_windows(crop, flip, seed, dtype):
    before = pixels(dtype=dtype)
    after = augmented(before, Augmentation(flip, crop or None), generator(seed))
    assert after.shape == before.shape and after.dtype == dtype
    for image, result in zip(before, after, strict=True):
        assert any(torch.equal(result, variant) for variant in variants(image, crop, flip))


def test_it_comes_from_its_generator_alone():
    how, before = Augmentation(True, 2), torch.get_rng_state()
    one, two, other = (augmented(pixels(50), how, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, two) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_given_images_are_left_as_they_are():
    images = pixels()
    augmented(images, Augmentation(True, 2), generator(0))
    assert torch.equal(images, pixels())


def test_every_window_and_both_sides_come_equally_often():
    image = torch.arange(1, 10, dtype=torch.uint8).view(1, 1, 3, 3).expand(18_000, 1, 3, 3)
    found = augmented(image, Augmentation(True, 1), generator(0)).flatten(1).unique(dim=0, return_counts=True)[1]
    assert len(found) == 18  # nine windows, mirrored or not
    assert found.min() > 850 and found.max() < 1150  # 1,000 each, deviation 31
