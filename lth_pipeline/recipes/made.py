"""What computing a step gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch


class Made(NamedTuple):
    """tensors: the artifact. facts: what tables show, derived from the tensors, or timings. route: how it was computed,
    where that is more than `route.route` says of itself. once_kept: to be called when all of it is in the store. note:
    what its record says besides, for a person."""

    tensors: dict[str, torch.Tensor]
    facts: dict[str, Any]
    route: dict[str, Any] = {}
    once_kept: Callable[[], None] = lambda: None
    note: str = ""
