"""A network as a list of operations and their tensors: what exported tickets are, and what runs them.

This file needs nothing but torch, and safetensors to load a file: a copy of it lies beside every exported .safetensors.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch.nn import functional

FORMAT = 1
KEY = "lth_pipeline"  # of the one metadata entry of a .safetensors file
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Op:
    """One operation: reads values, gives one. The first value is "image": float32 (N, C, H, W), pixels from 0 to 1.

    kind: "normalise" (tensors mean, std, one a channel), "conv" (weight, bias; numbers kernel, stride, padding), "norm"
        (weight, bias, mean, variance; batch normalisation in evaluation), "linear" (weight, bias), "relu", "pool"
        (largest of kernel × kernel; numbers kernel, stride, padding), "mean" (of height and width), "flatten", "select"
        (tensor index: these channels or units, in this order; number channels: of so many), "add" (tensors part0,
        part1: which channels of the sum each value is added to, left out where it has all; bias: added to every place;
        number channels).
    """

    kind: str
    reads: tuple[str, ...]
    gives: str
    tensors: Mapping[str, str] = field(default_factory=dict)  # what it is for -> name of a tensor
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """Operations in order; the last gives the logits, float32 (N, classes). image_shape: channels, height, width."""

    image_shape: tuple[int, int, int]
    ops: tuple[Op, ...]


def to_json(program: Program) -> dict[str, Any]:
    return {"format": FORMAT, "image_shape": list(program.image_shape), "ops": [asdict(op) for op in program.ops]}


def from_json(found: Mapping[str, Any]) -> Program:
    """Raises KeyError, TypeError or ValueError where `found` is not what `to_json` gives."""
    if found["format"] != FORMAT:
        raise ValueError(f"format {found['format']!r}: this reads format {FORMAT}")
    ops = [Op(op["kind"], tuple(op["reads"]), op["gives"], op["tensors"], op["numbers"]) for op in found["ops"]]
    if unknown := {op.kind for op in ops} - set(_RUNS):
        raise ValueError(f"operation {min(unknown)!r}: there are {', '.join(_RUNS)}")
    channels, height, width = map(int, found["image_shape"])
    return Program((channels, height, width), tuple(ops))


class Network(torch.nn.Module):
    """What runs a program. `forward`: images float32 (N, C, H, W), pixels from 0 to 1 -> logits float32 (N, classes).

    tensors: by the names that the program uses. Weights of "conv" and "linear" may be sparse (torch's CSR or BSR,
    (out, in) or (out, in × height × width)); a linear one is multiplied as it is, a convolution is unfolded for it.
    """

    def __init__(self, program: Program, tensors: Mapping[str, torch.Tensor]):
        super().__init__()
        self.program = program
        self._names: dict[str, str] = {}
        for op in program.ops:
            for name in op.tensors.values():
                if name not in self._names:
                    self._names[name] = f"t{len(self._names)}"  # torch wants names without dots
                    self.register_buffer(self._names[name], _laid_out(tensors[name]))
        last = {name: place for place, op in enumerate(program.ops) for name in op.reads}
        #: (operation, what runs it, {role: name of a buffer}, values that no later operation reads, whether it may
        #: overwrite what it reads: not a view of something else)
        self._steps = []
        views = {"image", *(op.gives for op in program.ops if op.kind == "flatten")}
        for place, op in enumerate(program.ops):
            spent = tuple({name for name in op.reads if last[name] == place})
            roles = {role: self._names[name] for role, name in op.tensors.items()}
            self._steps.append((op, _RUNS[op.kind], roles, spent, bool(spent) and op.reads[0] not in views))

    def tensor(self, name: str) -> torch.Tensor:
        return getattr(self, self._names[name])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values, held = {"image": images}, self._buffers  # looked up at each pass: a move to a GPU replaces them
        for op, run, roles, spent, own in self._steps:
            given = [values[name] for name in op.reads]
            values[op.gives] = run(given, {role: held[name] for role, name in roles.items()}, op.numbers, own)
            for name in spent:
                del values[name]
        return values[self.program.ops[-1].gives]


# What runs an operation. given: the values it reads. part: its tensors, by role. own: whether it may overwrite the
# first value. Each gives the new value.


def _normalise(given, part, number, own):
    return given[0].sub(_by_channel(part["mean"])).div_(_by_channel(part["std"]))


def _conv(given, part, number, own):
    weight = part["weight"]
    if weight.layout != torch.strided:
        return _sparse_conv(given[0], weight, part.get("bias"), number)
    return functional.conv2d(given[0], weight, part.get("bias"), number["stride"], number["padding"])


def _norm(given, part, number, own):
    return functional.batch_norm(given[0], part["mean"], part["variance"], part["weight"], part["bias"])


def _linear(given, part, number, own):
    x, weight = given[0], part["weight"]
    if weight.layout == torch.strided:
        return functional.linear(x, weight, part.get("bias"))
    if len(x) == 1 and weight.layout == torch.sparse_csr:  # half the time of a product with one column
        return torch.mv(weight, x[0]).add_(part["bias"]).unsqueeze(0)
    return torch.addmm(part["bias"].unsqueeze(1), weight, x.t()).t()


def _relu(given, part, number, own):
    return given[0].relu_() if own else given[0].relu()


def _pool(given, part, number, own):
    return functional.max_pool2d(given[0], number["kernel"], number["stride"], number["padding"])


def _mean(given, part, number, own):
    return given[0].mean((2, 3))


def _flatten(given, part, number, own):
    return given[0].flatten(1)


def _select(given, part, number, own):
    return given[0].index_select(1, part["index"])


def _add(given, part, number, own):
    whole = [x for place, x in enumerate(given) if f"part{place}" not in part]
    if whole:
        total = whole[0].clone() if len(whole) == 1 == len(given) else sum(whole[1:], whole[0])
    else:
        first = given[0]
        total = first.new_zeros((first.shape[0], number["channels"], *first.shape[2:]))
    if "bias" in part:
        total = total + part["bias"].view(1, -1, *[1] * (total.dim() - 2))
    for place, x in enumerate(given):
        if f"part{place}" in part:
            total = total.index_add(1, part[f"part{place}"], x)
    return total


_RUNS = {
    "normalise": _normalise,
    "conv": _conv,
    "norm": _norm,
    "linear": _linear,
    "relu": _relu,
    "pool": _pool,
    "mean": _mean,
    "flatten": _flatten,
    "select": _select,
    "add": _add,
}


def load(path: str) -> Network:
    """The network in a .safetensors file. Sparse weights are stored as their parts: NAME/values, /columns, /rows."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()[KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    return Network(from_json(about["program"]), joined(tensors, about.get("sparse", {}))).eval()


def joined(tensors: Mapping[str, torch.Tensor], sparse: Mapping[str, Mapping[str, Any]]) -> Tensors:
    """The tensors that `tensors` holds in parts. sparse: {name: {"shape": (out, in, …), "dense": whether it is computed
    as a dense tensor all the same}}. values: (n,) of CSR, (n, height, width) of blocks. rows: how many of them each row
    has. columns: how many places were left out before each in its row. Raises RuntimeError where they do not fit."""
    found = {name: tensor for name, tensor in tensors.items() if name.rsplit("/", 1)[0] not in sparse}
    for name, how in sparse.items():
        rows, columns, values = (tensors[f"{name}/{part}"] for part in ("rows", "columns", "values"))
        out, *rest = how["shape"]
        shape = (out, torch.Size(rest).numel())
        make = torch.sparse_csr_tensor if values.dim() == 1 else torch.sparse_bsr_tensor
        begins = _offsets(rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "CSR is in beta"
            matrix = make(begins, _columns(columns, rows, begins), values, shape, check_invariants=True)
        found[name] = matrix.to_dense().reshape(how["shape"]) if how["dense"] else matrix
    return found


def _offsets(counts: torch.Tensor) -> torch.Tensor:
    """Where each row begins, of how many each has. int32 as MKL has it: int64 would be converted at each product."""
    return torch.cat([torch.zeros(1, dtype=torch.int32), counts.to(torch.int32).cumsum(0, dtype=torch.int32)])


def _columns(skipped: torch.Tensor, counts: torch.Tensor, begins: torch.Tensor) -> torch.Tensor:
    """int32: the column of each value, of how many were left out before it in its row."""
    ends = torch.cat([torch.zeros(1, dtype=torch.int64), (skipped.long() + 1).cumsum(0)])
    return (ends[1:] - 1 - ends[begins[:-1].long()].repeat_interleave(counts.long())).to(torch.int32)


def _laid_out(tensor: torch.Tensor) -> torch.Tensor:
    """Kernels with channels last in memory, which what they give then is, too: on a CPU a ResNet-20 takes 0.65 of the
    time. No result changes but by rounding."""
    is_kernel = tensor.layout == torch.strided and tensor.dim() == 4
    return tensor.contiguous(memory_format=torch.channels_last) if is_kernel else tensor


def _by_channel(values: torch.Tensor) -> torch.Tensor:
    """(C,) -> (C, 1, 1)."""
    return values.view(-1, 1, 1)


def _sparse_conv(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, number: Mapping[str, int]
) -> torch.Tensor:
    """A convolution as a product of the sparse (out, in × k × k) and the unfolded (in × k × k, N × places)."""
    kernel, stride, padding = number["kernel"], number["stride"], number["padding"]
    count, _, *sides = x.shape
    height, width = ((side + 2 * padding - kernel) // stride + 1 for side in sides)
    patches = functional.unfold(x, kernel, padding=padding, stride=stride)  # (N, in × k × k, places)
    out = weight @ patches.transpose(0, 1).reshape(patches.shape[1], -1)
    out = out.view(-1, count, height, width).transpose(0, 1)
    return out if bias is None else out + _by_channel(bias)
