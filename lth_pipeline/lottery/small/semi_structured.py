"""2:4: weights two of four of which are zero, in the form that newer GPUs multiply at twice the rate."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from lth_pipeline.lottery.small.network import Program


def two_four(weight: torch.Tensor) -> bool:
    """Whether at most two of every four neighbours along the inputs are not zero."""
    matrix = weight.flatten(1)
    return matrix.shape[1] % 4 == 0 and bool(((matrix != 0).unflatten(1, (-1, 4)).sum(2) <= 2).all())


def has_kernels(device: torch.device) -> bool:
    """Whether the device multiplies such weights: NVIDIA's from Ampere on."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def semi_structured(
    tensors: Mapping[str, torch.Tensor], program: Program
) -> tuple[dict[str, torch.Tensor], int] | None:
    """(the tensors in float16, fully connected layers that are `two_four` in the GPU's form; weights that this saves).

    tensors: on a device that `has_kernels`. None where no layer is such, or none of a shape that there is a kernel for.
    """
    from torch.sparse import to_sparse_semi_structured

    found = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    saved = 0
    for op in program.ops:
        name = op.tensors.get("weight", "")
        if op.kind != "linear" or not two_four(found[name]):
            continue
        size = found[name].numel()
        try:
            found[name] = to_sparse_semi_structured(found[name])
        except (RuntimeError, ValueError):
            continue  # 10 classes are too few rows, for one
        saved += size // 2
    return (found, saved) if saved else None
