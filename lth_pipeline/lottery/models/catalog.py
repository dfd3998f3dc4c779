"""The networks by the names that cards use."""

from __future__ import annotations

from collections.abc import Callable

from lth_pipeline.lottery.models.mlp import mlp
from lth_pipeline.lottery.models.model import Model

#: name -> builder(image_shape, classes, **settings of the card's `model`)
MODELS: dict[str, Callable[..., Model]] = {"mlp": mlp}


def build(name: str, image_shape: tuple[int, ...], classes: int, **settings) -> Model:
    """The network `name` for images of `image_shape` (channels, height, width) and `classes` classes."""
    return MODELS[name](image_shape, classes, **settings)
