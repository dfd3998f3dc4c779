"""Exported networks: what `lth predict` opens."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from safetensors.torch import load, save

from lth_pipeline.lottery.errors import ModelFileError
from lth_pipeline.lottery.small.compact import Small, compact
from lth_pipeline.lottery.small.onnx_file import int8_bytes, onnx_bytes
from lth_pipeline.lottery.small.pt2_file import pt2_bytes
from lth_pipeline.lottery.small.reading import open_model
from lth_pipeline.lottery.small.safetensors_file import safetensors_bytes
from lth_pipeline_tests.fuzz.damage import damaged, tagged
from lth_pipeline_tests.fuzz.reader import Read, Reader, accepts
from lth_pipeline_tests.lottery import exported
from lth_pipeline_tests.lottery.cut import CLASSES, cut

TOLD = {"format": 1, "classes": [f"class {number}" for number in range(CLASSES)], "colour": None}


def _networks() -> list[tuple[Small, dict]]:
    """Fully connected, and convolutions with shortcuts."""
    residual = cut("resnet_cifar 8", {}, "few", 1, True)
    small = compact(*residual.arguments())
    return [(exported.network(), exported.about()), (small, {**TOLD, "image_shape": list(residual.image_shape)})]


def _inputs() -> st.SearchStrategy[tuple[str, bytes]]:
    onnx = [onnx_bytes(*known) for known in _networks()]
    sparse = [safetensors_bytes(*known, sparse=True) for known in _networks()]
    pt2 = [pt2_bytes(*known) for known in _networks()]
    return tagged(
        **{
            "x.onnx": damaged([*onnx, int8_bytes(onnx[1])]),
            "x.safetensors": damaged(sparse),
            "said.safetensors": damaged([_said(content) for content in sparse], 2).map(_saying(sparse[0])),
            "x.pt2": damaged(pt2),
            "packed.pt2": damaged([_record(content, "extra/lth_pipeline") for content in pt2], 2).map(
                _repacked(pt2[0], "extra/lth_pipeline")
            ),
            "tensors.pt2": damaged([_record(content, _CONFIG) for content in pt2], 2).map(_repacked(pt2[0], _CONFIG)),
        }
    )


_CONFIG = "data/weights/model_weights_config.json"


def _said(content: bytes) -> bytes:
    """The metadata of a .safetensors file."""
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return head["__metadata__"]["lth_pipeline"].encode()


def _saying(content: bytes) -> Callable[[bytes], bytes]:
    """Tensors as they are, the metadata damaged: past the format's own checks."""
    tensors = load(content)
    return lambda said: save(tensors, {"lth_pipeline": said.decode(errors="replace")})


def _record(content: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return next(archive.read(info) for info in archive.infolist() if info.filename.endswith(name))


def _repacked(content: bytes, name: str) -> Callable[[bytes], bytes]:
    """One record of a .pt2 file replaced, under a checksum that fits."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}

    def repack(record: bytes) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for each, whole in records.items():
                archive.writestr(each, record if each.endswith(name) else whole)
        return file.getvalue()

    return repack


@contextmanager
def _models(folder: Path) -> Iterator[Read]:
    def read(given: tuple[str, bytes]) -> bool:
        path = folder / given[0]
        path.write_bytes(given[1])

        def right() -> None:
            opened = open_model(path)
            logits = opened.logits(np.full((3, *opened.about["image_shape"]), 0.5, np.float32))
            assert logits.shape == (3, len(opened.about["classes"])) and np.isfinite(logits).all()

        return accepts(right, ModelFileError, path)

    yield read


READERS = (Reader("models", 500, _inputs, _models),)
