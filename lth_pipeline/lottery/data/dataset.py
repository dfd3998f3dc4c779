"""A data set: what is known before it is loaded, and what training reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Facts:
    """What a card can be checked against without loading anything.

    digest: what stands for the content in the identity of trainings, 64 hex digits. Of a set that is checked by
        content: the SHA-256 over `Raw.tensors()` (`lottery.digest`). Of one whose published files are checked by
        their own checksums before they are read: the SHA-256 over these.
    by_content: which of the two.
    test: images of the test part; 0 where there is none, and the card holds some out (own images).
    """

    title: str
    image_shape: tuple[int, int, int]  # channels, height, width
    classes: int
    train: int  # images before the validation split
    test: int
    digest: str
    licence: str
    by_content: bool = True


@dataclass(frozen=True)
class Raw:
    """A data set as published.

    images: uint8 (N, C, H, W) from 0 to full_scale, or float32 with full_scale 1; may be mapped from a file.
    labels: int64 (N,).
    sums, squares: int64 (N, C) over the pixels of each training image, where they are known beforehand.
    """

    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    full_scale: int = 255
    sums: torch.Tensor | None = None
    squares: torch.Tensor | None = None

    def tensors(self) -> dict[str, torch.Tensor]:
        return {
            "train_images": self.train_images,
            "train_labels": self.train_labels,
            "test_images": self.test_images,
            "test_labels": self.test_labels,
        }


@dataclass(frozen=True)
class Part:
    """The images of one part of a data set.

    images: float32 (N, C, H, W), ready for a network; or as in `Raw`, where `scaling` makes them ready.
    labels: int64 (N,), on the device that training uses.
    scaling: (full scale, mean, deviation), the last two float32 (C, 1, 1).
    rows: int64 (N,): which rows of `images` are this part's; None: all of them.
    streamed: the images stay where they are (a file mapped into memory), and batches are fetched ahead of their use.
    """

    images: torch.Tensor
    labels: torch.Tensor
    scaling: tuple[float, torch.Tensor, torch.Tensor] | None = None
    rows: torch.Tensor | None = None
    streamed: bool = False

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """Training, validation and test part, normalised by the training part's statistics."""

    train: Part
    validation: Part
    test: Part
    mean: tuple[float, ...]  # per channel, of pixels in [0, 1]
    std: tuple[float, ...]
    sha256: str = ""  # of the content
