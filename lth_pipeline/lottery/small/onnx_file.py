"""A small network as an ONNX file: input "image", output "logits", any number of images at once."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lth_pipeline.lottery.models.pieces import EPS
from lth_pipeline.lottery.small.compact import Small
from lth_pipeline.lottery.small.errors import ExportError, needed
from lth_pipeline.lottery.small.network import KEY, Op

if TYPE_CHECKING:
    import onnx
    import onnxruntime

#: of the operators; any runtime of 2022 or newer has it, and onnxruntime runs it as fast as a newer one
OPSET, IR_VERSION = 17, 8
#: the most that a file can hold, in bytes; weights would have to lie beside it beyond
MOST = 2**31 - 2**20
INPUT, OUTPUT = "image", "logits"


def onnx_bytes(small: Small, about: Mapping[str, Any]) -> bytes:
    """The content of the file; the same network gives the same bytes.

    about: goes into its metadata as JSON, under "lth_pipeline". Raises ExportError without the package onnx, and for a
    network of more than 2 GB.
    """
    onnx, helper = needed("onnx"), needed("onnx.helper")
    size = sum(tensor.numel() * tensor.element_size() for tensor in small.tensors.values())
    if size > MOST:
        raise ExportError(f"a network of {size:,} bytes: an ONNX file holds {MOST:,} at most; use .safetensors")
    graph = _Graph(small)
    channels, height, width = small.program.image_shape
    kind = onnx.TensorProto.FLOAT
    classes = len(small.tensors[small.program.ops[-1].tensors["weight"]])
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "ticket",
            [helper.make_tensor_value_info(INPUT, kind, ["batch", channels, height, width])],
            [helper.make_tensor_value_info(OUTPUT, kind, ["batch", classes])],
            graph.constants,
        ),
        producer_name=KEY,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    _note(model, about)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def int8_bytes(content: bytes) -> bytes:
    """The ONNX file with weights of 8 bits, a scale a layer, activations quantised while it runs; metadata is kept.

    Logits differ from those of `content`. Raises ExportError without the packages onnx and onnxruntime.
    """
    onnx, quantization = needed("onnx"), needed("onnxruntime.quantization")
    before = onnx.load_from_string(content)
    metadata = list(before.metadata_props)
    del before.metadata_props[:]
    # else it asks, as a warning, for shapes to be worked out and constants folded before: nothing is left to fold
    needed("onnxruntime.quantization.quant_utils").add_pre_process_metadata(before)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantization.quantize_dynamic(before, path, weight_type=quantization.QuantType.QUInt8)
        model = onnx.load(path)
    del model.metadata_props[:]
    model.metadata_props.extend(metadata)
    model.producer_name = before.producer_name
    return model.SerializeToString(deterministic=True)


def session(content: bytes | str | Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """What runs the file: session.run(["logits"], {"image": images})[0]. content: the file's, or where it lies.

    Raises ExportError without the package onnxruntime, and onnxruntime's own errors for what is no such file.
    """
    runtime = needed("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; a warning a session says nothing to whoever runs it
    given = str(content) if isinstance(content, Path) else content
    return runtime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def _note(model: onnx.ModelProto, about: Mapping[str, Any]) -> None:
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(about, sort_keys=True)


class _Graph:
    """Nodes and constants of a program, operation by operation. constants: onnx.TensorProto, by first use."""

    def __init__(self, small: Small):
        self.small = small
        self.helper, self.numpy_helper = needed("onnx.helper"), needed("onnx.numpy_helper")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._known: set[str] = set()
        ops = small.program.ops
        self._named = {"image": INPUT, ops[-1].gives: OUTPUT}
        self._sides = {"image": 4}  # {value: how many dimensions it has}
        for op in ops:
            self._write(op)

    def _node(self, kind: str, reads: list[str], gives: str, **numbers: Any) -> str:
        self.nodes.append(self.helper.make_node(kind, reads, [gives], name=f"{kind}.{gives}", **numbers))
        return gives

    def _constant(self, name: str, values: torch.Tensor | np.ndarray) -> str:
        if name not in self._known:
            self._known.add(name)
            self.constants.append(self.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _tensor(self, op: Op, role: str) -> str:
        name = op.tensors[role]
        return self._constant(name, self.small.tensors[name].numpy())

    def _channels(self, op: Op, role: str, sides: int) -> str:
        """A number a channel, in a shape that is laid over (N, channels, …)."""
        name = op.tensors[role]
        values = self.small.tensors[name].numpy()
        return self._constant(name, values.reshape(1, -1, *[1] * (sides - 2)))

    def _write(self, op: Op) -> None:
        reads = [self._named.get(name, name) for name in op.reads]
        gives = self._named.get(op.gives, op.gives)
        sides = self._sides[op.reads[0]]
        self._sides[op.gives] = 2 if op.kind in ("linear", "flatten", "mean") else sides
        number = op.numbers
        weighted = [self._tensor(op, role) for role in ("weight", "bias") if role in op.tensors and op.kind != "add"]
        match op.kind:
            case "normalise":
                less = self._node("Sub", [reads[0], self._channels(op, "mean", 4)], f"{gives}.less")
                self._node("Div", [less, self._channels(op, "std", 4)], gives)
            case "conv":
                self._node("Conv", [*reads, *weighted], gives, **_window(number))
            case "linear":
                self._node("Gemm", [*reads, *weighted], gives, transB=1)
            case "norm":
                statistics = [self._tensor(op, role) for role in ("mean", "variance")]
                self._node("BatchNormalization", [*reads, *weighted, *statistics], gives, epsilon=EPS)
            case "relu":
                self._node("Relu", reads, gives)
            case "pool":
                self._node("MaxPool", reads, gives, **_window(number))
            case "mean":
                whole = self._node("GlobalAveragePool", reads, f"{gives}.whole")
                self._node("Flatten", [whole], gives, axis=1)
            case "flatten":
                self._node("Flatten", reads, gives, axis=1)
            case "select":
                self._node("Gather", [*reads, self._tensor(op, "index")], gives, axis=1)
            case "add":
                self._sum(op, reads, gives, sides)
            case _:
                raise ExportError(f"no ONNX operator is known for {op.kind!r}")

    def _sum(self, op: Op, reads: list[str], gives: str, sides: int) -> None:
        terms = [
            self._spread(op, place, name, gives, sides) if f"part{place}" in op.tensors else name
            for place, name in enumerate(reads)
        ]
        if "bias" in op.tensors:
            terms.append(self._channels(op, "bias", sides))
        if len(terms) == 1:
            self._node("Identity", terms, gives)
        while len(terms) > 1:
            first, second, *rest = terms
            terms = [self._node("Add", [first, second], gives if not rest else f"{gives}.sum"), *rest]

    def _spread(self, op: Op, place: int, name: str, gives: str, sides: int) -> str:
        """A value laid into as many channels as the sum has, zero where it has none: every channel is taken from it, or
        from one of zeros that is put behind its own."""
        role = f"part{place}"
        channels = self.small.tensors[op.tensors[role]].long()
        source = torch.full((op.numbers["channels"],), len(channels), dtype=torch.int32)
        source[channels] = torch.arange(len(channels), dtype=torch.int32)
        pads = np.zeros((2, sides), dtype=np.int64)
        pads[1, 1] = 1
        longer = self._node("Pad", [name, self._constant(f"pads{sides}", pads.flatten())], f"{gives}.longer{place}")
        return self._node(
            "Gather", [longer, self._constant(op.tensors[role], source)], f"{gives}.spread{place}", axis=1
        )


def _window(number: Mapping[str, int]) -> dict[str, list[int]]:
    kernel, stride, padding = number["kernel"], number["stride"], number["padding"]
    return {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [padding] * 4}
