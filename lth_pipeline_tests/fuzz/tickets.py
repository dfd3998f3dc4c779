"""Published tickets, and what the cache knows of them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from hypothesis import strategies as st
from safetensors.torch import load, save

from lth_pipeline.experiments.settings import TransferSettings
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.recipes import registry, registry_cache
from lth_pipeline.recipes.errors import PublishedError
from lth_pipeline.recipes.published import KEY, read_ticket, ticket_bytes
from lth_pipeline_tests.fuzz.damage import damaged, tagged
from lth_pipeline_tests.fuzz.reader import Read, Reader, accepts
from lth_pipeline_tests.recipes.making import same

FACTS = {
    **{"format": 1, "experiment": "digits", "replicate": 0, "round": 2, "arm": "ticket", "structure": "weights"},
    **{"model": {"name": "mlp", "widths": []}, "image_shape": [1, 1, 3], "classes": 2, "density": 0.5, "weights": 3},
    **{"layers": [["output", "fc", [2, 3], True]], "versions": dict.fromkeys(("mask", "ticket", "trained"), "0")},
    **{"data": {"title": "digits", "digest": "d"}, "recipes": {"trained": "1"}},
}
MASK = {"output.weight": torch.tensor([[True, False, True], [False, False, True]])}
WEIGHTS = {"output.weight": torch.ones(2, 3) * MASK["output.weight"], "output.bias": torch.tensor([0.5, -0.0])}
WHOLE = ticket_bytes(MASK, WEIGHTS, WEIGHTS, FACTS)
ORIGIN = TransferSettings(registry="digits@best")


def _noted(folder: Path) -> tuple[DataDirs, Path]:
    """A cache in which a ticket was fetched, and the file that says which."""
    dirs = DataDirs(folder, folder / "cache")

    def fetch(into: Path) -> Path:
        (into / "ticket").write_bytes(WHOLE)
        return into / "ticket"

    answer = registry.Answer("1", "run", fetch)
    registry.prepare(ORIGIN, dirs, registry.Registry(lambda origin, patient: answer, print))
    (entry,) = (dirs.cache / "registry").glob("version-*.json")
    return dirs, entry


def _inputs() -> st.SearchStrategy[tuple[str, bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        whole = _noted(Path(folder))[1].read_bytes()
    tensors = load(WHOLE)
    metadata = [{}, {KEY: "[" * 5000}, {KEY: "5"}, {KEY: "{}"}, {KEY: json.dumps({"facts": FACTS, "sha256": None})}]
    others = [save(tensors, metadata=each) for each in metadata]
    others.append(save({"mask/output.weight": torch.zeros(2, dtype=torch.bfloat16)}, metadata=metadata[-1]))
    entries = [b"[" * 50_000, b"{}", b"5", json.dumps({"content": {"version": "2"}, "sha256": "0"}).encode()]
    entries.append(json.dumps({"content": 5, "sha256": registry_cache._seal(5)}).encode())
    return tagged(file=damaged([WHOLE, *others], 3), entry=damaged([whole, *entries], 3))


@contextmanager
def _tickets(folder: Path) -> Iterator[Read]:
    dirs, entry = _noted(folder)
    known, path = registry.known(ORIGIN, dirs), folder / "ticket.safetensors"

    def read(given: tuple[str, bytes]) -> bool:
        kind, content = given
        if kind == "file":
            path.write_bytes(content)
            return accepts(lambda: _exactly(read_ticket(path)), PublishedError, path)
        entry.write_bytes(content)
        registry_cache._recalled.cache_clear()  # written faster than the clock of files ticks
        found = registry.known(ORIGIN, dirs)
        assert found is None or found == known  # as good as never fetched
        return found is not None

    yield read


def _exactly(found) -> None:
    assert same(found.mask, MASK) and same(found.rewound, WEIGHTS) and same(found.trained, WEIGHTS)
    assert found.facts == FACTS


READERS = (Reader("tickets", 400, _inputs, _tickets),)
