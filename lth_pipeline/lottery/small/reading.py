"""An exported network opened for use, whatever its format: what it says of itself, and what it computes.

Nothing that could run a program is trusted: no pickle is loaded, and of a .pt2 neither its graph nor its example inputs
(torch.export.load evaluates both), but the program and the plain numbers that lie beside them. No torch for .onnx.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from lth_pipeline.lottery.data.images.source import shown
from lth_pipeline.lottery.errors import ModelFileError
from lth_pipeline.lottery.small.singly import Logits, singly

KEY = "lth_pipeline"  # of the metadata, in every format
FORMAT = 1  # of what stands there
#: values of one image, beyond which no file is believed: 2,364 × 2,364 pixels of colour
MOST_VALUES = 2**24
#: how the first nine bytes of each format look: a zip, a length and JSON, the field of a version
BEGINS: dict[str, Callable[[bytes], bool]] = {
    ".pt2": lambda head: head[:2] == b"PK",
    ".safetensors": lambda head: head[8:] == b"{",
    ".onnx": lambda head: head[0] == 8 and head[8:] != b"{",
}
#: the operator that a file has which quantises what flows through it while it runs
QUANTISES = b"DynamicQuantizeLinear"
#: the folder in which onnxruntime looks for weights outside of a file; left to itself it takes the current one
WEIGHTS_BESIDE = "session.model_external_initializers_file_folder_path"


@dataclass(frozen=True)
class Opened:
    """about: what the file says of its network; always there are image_shape [channels, height, width], colour ("rgb",
    "grey" or None) and classes, a name each. logits: float32 (N, C, H, W), pixels from 0 to 1 -> float32 (N, classes).
    """

    about: dict[str, Any]
    logits: Logits


def open_model(path: str | Path) -> Opened:
    """The network in a .onnx, .pt2 or .safetensors file, tried on one black image. Raises ModelFileError.

    An ONNX file of other make is opened too, where it takes one image of known size: its classes are called by their
    numbers then.
    """
    path = Path(path)
    kind = _kind(path)
    try:
        about, logits = OPENERS[kind](path)
        about = _known(about, logits)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except Exception as error:  # damaged bytes make a parser raise whatever it happens to stumble on
        raise ModelFileError(f"{path}: damaged, or no network of a {kind} file: {_reason(error)}") from error
    return Opened(about, _guarded(path, logits))


def _kind(path: Path) -> str:
    """The format of a file that is there, by its suffix and its first bytes."""
    kinds = ", ".join(OPENERS)
    try:
        if path.is_dir():
            raise ModelFileError(f"{path}: a folder; a model is one file ({kinds})")
        with path.open("rb") as file:
            head = file.read(9)
    except FileNotFoundError:
        raise ModelFileError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        reason = getattr(error, "strerror", None) or error
        raise ModelFileError(f"{path}: cannot be read: {reason}") from error
    kind = path.suffix.lower()
    if kind not in OPENERS:
        raise ModelFileError(f"{path}: {kind or 'no suffix'}; what can be read is {kinds}, as `lth export` writes them")
    if not head:
        raise ModelFileError(f"{path}: empty")
    if not BEGINS[kind](head):
        others = [name for name, begins in BEGINS.items() if begins(head)]
        guess = f"; {others[0]} files begin like that" if others else ""
        raise ModelFileError(f"{path}: not a {kind} file by its first bytes{guess}")
    return kind


def _onnx(path: Path) -> tuple[dict[str, Any], Logits]:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelFileError(
            f"ONNX files are run by onnxruntime, which is not installed ({error}): pip install --editable '.[export]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is said once, by us
    content = path.read_bytes()
    with tempfile.TemporaryDirectory(prefix="lth-") as nothing:  # so that no other file is opened than this one
        options.add_session_config_entry(WEIGHTS_BESIDE, nothing)
        try:
            session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except Exception as error:
            if "External data" not in str(error):
                raise
            raise ModelFileError("its weights lie in another file, which is not opened: save it as one file") from error
    inputs, output = session.get_inputs(), session.get_outputs()[0].name
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        shapes = shown(", ".join(f"{given.name} {given.type} {given.shape}" for given in inputs))
        raise ModelFileError(
            f"takes {shapes}; a network of images takes one tensor(float) [N, channels, height, width]"
        )
    name, (batch, *image_shape) = inputs[0].name, inputs[0].shape
    if not all(isinstance(side, int) for side in image_shape):
        raise ModelFileError(f"takes images of {image_shape}; channels, height and width have to be numbers")
    if isinstance(batch, int) and batch != 1:
        raise ModelFileError(f"takes {batch} images at once and no other number; export it with a batch of any size")

    def logits(images: np.ndarray) -> np.ndarray:
        return session.run([output], {name: images})[0]

    said = session.get_modelmeta().custom_metadata_map.get(KEY)
    about = _said(said) if said is not None else {}
    if list(about.get("image_shape", image_shape)) != image_shape:
        raise ModelFileError(f"says it takes images of {about['image_shape']}, and takes {image_shape}")
    return {"image_shape": image_shape, **about}, singly(logits) if batch == 1 or QUANTISES in content else logits


def _safetensors(path: Path) -> tuple[dict[str, Any], Logits]:
    import torch
    from safetensors import safe_open

    from lth_pipeline.lottery.small import network

    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    if KEY not in metadata:
        raise ModelFileError(f"no metadata {KEY!r}: tensors alone are no network; `lth export` writes both")
    about = _said(metadata[KEY])
    with torch.sparse.check_sparse_tensor_invariants():  # indices out of range would be read as addresses
        found = network.load(str(path))
    return about, _of_network(found, about)


def _pt2(path: Path) -> tuple[dict[str, Any], Logits]:
    from lth_pipeline.lottery.small import network
    from lth_pipeline.lottery.small.pt2_archive import read_pt2

    said, tensors = read_pt2(path, KEY)
    about = _said(said)
    program = network.from_json(about["program"])
    own = {name: tensors[f"t{number}"] for number, name in enumerate(about["tensors"])}
    return about, _of_network(network.Network(program, own).eval(), about)


def _of_network(network: Any, about: Mapping[str, Any]) -> Logits:
    import torch

    shape = list(network.program.image_shape)
    if about.get("image_shape") != shape:
        raise ModelFileError(f"says it takes images of {about.get('image_shape')}, and its program takes {shape}")

    def logits(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(np.ascontiguousarray(images))).numpy()

    return logits


OPENERS: dict[str, Callable[[Path], tuple[dict[str, Any], Logits]]] = {
    ".onnx": _onnx,
    ".pt2": _pt2,
    ".safetensors": _safetensors,
}


def _said(text: str) -> dict[str, Any]:
    """The metadata. Raises ModelFileError."""
    try:
        about = json.loads(text)
    except ValueError as error:
        raise ModelFileError(f"its metadata {KEY!r} is damaged: {error}") from error
    if not isinstance(about, dict):
        raise ModelFileError(f"its metadata {KEY!r} is damaged: not an object of JSON")
    if about.get("format") != FORMAT:
        raise ModelFileError(f"its metadata is of format {about.get('format')!r}; this version reads {FORMAT}")
    return about


def _known(about: Mapping[str, Any], logits: Logits) -> dict[str, Any]:
    """`about` with all that `Opened` promises, the network tried. Raises ModelFileError."""
    shape = about.get("image_shape")
    if not (isinstance(shape, list) and len(shape) == 3 and all(type(n) is int and n > 0 for n in shape)):
        raise ModelFileError(f"image_shape {shape!r}: it has to be [channels, height, width]")
    if prod(shape) > MOST_VALUES:
        raise ModelFileError(f"image_shape {shape}: no network takes images as large as that")
    given = logits(np.zeros((2, *shape), np.float32))
    if given.ndim != 2 or given.shape[0] != 2 or given.dtype != np.float32:
        raise ModelFileError(f"gives {given.dtype} {given.shape} of 2 images, where it should be float32 (2, classes)")
    if not np.isfinite(given).all():
        raise ModelFileError("gives numbers that are not finite of a black image; its weights are damaged")
    classes = about.get("classes") or [str(number) for number in range(given.shape[1])]
    if not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise ModelFileError(f"classes {classes!r}: they have to be a list of names")
    if len(classes) != given.shape[1]:
        raise ModelFileError(f"names {len(classes)} classes, and tells {given.shape[1]} apart")
    colour = about.get("colour") or {1: "grey", 3: "rgb"}.get(shape[0])
    if colour not in (None, "grey", "rgb"):
        raise ModelFileError(f"colour {colour!r}: it has to be 'grey' or 'rgb'")
    said = {name: value for name, value in about.items() if name not in ("program", "tensors", "sparse")}
    return {**said, "image_shape": shape, "classes": classes, "colour": colour}


def _guarded(path: Path, logits: Logits) -> Logits:
    """`logits`, whose errors name the file: a damaged network may still stumble over another image."""

    def guarded(images: np.ndarray) -> np.ndarray:
        try:
            found = logits(images)
        except Exception as error:
            raise ModelFileError(f"{path}: the network failed on {images.shape}: {_reason(error)}") from error
        if not np.isfinite(found).all():
            raise ModelFileError(f"{path}: gives numbers that are not finite; its weights are damaged")
        return found

    return guarded


def _reason(error: Exception) -> str:
    """The first line of what was raised, no longer than a person reads."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else ""
    return f"{type(error).__name__}{': ' if text else ''}{shown(text[:200])}"
