"""A network of the catalog as a program: found by following one image through it, so it is true of every network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from lth_pipeline.lottery.errors import ModelError
from lth_pipeline.lottery.models import Model
from lth_pipeline.lottery.models.pieces import EPS
from lth_pipeline.lottery.small.network import Op, Program

IMAGE = "image"
#: operations of torch, by name -> kinds of `Op`; in place or not, the value is a new one
KINDS = {
    "conv2d": "conv",
    "linear": "linear",
    "batch_norm": "norm",
    "relu": "relu",
    "relu_": "relu",
    "max_pool2d": "pool",
    "mean": "mean",
    "flatten": "flatten",
    "add": "add",
    "add_": "add",
}


#: names of their arguments, as they are given by place
ARGUMENTS = {
    "conv": ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    "linear": ("input", "weight", "bias"),
    "norm": ("input", "mean", "variance", "weight", "bias", "training", "momentum", "eps"),
    "relu": ("input",),
    "pool": ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"),
    "mean": ("input", "dim", "keepdim"),
    "flatten": ("input", "start_dim", "end_dim"),
    "add": ("input", "other", "alpha"),
}
#: arguments that have to be so
ONLY: dict[str, dict[str, Any]] = {
    "conv": {"dilation": 1, "groups": 1},
    "norm": {"training": False, "eps": EPS},
    "pool": {"dilation": 1, "ceil_mode": False, "return_indices": False},
    "mean": {"dim": (2, 3), "keepdim": False},
    "flatten": {"start_dim": 1, "end_dim": -1},
    "add": {"alpha": 1},
}
#: tensors of an Op -> arguments
WEIGHTED = {"weight": "weight", "bias": "bias"}
ROLES = {"conv": WEIGHTED, "linear": WEIGHTED, "norm": {**WEIGHTED, "mean": "mean", "variance": "variance"}}


@dataclass(frozen=True)
class Traced:
    """program: of the whole network, with the names of its tensors. shapes: {value: its shape, the batch left out}."""

    program: Program
    shapes: Mapping[str, tuple[int, ...]]


def trace(
    model: Model, image_shape: Sequence[int], mean: Sequence[float] = (), std: Sequence[float] = ()
) -> tuple[Traced, dict[str, torch.Tensor]]:
    """The program of `model`, and the tensors that it has beside the network's own.

    mean, std: what its images were normalised by, a number a channel of pixels from 0 to 1; the program does it itself.
    Computes nothing: the tensors have shapes and no content. Raises ModelError for an operation that no Op stands for.
    """
    weights = {name: torch.empty(shape, device="meta") for name, shape in model.shapes.items()}
    image = torch.empty(1, *image_shape, device="meta")
    ops, own = [], {}
    begins = IMAGE
    if any(mean) or any(each != 1 for each in std):
        own = {"normalise.mean": torch.tensor(mean), "normalise.std": torch.tensor(std)}
        ops.append(Op("normalise", (IMAGE,), "normalised", {"mean": "normalise.mean", "std": "normalise.std"}))
        begins = "normalised"
    following = _Following(ops, {id(tensor): name for name, tensor in weights.items()}, image, begins)
    with following:
        model.logits(weights, image)
    shapes = {IMAGE: tuple(image_shape), **following.shapes}
    return Traced(Program(tuple(image_shape), tuple(ops)), shapes), own


class _Following(TorchFunctionMode):
    """Writes down an Op for every call of torch that gives a value. ours: {id of a weight: its name}."""

    def __init__(self, ops: list[Op], ours: dict[int, str], image: torch.Tensor, begins: str):
        super().__init__()
        self.ops, self.ours = ops, ours
        self.values = {id(image): begins}
        self.shapes: dict[str, tuple[int, ...]] = {begins: tuple(image.shape[1:])}
        self.kept = [image]  # alive, so that no id is given twice

    def __torch_function__(self, func, types, args=(), kwargs=None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if isinstance(result, torch.Tensor):
            self._note(getattr(func, "__name__", str(func)), args, kwargs, result)
        return result

    def _note(self, name: str, args: tuple, kwargs: dict, result: torch.Tensor) -> None:
        if name not in KINDS:
            raise ModelError(f"{name}: no small network has this operation; there are {', '.join(sorted(KINDS))}")
        kind = KINDS[name]
        reads = tuple(self.values[id(one)] for one in args if id(one) in self.values)
        gives = f"v{len(self.ops)}"
        self.ops.append(Op(kind, reads, gives, *self._told(kind, args, kwargs)))
        self.values[id(result)] = gives
        self.shapes[gives] = tuple(result.shape[1:])
        self.kept.append(result)

    def _told(self, kind: str, args: tuple, kwargs: dict) -> tuple[dict[str, str], dict[str, int]]:
        """(tensors, numbers) of an Op."""
        given = dict(zip(ARGUMENTS[kind], args, strict=False)) | kwargs
        for name, only in ONLY.get(kind, {}).items():
            if given.get(name, only) != only:
                raise ModelError(f"{kind}: {name} = {given[name]!r}: no small network has this; it must be {only!r}")
        numbers = {}
        if kind == "conv":
            kernel = given["weight"].shape[-1]
            numbers = {"kernel": kernel, "stride": given.get("stride", 1), "padding": given.get("padding", 0)}
            if given["weight"].shape[-2] != kernel:
                raise ModelError(f"conv: a kernel of {given['weight'].shape[-2]}×{kernel}: small networks have squares")
        elif kind == "pool":
            kernel = given["kernel_size"]
            numbers = {"kernel": kernel, "stride": given["stride"] or kernel, "padding": given["padding"]}
        elif kind == "add":
            numbers = {"channels": given["input"].shape[1]}
        for name, number in numbers.items():
            if not isinstance(number, int):
                raise ModelError(f"{kind}: {name} = {number!r}: no small network has this; it must be one whole number")
        roles = {role: given.get(name) for role, name in ROLES.get(kind, {}).items()}
        return {role: self.ours[id(tensor)] for role, tensor in roles.items() if tensor is not None}, numbers
