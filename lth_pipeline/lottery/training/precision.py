"""In how many bits a network computes: the schedule's `precision`, made true for all that runs inside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

PRECISIONS = ("float32", "tf32", "bfloat16")


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """Forward passes, backward passes and optimiser steps inside compute as `precision` says, and the same each time.

    "float32" is float32 throughout. torch lets cuDNN round the factors of a convolution to TF32's 10 bits of mantissa
    unless it is told not to; matrix products it leaves alone unless somebody has changed that. "tf32" allows it for
    both; a CPU has no TF32, there the two are one. "bfloat16" is `forward_context`'s work, and what that leaves in
    float32 is float32.

    cuDNN takes deterministic algorithms and does not choose them by a race. All settings are the process's, are
    restored on leaving, and touch nothing on a CPU but themselves.
    """
    _refuse_unknown(precision)
    # The names of torch 2.9 and later; the older allow_tf32 cannot be read while these two disagree.
    matmul, conv, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn
    before = matmul.fp32_precision, conv.fp32_precision, cudnn.deterministic, cudnn.benchmark
    multiplied = "tf32" if precision == "tf32" else "ieee"
    try:
        matmul.fp32_precision = conv.fp32_precision = multiplied
        cudnn.deterministic, cudnn.benchmark = True, False
        yield
    finally:
        matmul.fp32_precision, conv.fp32_precision, cudnn.deterministic, cudnn.benchmark = before


def forward_context(precision: str, device: torch.device) -> AbstractContextManager:
    """Around a forward pass, and no more than that: torch's autocast for "bfloat16", nothing for the others.

    Losses and gradients are taken outside it, from float32 logits (`logits.float()`). Weights are cast anew in each
    pass (cache_enabled=False): a cast that is kept would be of the weights before the step, and a CUDA graph would
    keep it for good.
    """
    _refuse_unknown(precision)
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
    return nullcontext()


def _refuse_unknown(precision: str) -> None:
    if precision not in PRECISIONS:
        raise ValueError(f"no precision {precision!r}; there are: {', '.join(PRECISIONS)}")
