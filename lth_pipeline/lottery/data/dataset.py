"""A data set: what is known before it is loaded, and what training reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Facts:
    """What a card can be checked against without loading anything.

    digest: SHA-256 of the content (`lottery.digest` over `Raw.tensors()`). Checked at every load.
    """

    title: str
    image_shape: tuple[int, int, int]  # channels, height, width
    classes: int
    train: int  # images before the validation split
    test: int
    digest: str
    licence: str


@dataclass(frozen=True)
class Raw:
    """A data set as published: images uint8 (N, C, H, W) from 0 to full_scale, labels int64 (N,)."""

    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor
    full_scale: int = 255

    def tensors(self) -> dict[str, torch.Tensor]:
        return {
            "train_images": self.train_images,
            "train_labels": self.train_labels,
            "test_images": self.test_images,
            "test_labels": self.test_labels,
        }


@dataclass(frozen=True)
class Part:
    """images float32 (N, C, H, W), labels int64 (N,), on one device."""

    images: torch.Tensor
    labels: torch.Tensor

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
