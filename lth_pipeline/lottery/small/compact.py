"""A ticket without what its mask has cut off: fewer channels, units and inputs, and the same outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch

from lth_pipeline.lottery.models import Model
from lth_pipeline.lottery.small.channels import Constants, Kept, constants, kept, padded, summed
from lth_pipeline.lottery.small.fold import folded, unscaled
from lth_pipeline.lottery.small.network import Op, Program
from lth_pipeline.lottery.small.trace import IMAGE, Traced, trace

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Small:
    """A program and its tensors: float32, indices int32. `network.Network(small.program, small.tensors)` runs it."""

    program: Program
    tensors: Tensors

    @property
    def weights(self) -> int:
        """Weights of convolutions and fully connected layers, biases left out; zeros among them count."""
        weighted = [op for op in self.program.ops if op.kind in ("conv", "linear")]
        return sum(self.tensors[op.tensors["weight"]].numel() for op in weighted)


def as_trained(
    model: Model,
    image_shape: Sequence[int],
    weights: Mapping[str, torch.Tensor],
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> Small:
    """The network as it was trained, every weight and every norm in its place; what the others are held against.

    mean, std: that its images were normalised by, per channel; the program takes pixels from 0 to 1.
    """
    traced, own = trace(model, image_shape, mean, std)
    return _small(traced.program, {**weights, **own})


def compact(
    model: Model,
    image_shape: Sequence[int],
    weights: Mapping[str, torch.Tensor],
    mask: Mapping[str, torch.Tensor] | None,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> Small:
    """The same network with nothing in it that the logits do not depend on, and norms taken into convolutions.

    weights: trained, those that `mask` (bool, None: dense) leaves out taken for zero whatever they are. Arithmetic is
    float64 and rounded once, so that the logits differ by float32's rounding alone.
    """
    traced, own = trace(model, image_shape, mean, std)
    alive = {name: tensor.where(mask[name], 0) if mask and name in mask else tensor for name, tensor in weights.items()}
    program, tensors = unscaled(*folded(traced.program, {**alive, **own}), traced.shapes)
    constant = constants(program, tensors, traced.shapes)
    keep = kept(program, tensors, traced.shapes, constant)
    return _Writing(replace(traced, program=program), tensors, constant, keep).written()


def _small(program: Program, tensors: Mapping[str, torch.Tensor]) -> Small:
    used = {name for op in program.ops for name in op.tensors.values()}
    return Small(program, {name: _plain(tensor) for name, tensor in tensors.items() if name in used})


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().cpu()
    return tensor.to(torch.float32 if tensor.is_floating_point() else torch.int32).contiguous()


class _Writing:
    """Writes the small program, operation by operation. held: {value: the channels that it has, in their order}."""

    def __init__(self, traced: Traced, tensors: Tensors, constant: Constants, keep: Kept):
        self.traced, self.tensors, self.constant, self.keep = traced, tensors, constant, keep
        self.ops: list[Op] = []
        self.new: Tensors = {}
        self.named: dict[str, str] = {}  # value -> what the new program calls it, where that is another
        self.held = {IMAGE: torch.arange(traced.program.image_shape[0])}

    def written(self) -> Small:
        for op in self.traced.program.ops:
            if op.gives not in self.keep.places:
                continue
            match op.kind:
                case "conv" | "linear":
                    self._weighted(op)
                case "flatten":
                    self._flattened(op)
                case "add":
                    self._summed(op)
                case _:
                    self._add(op, self.held[op.reads[0]], {name: self.tensors[name] for name in op.tensors.values()})
        return _small(Program(self.traced.program.image_shape, tuple(self.ops)), self.new)

    def _add(self, op: Op, held: torch.Tensor, tensors: Mapping[str, torch.Tensor]) -> None:
        self.ops.append(replace(op, reads=tuple(self.named.get(name, name) for name in op.reads)))
        self.held[op.gives] = held
        self.new |= tensors

    def _weighted(self, op: Op) -> None:
        """A convolution or a fully connected layer, with what it always reads taken into its bias."""
        self._choose_inputs(op.reads[0])
        name, weight = op.reads[0], self.tensors[op.tensors["weight"]]
        constant, rows, columns = self.constant[name], self.keep.places[op.gives], self.held[name]
        own = self.tensors[op.tensors["bias"]] if "bias" in op.tensors else torch.zeros(len(weight)).double()
        moves = constant.isnan()
        small = weight[rows][:, columns] * _along(moves[columns], weight)
        level = constant.nan_to_num(0.0)
        if padded(op):
            small += self._stand_in(name, weight[rows], level, columns)
            level = torch.zeros_like(level)
        bias = own[rows] + summed(weight)[rows] @ level
        for channel, value in self.keep.fixed[op.gives].items():
            place = int((rows == channel).nonzero())
            small[place], bias[place] = 0.0, value
        named = {"weight": op.tensors["weight"], "bias": op.tensors.get("bias", f"{op.gives}.bias")}
        self._add(replace(op, tensors=named), rows, {named["weight"]: small, named["bias"]: bias})

    def _stand_in(self, name: str, weight: torch.Tensor, level: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Of a padded convolution's `weight`, what its constant inputs add to it: one channel that is there, and
        constant, has the weights of all of them, as many times as it goes into them."""
        found = torch.zeros_like(weight[:, columns])
        there = [channel for channel in columns.tolist() if level[channel] != 0]
        if there:
            share = level / level[there[0]]
            found[:, columns.tolist().index(there[0])] = (weight * _along(share, weight)).sum(1)
        return found

    def _choose_inputs(self, name: str) -> None:
        """Leave out the channels of the image that no convolution reads."""
        wanted = self.keep.places[name]
        if name in (IMAGE, "normalised") and name not in self.named and len(wanted) < len(self.held[name]):
            self._select(name, f"{name}.chosen", wanted)
            self.named[name] = f"{name}.chosen"
            self.held[name] = wanted

    def _select(self, name: str, gives: str, channels: torch.Tensor) -> None:
        """channels: of those that the value holds."""
        place = {channel: index for index, channel in enumerate(self.held[name].tolist())}
        index = torch.tensor([place[channel] for channel in channels.tolist()], dtype=torch.int32)
        op = Op("select", (name,), gives, {"index": f"{gives}.index"}, {"channels": len(self.held[name])})
        self._add(op, channels, {f"{gives}.index": index})

    def _flattened(self, op: Op) -> None:
        """Each channel becomes its places; those that are not read are left out, where that makes it smaller."""
        places = prod(self.traced.shapes[op.reads[0]][1:])
        whole = (self.held[op.reads[0]].unsqueeze(1) * places + torch.arange(places)).flatten()
        wanted = self.keep.places[op.gives]
        readers = [reader for reader in self.traced.program.ops if op.gives in reader.reads]
        rows = sum(len(self.keep.places.get(reader.gives, ())) for reader in readers)
        self._add(op, whole, {})
        if (len(whole) - len(wanted)) * rows > len(wanted):  # weights that go, against indices that come
            self._select(op.gives, f"{op.gives}.chosen", wanted)
            self.named[op.gives], self.held[op.gives] = f"{op.gives}.chosen", wanted

    def _summed(self, op: Op) -> None:
        """Each of the two is added where it has something to add, the constants of both as a bias."""
        places, fixed = self.keep.places[op.gives], self.keep.fixed[op.gives]
        bias = torch.zeros(len(places)).double()
        for name in op.reads:
            bias += self.constant[name][places].nan_to_num(0.0)
        for channel, value in fixed.items():
            bias[places == channel] = value
        parts = []
        for name in op.reads:
            moves = self.constant[name].isnan()
            channels = torch.tensor([c for c in places.tolist() if moves[c] and c not in fixed], dtype=torch.int64)
            if len(channels):
                parts.append((name, channels))
        if not parts:
            self._constant(op, places, bias)
            return
        reads, tensors, new = [], {}, {}
        for number, (name, channels) in enumerate(parts):
            if len(channels) < len(self.held[name]):
                gives = f"{op.gives}.from{number}"
                self._select(name, gives, channels)
                name = gives
            reads.append(name)
            if len(channels) < len(places):
                role = f"part{number}"
                tensors[role] = f"{op.gives}.{role}"
                new[tensors[role]] = torch.isin(places, channels).nonzero().squeeze(1)
        if bias.any():
            tensors["bias"] = f"{op.gives}.bias"
            new[tensors["bias"]] = bias
        self._add(Op("add", tuple(reads), op.gives, tensors, {"channels": len(places)}), places, new)

    def _constant(self, op: Op, places: torch.Tensor, bias: torch.Tensor) -> None:
        """A sum that never changes: a convolution without weights, as large as what it reads."""
        name = op.reads[0]
        named = {"weight": f"{op.gives}.weight", "bias": f"{op.gives}.bias"}
        weight = torch.zeros(len(places), len(self.held[name]), 1, 1)
        numbers = {"kernel": 1, "stride": 1, "padding": 0}
        self._add(
            Op("conv", (name,), op.gives, named, numbers),
            places,
            dict(zip(named.values(), (weight, bias), strict=True)),
        )


def _along(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(in,) as what (out, in, …) can be multiplied by."""
    return values.view(1, -1, *[1] * (weight.dim() - 2))
