"""What lies in a .pt2 file as plain data: its tensors and our metadata. Nothing in it is executed.

torch.export.load would: it unpickles the example inputs, evaluates the sizes as expressions and calls what the graph
names. Our files hold the program as JSON too, so none of that is needed.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lth_pipeline.lottery.errors import ModelFileError

WEIGHTS = "data/weights/"
CONFIG = f"{WEIGHTS}model_weights_config.json"
#: torch's numbers of its types, those that a network of ours has
TYPES = {4: torch.int32, 7: torch.float32}


def read_pt2(path: Path, key: str) -> tuple[str, dict[str, torch.Tensor]]:
    """(the extra file `key`, {name in the exported module: tensor}). Raises ModelFileError for what is not ours, and
    what zipfile, json and torch raise for damaged content: every record has a checksum."""
    with zipfile.ZipFile(path) as archive:
        records = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        if any(info.compress_type != zipfile.ZIP_STORED for info in records.values()):
            raise ModelFileError("compressed; torch writes its .pt2 files as they are")  # nor can it be a zip bomb
        if damaged := archive.testzip():
            raise ModelFileError(f"{damaged} in it is damaged: its checksum is another")
        if f"extra/{key}" not in records:
            raise ModelFileError(
                f"no metadata {key!r}: `lth export` did not write it, and a .pt2 file of other make can run programs"
            )
        if CONFIG not in records:
            raise ModelFileError(f"no {CONFIG} in it: no file of torch.export.save")
        config = json.loads(archive.read(records[CONFIG]))["config"]
        content = {meta["path_name"]: archive.read(records[WEIGHTS + meta["path_name"]]) for meta in config.values()}
        said = archive.read(records[f"extra/{key}"]).decode()
    return said, {name: _tensor(content[meta["path_name"]], name, meta) for name, meta in config.items()}


def _tensor(content: bytes, name: str, meta: Mapping[str, Any]) -> torch.Tensor:
    if meta["use_pickle"]:
        raise ModelFileError(f"{name} is pickled, and pickles can run programs: it is not loaded")
    told = meta["tensor_meta"]
    sizes, strides = ([n["as_int"] for n in told[what]] for what in ("sizes", "strides"))
    if not content:
        return torch.empty(sizes, dtype=TYPES[told["dtype"]])
    flat = torch.frombuffer(bytearray(content), dtype=TYPES[told["dtype"]])
    return torch.as_strided(flat, sizes, strides, told["storage_offset"]["as_int"])
