"""The 15 common corruptions of Hendrycks & Dietterich 2019, by the package imagecorruptions, for small and grey images.

The package's strengths are made for photographs of 224 pixels. What changes every pixel by itself is done at the
image's own size, so that noise is as strong as the paper has it; what reaches over pixels is done on an enlarged image
(each pixel a block), which is brought back by the mean of each block: there a blur of 10 pixels covers 2 or 3 of a
digit's 28, and the digit can still be read. Without a corruption between, the way there and back changes nothing.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch

INSTALL = (
    "pip install --editable '.[robustness]', and where libGL.so.1 is missing (a Debian machine without a screen) "
    "apt-get install libgl1 libglib2.0-0"
)


class CorruptionsError(Exception):
    """Images cannot be corrupted on this machine; the message says what to install."""


class Room(NamedTuple):
    """How far an image is enlarged: by the least whole factor at which its shorter side has `side` pixels, at most by
    `most`. Such images have three channels; at its own size a grey image has one."""

    side: int
    most: int


OWN_SIZE, WIDE = Room(1, 1), Room(96, 8)
#: in the order of the paper: noise, blur, weather, digital
FAMILIES = {
    "gaussian_noise": OWN_SIZE,
    "shot_noise": OWN_SIZE,
    "impulse_noise": OWN_SIZE,
    "defocus_blur": WIDE,
    "glass_blur": WIDE,
    "motion_blur": WIDE,
    "zoom_blur": Room(32, 8),  # a share of the side: the same at every size, and slow on large ones
    "snow": WIDE,
    "frost": WIDE,
    "fog": WIDE,
    "brightness": OWN_SIZE,
    "contrast": OWN_SIZE,
    "elastic_transform": WIDE,
    "pixelate": Room(64, 2),  # leaves a quarter to six tenths of the side: nothing to be seen if enlarged fourfold
    "jpeg_compression": OWN_SIZE,
}
SEEDED = ("impulse_noise", "glass_blur")  # draw from generators of their own, by a seed they are given
LEAST_SIDE = 8  # pixels: what is smaller is no picture


def possible() -> bool:
    """Whether images can be corrupted on this machine. Found out without the package, which takes a second to load:
    that it is there, and that OpenCV loads, which asks for libraries that pip does not install."""
    if find_spec("imagecorruptions") is None:
        return False
    try:
        import_module("cv2")
    except ImportError:
        return False
    return True


def corrupted(images: torch.Tensor, family: str, severity: int, seed: int) -> torch.Tensor:
    """Every image of uint8 (N, C, H, W), C 1 or 3, corrupted by itself: uint8 of the same shape, on the CPU.

    family: a key of FAMILIES. severity: 1 to 5. seed: of all that is drawn; same seed, same images. Raises
    CorruptionsError without the package imagecorruptions.
    """
    import torch

    corrupt = getattr(_library(), family)
    found = torch.empty_like(images)
    with numpy_drawing(seed), contextlib.redirect_stdout(io.StringIO()):  # it prints what it has caught
        for image, into in zip(images, found, strict=True):
            into.copy_(torch.from_numpy(_one(corrupt, family, severity, image.permute(1, 2, 0).numpy())))
    return found


@contextlib.contextmanager
def numpy_drawing(seed: int) -> Iterator[None]:
    """numpy's global generator, which the package draws from, begins at `seed` inside; after it, it is as before."""
    before = np.random.get_state()
    np.random.seed([seed >> 32, seed & 0xFFFFFFFF])
    try:
        yield
    finally:
        np.random.set_state(before)


def _one(corrupt, family: str, severity: int, image: np.ndarray) -> np.ndarray:
    """uint8 (H, W, C) -> uint8 (C, H, W)."""
    from PIL import Image

    room = FAMILIES[family]
    grey = image.shape[2] == 1
    factor = max(1, min(room.most, -(-room.side // min(image.shape[:2]))))
    large = image.repeat(factor, axis=0).repeat(factor, axis=1)
    if grey:
        large = large[:, :, 0] if room == OWN_SIZE else large.repeat(3, axis=2)
    options = {"seed": int(np.random.randint(2**31))} if family in SEEDED else {}
    made = np.asarray(corrupt(Image.fromarray(large), severity, **options), dtype=np.float64)
    height, width, channels = image.shape
    blocks = np.clip(made, 0, 255).reshape(height, factor, width, factor, -1)
    back = blocks.mean(axis=(1, 3))
    if back.shape[2] != channels:
        back = back.mean(axis=2, keepdims=True)
    return np.rint(back).astype(np.uint8).transpose(2, 0, 1)


def _library() -> ModuleType:
    try:
        return import_module("imagecorruptions.corruptions")
    except ImportError as error:
        raise CorruptionsError(f"corrupted images need the package imagecorruptions: {INSTALL} ({error})") from error
