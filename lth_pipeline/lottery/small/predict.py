"""Ask an exported network what it takes an image for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lth_pipeline.lottery.data.images.source import shown
from lth_pipeline.lottery.errors import ImageError
from lth_pipeline.lottery.small.reading import Opened, open_model

if TYPE_CHECKING:
    from PIL.Image import Image

TOP = 3
BATCH = 64  # images that go through the network at once
MOST_BYTES = 2**30  # of an image file: it is read whole


@dataclass(frozen=True)
class Prediction:
    """name: of the likeliest class. probability: the network's own, from 0 to 1: not calibrated, so not how often it
    is right. top: (name, probability) of the likeliest classes, that one first."""

    name: str
    probability: float
    top: tuple[tuple[str, float], ...]

    def __str__(self) -> str:
        return f"{shown(self.name)} ({self.probability:.1%})"


class Predictor:
    """A network that can be asked. about: what its file says of it (docs/export.md)."""

    def __init__(self, opened: Opened):
        self.about = opened.about
        self._logits = opened.logits

    @property
    def classes(self) -> list[str]:
        return self.about["classes"]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return tuple(self.about["image_shape"])

    @property
    def of_signals(self) -> bool:
        """Whether it takes signals, images of a single row or column: as their data set has them, of any values."""
        return 1 in self.image_shape[1:]

    def predict(self, images: Any, top: int = TOP, resize: bool = False) -> list[Prediction]:
        """A prediction for each image.

        images: one, a list of them, or an array (N, channels, height, width). An image is the path of a file, a Pillow
            image, or an array (channels, height, width), (height, width, channels) or (height, width): uint8 from 0 to
            255, or floats from 0 to 1. A signal is an array of floats.
        top: how many classes each prediction names.
        resize: crop the centre and scale it where the size is another; else that is an error.

        Raises ImageError, which names the image; ModelFileError where the network fails.
        """
        if top < 1:
            raise ValueError(f"top={top}: name 1 class or more")
        listed = _listed(images)
        called = [f"image {number} (from 0)" if len(listed) > 1 else "" for number in range(len(listed))]
        prepared = (self.prepared(image, resize, name) for image, name in zip(listed, called, strict=True))
        return list(self.predictions(prepared, top))

    def prepared(self, image: Any, resize: bool = False, name: str = "") -> np.ndarray:
        """float32 (channels, height, width), 0 to 1, as the network wants it. name: what errors call it, if it is no
        file. Raises ImageError."""
        from PIL.Image import Image

        try:
            if isinstance(image, (str, Path)):
                pixels = self._of_file(Path(image))
            elif isinstance(image, Image):
                pixels = self._of_pillow(image)
            else:
                pixels = self._of_array(image)
            return self._sized(pixels, resize)
        except ImageError as error:
            called = shown(image) if isinstance(image, (str, Path)) else name or "the image"
            raise ImageError(f"{called}: {error}") from error

    def predictions(self, prepared: Iterable[np.ndarray], top: int = TOP) -> Iterator[Prediction]:
        """Of images that `prepared` gave; as they come, some at a time."""
        batch: list[np.ndarray] = []
        for image in prepared:
            batch.append(image)
            if len(batch) == BATCH:
                yield from self._told(batch, top)
                batch = []
        if batch:
            yield from self._told(batch, top)

    def _told(self, batch: list[np.ndarray], top: int) -> list[Prediction]:
        logits = self._logits(np.stack(batch)).astype(np.float64)
        powers = np.exp(logits - logits.max(1, keepdims=True))
        found = []
        for row in powers / powers.sum(1, keepdims=True):
            likeliest = np.argsort(-row, kind="stable")[:top]
            named = tuple((self.classes[place], float(row[place])) for place in likeliest)
            found.append(Prediction(*named[0], named))
        return found

    def _colour(self) -> str:
        if self.of_signals:
            raise ImageError(
                f"the network takes signals, which no image file holds; give it an array of floats of shape "
                f"{self.image_shape}, its values as in the data set"
            )
        if self.about["colour"] is None:
            raise ImageError(
                f"the network takes {self.image_shape[0]} channels, which no image file has; give it an array of shape "
                f"{self.image_shape}"
            )
        return self.about["colour"]

    def _of_file(self, path: Path) -> np.ndarray:
        from lth_pipeline.lottery.data.images.decode import decode, reason

        colour = self._colour()
        content = _content(path)
        try:
            return decode(content, None, colour)
        except Exception as error:  # damaged bytes make Pillow raise what its parsers happen to stumble on
            raise ImageError(reason(error)) from error

    def _of_pillow(self, image: Image) -> np.ndarray:
        from PIL import ImageOps

        from lth_pipeline.lottery.data.images.decode import plain, reason

        colour = self._colour()
        try:
            copied = image.copy()
            copied.format = image.format  # which says what its numbers mean, and a copy forgets
            ImageOps.exif_transpose(copied, in_place=True)
            pixels = np.asarray(plain(copied, colour))
        except Exception as error:  # files are read no sooner than this
            raise ImageError(reason(error)) from error
        return pixels.reshape(*pixels.shape[:2], -1).transpose(2, 0, 1)

    def _of_array(self, image: Any) -> np.ndarray:
        if not hasattr(image, "__array__"):
            raise ImageError(f"{type(image).__name__}: give the path of a file, a Pillow image or an array")
        try:
            array = np.asarray(image)
        except Exception as error:  # such as of a tensor on a GPU
            raise ImageError(f"{type(image).__name__}: cannot be taken as an array: {error}") from error
        channels = self.image_shape[0]
        if array.ndim == 2 and channels == 1:
            array = array[None]
        elif array.ndim == 3 and array.shape[0] != channels and array.shape[2] == channels:
            array = array.transpose(2, 0, 1)
        if array.ndim != 3 or array.shape[0] != channels or not array.size:
            raise ImageError(
                f"an array of shape {np.shape(image)}; the network takes {self.image_shape}: channels, height, width"
            )
        if array.dtype == np.uint8 and not self.of_signals:
            return array
        if not np.issubdtype(array.dtype, np.floating):
            right = "floats as in the data set" if self.of_signals else "uint8 from 0 to 255, or floats from 0 to 1"
            raise ImageError(f"an array of {array.dtype}; give {right}")
        with np.errstate(over="ignore"):
            values = array.astype(np.float32)
        least, most = values.min(), values.max()
        if self.of_signals:
            if not (np.isfinite(least) and np.isfinite(most)):
                raise ImageError(f"floats from {least:g} to {most:g}; a signal's values are finite")
        elif not (least >= 0 and most <= 1):  # so written that what is no number is refused
            raise ImageError(f"floats from {least:g} to {most:g}; pixels go from 0 to 1 (from 0 to 255 in uint8)")
        return values

    def _sized(self, pixels: np.ndarray, resize: bool) -> np.ndarray:
        """pixels: uint8 or float32 (channels, height, width)."""
        _, height, width = self.image_shape
        if pixels.shape[1:] != (height, width):
            if self.of_signals:
                raise ImageError(f"an array of shape {pixels.shape}; the network takes signals of {self.image_shape}")
            if not resize:
                raise ImageError(
                    f"{pixels.shape[2]} × {pixels.shape[1]} pixels (width × height), and the network takes {width} × "
                    f"{height}; resize=True (lth predict --resize) crops the centre and scales it"
                )
            pixels = _fitted(pixels, width, height)
        if pixels.dtype == np.uint8:
            return pixels.astype(np.float32) / np.float32(255)
        return pixels


def load(path: str | Path) -> Predictor:
    """The network in a .onnx, .pt2 or .safetensors file. Raises ModelFileError."""
    return Predictor(open_model(path))


def _listed(images: Any) -> list[Any]:
    if isinstance(images, (list, tuple)):
        return list(images)
    if getattr(images, "ndim", 0) == 4:
        return list(images)
    return [images]


def _content(path: Path) -> bytes:
    """Of an image file. Raises ImageError, which leaves the name out."""
    try:
        if path.is_dir():
            raise ImageError("a folder; give the files in it")
        if not path.exists():
            raise ImageError("no such file")
        if not path.is_file():
            raise ImageError("not a file")  # a device might never end
        if path.stat().st_size > MOST_BYTES:
            raise ImageError(f"more than {MOST_BYTES:,} bytes: no image")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise ImageError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _fitted(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """The centre of (channels, height, width) with the proportions wanted, scaled, as own images are."""
    from PIL import Image

    from lth_pipeline.lottery.data.images.decode import fitted

    scaled = np.stack([np.asarray(fitted(Image.fromarray(channel), width, height)) for channel in pixels])
    return scaled if scaled.dtype == np.uint8 else scaled.clip(0, 1)  # bicubic overshoots; 8 bits are clipped already
