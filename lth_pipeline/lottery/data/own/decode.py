"""From the bytes of an image file to pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from lth_pipeline.lottery.data.own.source import Source

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 2**26  # of one image: what announces more is not unpacked


def decode(content: bytes, source: Source) -> np.ndarray:
    """uint8 (C, H, W), turned as its EXIF says, the first frame of a moving one. Raises ValueError, in words.

    Pillow works without holding Python's lock, so threads decode side by side.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"announces {image.width} × {image.height} pixels")
            upright = ImageOps.exif_transpose(image)
            coloured = _eight_bits(upright).convert("RGB" if source.colour == "rgb" else "L")
            if source.image_size is not None:
                coloured = _square(coloured, source.image_size)
            pixels = np.asarray(coloured, dtype=np.uint8)
    except MemoryError as error:
        raise ValueError("takes more memory than there is") from error
    except Exception as error:  # Pillow's readers raise what they meet, SyntaxError and struct.error among it
        raise ValueError(str(error) or type(error).__name__) from error
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _eight_bits(image: Image) -> Image:
    """16-bit grey to 8 bits: Pillow would cut what is above 255 instead of scaling it."""
    if image.mode.startswith("I;16") or image.mode == "I":
        values = np.asarray(image).astype(np.int64)
        from PIL import Image

        return Image.fromarray((values >> 8).clip(0, 255).astype(np.uint8))
    return image


def _square(image: Image, size: int) -> Image:
    from PIL.Image import Resampling

    scale = size / min(image.size)
    wide, high = (max(size, round(side * scale)) for side in image.size)
    if (wide, high) != image.size:
        image = image.resize((wide, high), Resampling.BICUBIC)
    left, top = (wide - size) // 2, (high - size) // 2
    return image.crop((left, top, left + size, top + size))
