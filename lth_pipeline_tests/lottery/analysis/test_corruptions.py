"""Images are corrupted as the package does it, at sizes it was not made for, and the same each time."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from lth_pipeline.lottery.analysis import corruptions
from lth_pipeline.lottery.analysis.corruptions import FAMILIES, CorruptionsError, corrupted, possible
from lth_pipeline.lottery.digest import digest
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.places import PROJECT

pytest.importorskip("cv2", reason="OpenCV does not load here", exc_type=ImportError)
#: numba takes seconds to compile glass_blur: it has a test of its own
QUICK = [family for family in FAMILIES if family != "glass_blur"]
DRAWN = ["gaussian_noise", "shot_noise", "impulse_noise", "motion_blur", "snow", "frost", "fog", "elastic_transform"]


def images(channels: int, height: int, width: int, count: int = 2) -> torch.Tensor:
    """A bright bar on a dark ground, with some noise."""
    made = torch.randint(0, 40, (count, channels, height, width), generator=generator(0), dtype=torch.uint8)
    made[:, :, height // 4 : -height // 4, width // 3 : width // 2] += 180
    return made


def test_the_families_are_the_papers():
    from imagecorruptions import get_corruption_names

    assert list(FAMILIES) == get_corruption_names("common")


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 33, 40), (1, 120, 100)])
def test_the_way_there_and_back_changes_nothing(shape, monkeypatch):
    class Nothing:
        def __getattr__(self, family):
            return lambda image, severity, **seed: np.array(image) / 255.0 * 255

    monkeypatch.setattr(corruptions, "_library", Nothing)
    before = images(*shape)
    for family in FAMILIES:
        assert torch.equal(corrupted(before, family, 3, seed=1), before), family


@pytest.mark.parametrize("family", QUICK)
def test_every_family_changes_images_the_more_the_severer_and_the_same_each_time(family):
    before, state = images(1, 28, 28), np.random.get_state()[1].copy()
    mild, severe = (corrupted(before, family, severity, seed=2**60 + 5) for severity in (1, 5))
    assert mild.shape == severe.shape == before.shape and mild.dtype == torch.uint8
    by = [float((after.float() - before.float()).abs().mean()) for after in (mild, severe)]
    assert by[1] > by[0] > 0.2
    assert torch.equal(corrupted(before, family, 5, seed=2**60 + 5), severe)
    assert torch.equal(corrupted(before, family, 5, seed=5), severe) == (family not in DRAWN)
    assert (np.random.get_state()[1] == state).all()  # numpy's own generator is where it was


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (3, 40, 33)])
def test_other_sizes_and_colours_can_be_corrupted(shape):
    before = images(*shape, count=1)
    for family in QUICK:
        after = corrupted(before, family, 3, seed=0)
        assert after.shape == before.shape and not torch.equal(after, before), family


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)])
def test_noise_has_the_papers_strength_at_every_size(shape):
    grey = torch.full((200, *shape), 128, dtype=torch.uint8)
    after = corrupted(grey, "gaussian_noise", 1, seed=0).float() / 255
    assert float(after.std()) == pytest.approx(0.08, rel=0.03)  # Hendrycks & Dietterich's own code: 0.08


def test_each_image_is_corrupted_by_itself():
    twice = images(1, 28, 28, count=1).expand(2, 1, 28, 28)
    after = corrupted(twice, "impulse_noise", 3, seed=0)
    assert not torch.equal(after[0], after[1])


@pytest.mark.parametrize("missing", ["imagecorruptions", "cv2"])
def test_without_the_package_the_error_says_what_to_install(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)  # cannot be imported
    assert not possible()
    monkeypatch.setitem(sys.modules, "imagecorruptions.corruptions", None)
    with pytest.raises(CorruptionsError, match=r"pip install --editable '\.\[robustness\]'.* libgl1"):
        corrupted(images(1, 8, 8), "snow", 1, seed=0)


@pytest.mark.servers
def test_two_processes_make_the_same_images_of_every_family():
    program = """
from lth_pipeline_tests.lottery.analysis.test_corruptions import all_digests
print(all_digests())
"""
    done = [
        subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert done[0] == done[1] and done[0].count("'") == 2 * 2 * len(FAMILIES)


def all_digests() -> dict[str, str]:
    return {family: digest({"": corrupted(images(1, 28, 28), family, 3, seed=7)}) for family in FAMILIES}
