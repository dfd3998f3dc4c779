"""Batch normalisation taken into the convolution before it, that of the images into the layer after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import torch

from lth_pipeline.lottery.errors import ModelError
from lth_pipeline.lottery.models.pieces import EPS
from lth_pipeline.lottery.small.network import Op, Program

Tensors = dict[str, torch.Tensor]


def folded(program: Program, tensors: Mapping[str, torch.Tensor]) -> tuple[Program, Tensors]:
    """(program without "norm", its tensors in float64). A norm's running statistics are constants once training is
    over, so that it and the convolution before it are one convolution with a bias.

    Raises ModelError where a norm does not follow a convolution whose result it alone reads.
    """
    found = {name: tensor.double() for name, tensor in tensors.items()}
    made_by = {op.gives: op for op in program.ops}
    readers: dict[str, int] = {}
    for op in program.ops:
        for name in op.reads:
            readers[name] = readers.get(name, 0) + 1
    ops: dict[str, Op] = {}
    for op in program.ops:
        if op.kind != "norm":
            ops[op.gives] = op
            continue
        before = made_by.get(op.reads[0])
        if before is None or before.kind != "conv" or readers[before.gives] > 1:
            raise ModelError(f"the batch norm {op.tensors['weight']} does not follow a convolution of its own")
        weight, bias, mean, variance = (found[op.tensors[role]] for role in ("weight", "bias", "mean", "variance"))
        scale = weight / (variance + EPS).sqrt()
        kernel, own = before.tensors["weight"], before.tensors.get("bias")
        named = own or f"{kernel.removesuffix('.weight')}.bias"
        found[named] = bias + scale * ((found[own] if own else 0) - mean)
        found[kernel] = found[kernel] * scale.view(-1, 1, 1, 1)
        del ops[before.gives]
        ops[op.gives] = replace(before, gives=op.gives, tensors={"weight": kernel, "bias": named})
    return Program(program.image_shape, tuple(ops.values())), found


def unscaled(
    program: Program, tensors: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Program, Tensors]:
    """(program without "normalise", tensors), where fully connected layers alone read the flattened images; else as
    given. A padded convolution cannot take it over: around the image there is nothing to subtract the mean from.

    shapes: of `trace`.
    """
    found = dict(tensors)
    first, *others = program.ops
    flat = [op for op in others if first.gives in op.reads]
    if first.kind != "normalise" or [op.kind for op in flat] != ["flatten"]:
        return program, found
    layers = [op for op in others if flat[0].gives in op.reads]
    if any(op.kind != "linear" for op in layers):
        return program, found
    places = prod(shapes[first.gives][1:])
    mean, std = (found[first.tensors[role]].repeat_interleave(places) for role in ("mean", "std"))
    for op in layers:
        weight, bias = op.tensors["weight"], op.tensors["bias"]
        found[weight] = found[weight] / std
        found[bias] = found[bias] - found[weight] @ mean
    ops = [replace(op, reads=first.reads) if op is flat[0] else op for op in others]
    return Program(program.image_shape, tuple(ops)), found
