"""What makes two artifacts the same: one SHA-256 over their tensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """64 hex digits over names, dtypes, shapes and values, in the order of the names.

    Values are hashed as bytes, so -0.0 and 0.0 differ and one changed bit changes the digest.
    """
    sha = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        head = [name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape)]
        sha.update(json.dumps(head).encode() + b"\n")
        sha.update(tensor.numpy())
    return sha.hexdigest()
