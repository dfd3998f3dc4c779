"""Images asked one by one, where what comes out would depend on which others are asked with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: float32 (N, C, H, W), pixels from 0 to 1 -> float32 (N, classes)
Logits = Callable[[np.ndarray], np.ndarray]


def singly(logits: Logits) -> Logits:
    """The same of (N, C, H, W), N > 0, a call an image. Dynamic quantisation takes one scale over all the values that
    flow through a layer in a call, so that an image's logits change with its neighbours."""
    return lambda images: np.concatenate([logits(images[place : place + 1]) for place in range(len(images))])
