"""The store's files: artifacts, records of recipes, checkpoints."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from hypothesis import strategies as st
from safetensors.torch import save

from lth_pipeline.recipes import Store, StoreError
from lth_pipeline.recipes.garbage import Current, garbage
from lth_pipeline.recipes.inventory import take_inventory
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.store import name_together
from lth_pipeline_tests.fuzz.damage import damaged, tagged
from lth_pipeline_tests.fuzz.reader import Read, Reader, accepts
from lth_pipeline_tests.recipes.making import same

RECIPE = Recipe("ticket", {}, {"mask": "0" * 64, "weights": "1" * 64})
TENSORS = {"fc1.weight": torch.arange(6.0).reshape(2, 3), "fc1.bias": torch.tensor([0.5, -0.0])}
INSPECTED = ("record", "listed", "together")  # what `lth gc` looks into; the others it goes by their names
TOGETHER = name_together([RECIPE.id])
ROUTE = {"device": "cpu", "threads": 1}


def _filled(folder: Path) -> tuple[Store, dict, dict[str, Path]]:
    store = Store(folder / "store")
    record = store.save(RECIPE, TENSORS, facts={"accuracy": 0.9712}, route=ROUTE)
    store.save_checkpoint(RECIPE.id, TENSORS, ROUTE)
    store.save_checkpoint(TOGETHER, TENSORS, ROUTE, [RECIPE.id])
    paths = {
        "artifact": store.object_path(record["version"]),
        "record": store.record_path(RECIPE.id),
        "checkpoint": store.checkpoint_path(RECIPE.id),
        "together": store.checkpoint_path(TOGETHER),
        "listed": store.record_path(RECIPE.id),
    }
    return store, record, paths


def _announcing(shape: list[int], dtype: str = "F32", offsets: tuple[int, int] = (0, 0), size: int = 0) -> bytes:
    """A safetensors file of one tensor as it says."""
    head = json.dumps({"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()
    return _head(head) + bytes(size)


def _sealed(record: object) -> bytes:
    """Under a checksum that fits."""
    seal = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    return json.dumps({"record": record, "sha256": seal}).encode()


def _head(head: bytes) -> bytes:
    """A safetensors file as far as its first tensor."""
    return struct.pack("<Q", len(head)) + head


def _inputs() -> st.SearchStrategy[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        whole = {kind: path.read_bytes() for kind, path in _filled(Path(folder))[2].items()}
    others = [
        save({"fc1.weight": torch.zeros(2, 3), "y": torch.zeros(3, dtype=torch.int64)}),
        _announcing([2**31, 2**31], size=8),
        _announcing([2], "F16", (0, 4), 4),
        _announcing([1], "U64", (0, 8), 8),
    ]
    numbers = [2**63, -1, 10**400, 0.5, None, [], "", "../../x"]
    records = [json.dumps({"record": {"version": number}, "sha256": "0"}).encode() for number in numbers]
    records += [_sealed(record) for record in ([], {}, {"version": 5})]
    inputs = [{}, {"mask": ["0"]}, {"mask": {}}, [], None]
    makers = [{}, None, [], {"experiment": [], "dagster_run": {}}, {"experiment": {}, "replicate": "x", "step": 5}]
    listed = [
        _sealed({"version": "0" * 64, "facts": {}, "route": {}, "recipe": {"inputs": read}, "made_by": maker})
        for read in inputs
        for maker in makers
    ]
    records.append(b"[" * 50_000)
    artifacts = damaged([whole["artifact"], *others, _announcing([0, 2**62])], 3)
    never = [_announcing([0, 2**62]), save({"weights/w": torch.zeros(2, dtype=torch.bfloat16)})]
    checkpoints = damaged([whole["checkpoint"], *others, *never], 3)
    together = damaged([whole["together"], _head(b"[" * 50_000), _head(b'{"__metadata__": {"of": 5}}')], 3)
    return tagged(
        artifact=artifacts,
        checkpoint=checkpoints,
        together=together,
        record=damaged([whole["record"], *records], 3),
        listed=damaged(listed, 1),
    )


@contextmanager
def _store(folder: Path) -> Iterator[Read]:
    store, record, paths = _filled(folder)
    version = record["version"]
    whole = {kind: path.read_bytes() for kind, path in paths.items()}

    def read(given: tuple[str, bytes]) -> bool:
        kind, content = given
        paths[kind].write_bytes(content)
        try:
            listed = kind in INSPECTED and _is_listed(store, paths[kind])
            if kind == "listed":
                return listed
            if kind == "artifact":
                return accepts(lambda: _exactly(store.load(version)), StoreError, paths[kind])
            if kind == "record":
                return accepts(lambda: _is(store.find(RECIPE.id), record), StoreError, paths[kind])
            if kind == "together":
                return bool(store.trained_together(RECIPE.id))
            found = store.load_checkpoint(RECIPE.id, ROUTE)
            assert found is None or same(found, TENSORS)  # as good as none: the training starts over
            return found is not None
        finally:
            paths[kind].write_bytes(whole[kind])
            shutil.rmtree(store.folder / "damaged", ignore_errors=True)  # where damaged files are put aside

    yield read


def _is_listed(store: Store, path: Path) -> bool:
    """Whether the record can be used by `lth gc`, which goes through a store whatever lies there: what it cannot use it
    names and keeps."""
    found = take_inventory(store)
    planned = garbage(found, Current((), (), ()))
    assert (RECIPE.id in found.records) != (RECIPE.id in found.damaged)
    if RECIPE.id in found.damaged:
        assert path not in {item.path for item in planned.items} and any(str(path) in note for note in planned.notes)
    return RECIPE.id in found.records


def _exactly(found: dict[str, torch.Tensor]) -> None:
    assert same(found, TENSORS) and {t.dtype for t in found.values()} == {torch.float32}


def _is(found: object, right: object) -> None:
    assert found == right


READERS = (Reader("store", 1_600, _inputs, _store),)
