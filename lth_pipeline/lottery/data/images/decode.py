"""From the bytes of an image file to uint8 pixels, one image and a chunk of them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lth_pipeline.lottery.data.images.layout import Row
from lth_pipeline.lottery.data.images.source import COLOURS, shown
from lth_pipeline.lottery.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

#: What is tried, whatever the suffix; Pillow's others (PostScript runs a program) are not.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "PPM", "TIFF")
MODES = {"rgb": "RGB", "grey": "L"}
#: pixels whose squares are summed at a time, as float64: 8 MB
PIECE = 2**20


@dataclass
class Chunk:
    """Images that were decoded together.

    rows: those that could be, all of one size. pixels: uint8 (n, C, H, W). sums, squares: int64 (n, C).
    broken: (name, what is wrong) of the others. sizes: (height, width) -> the first name of that size.
    """

    rows: list[Row] = field(default_factory=list)
    pixels: np.ndarray | None = None
    sums: np.ndarray | None = None
    squares: np.ndarray | None = None
    broken: list[tuple[str, str]] = field(default_factory=list)
    sizes: dict[tuple[int, int], str] = field(default_factory=dict)


def prepare() -> None:
    """Load Pillow and its formats, before threads do it at once."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(f"images are read by Pillow, which is not installed ({error}): pip install pillow") from error
    Image.init()


def decode_chunk(chunk: list[tuple[Row, Path | bytes]], image_size: int | None, colour: str) -> Chunk:
    """Every image of `chunk`: a row and where its bytes are. Where sizes differ, only `sizes` and `broken` count."""
    done, images = Chunk(), []
    for row, content in chunk:
        try:
            image = decode(content if isinstance(content, bytes) else _bytes(content), image_size, colour)
        except DataError:
            raise
        except Exception as error:  # damaged bytes make Pillow raise what its parsers happen to stumble on
            done.broken.append((row.name, reason(error)))
            continue
        done.sizes.setdefault(image.shape[1:], row.name)
        done.rows.append(row)
        images.append(image)
    if len(done.sizes) == 1:
        done.pixels = np.empty((len(images), *images[0].shape), np.uint8)  # stack would keep channels last
        np.stack(images, out=done.pixels)
        done.sums, done.squares = sums_and_squares(done.pixels)
    return done


def decode(content: bytes, image_size: int | None, colour: str) -> np.ndarray:
    """uint8 (C, H, W), turned upright as EXIF says, cropped and scaled. What Pillow raises goes through.

    Of an animation the first frame. Transparency is dropped. 16 bits of grey become their upper 8.
    """
    from PIL import Image, ImageOps

    if _webp_pixels(content) > (Image.MAX_IMAGE_PIXELS or np.inf):  # Pillow takes memory for them at opening
        raise Image.DecompressionBombError
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.width * image.height > (Image.MAX_IMAGE_PIXELS or np.inf):
            raise Image.DecompressionBombError
        ImageOps.exif_transpose(image, in_place=True)
        pixels = plain(image, colour)
        if image_size is not None and pixels.size != (image_size, image_size):
            pixels = fitted(pixels, image_size, image_size)
        array = np.asarray(pixels)
    return array.reshape(*array.shape[:2], COLOURS[colour]).transpose(2, 0, 1)


def plain(image: Image.Image, colour: str) -> Image.Image:
    """`image` with 8 bits a channel, "rgb" or "grey"."""
    pixels = _eight_bits(image)
    return pixels if pixels.mode == MODES[colour] else pixels.convert(MODES[colour])


def _webp_pixels(content: bytes) -> int:
    """Pixels that the header of a WebP announces; 0 of anything else."""
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        return 0
    number = int.from_bytes
    match content[12:16]:
        case b"VP8X":
            return (number(content[24:27], "little") + 1) * (number(content[27:30], "little") + 1)
        case b"VP8L":
            sides = number(content[21:25], "little")
            return ((sides & 0x3FFF) + 1) * ((sides >> 14 & 0x3FFF) + 1)
        case b"VP8 ":
            return (number(content[26:28], "little") & 0x3FFF) * (number(content[28:30], "little") & 0x3FFF)
    return 0


def sums_and_squares(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 (n, C) each: over the pixels of each channel, their sum and the sum of their squares.

    float64 is exact here: the squares of 89 million pixels sum to 5.8e12, and it counts to 9e15.
    """
    flat = pixels.reshape(pixels.shape[0] * pixels.shape[1], -1)
    sums, squares = np.zeros(len(flat)), np.zeros(len(flat))
    step = max(1, PIECE // len(flat))
    for start in range(0, flat.shape[1], step):
        piece = flat[:, start : start + step].astype(np.float64)
        sums += piece.sum(1)
        squares += np.einsum("ij,ij->i", piece, piece)
    return tuple(values.astype(np.int64).reshape(pixels.shape[:2]) for values in (sums, squares))


def _eight_bits(image: Image.Image) -> Image.Image:
    """`image`, one of more than 8 bits of grey scaled to them: Pillow's convert would make all above 255 white."""
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PPM", "PNG")):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError("32 bits a pixel, of unknown range; save it with 8 or 16")
    return image


def fitted(image: Image.Image, width: int, height: int) -> Image.Image:
    """The centre of `image` with these proportions, scaled to this size, in one step: a very long image never gets
    large.

    The same as to scale first and to crop then, but for a last bit where Pillow takes rows before columns.
    """
    from PIL import Image

    across, down = min(image.width, image.height * width / height), min(image.height, image.width * height / width)
    left, top = (image.width - across) / 2, (image.height - down) / 2
    return image.resize((width, height), Image.Resampling.BICUBIC, box=(left, top, left + across, top + down))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{shown(path)}: cannot be read: {error.strerror}; change its permissions, or remove it"
        ) from error


def reason(error: Exception) -> str:
    """What Pillow, or its parsers, found wrong, in a few words."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "not an image of a known format"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"more than {Image.MAX_IMAGE_PIXELS:,} pixels"
    return shown(error) if str(error) else type(error).__name__
