"""The table of a card's results, from a store with the records of all its trainings."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from benchmarks.results import Figures, figure

CARD = """\
description: as many results as a table may have
data: {{name: digits, validation_size: 200}}
model: {{name: mlp, widths: [5]}}
training: {{optimiser: adam, learning_rate: 2e-3, batch_size: 32, iterations: 2, evaluate_every: 1}}
pruning: {{scope: layerwise, rates: {{fc: 0.05}}, output_rate: 0.05, rounds: {rounds}}}
arms: [ticket, reinit, random_mask]
draws: {draws}
replicates: {replicates}
"""
Made = TypeVar("Made")


def rows_of_a_large_card(replicates: int = 45, rounds: int = 25, draws: int = 4) -> Figures:
    """10,170 rows as the settings stand: 9 trainings a round and a dense one in each replicate."""
    from lth_pipeline.recipes import Store, Workshop, load_cards

    with tempfile.TemporaryDirectory(prefix="lth-bench-") as name:
        folder = Path(name)
        (folder / "cards").mkdir()
        (folder / "cards" / "large.yaml").write_text(CARD.format(rounds=rounds, draws=draws, replicates=replicates))
        cards = load_cards([folder / "cards"])
        store = Store(folder / "store")
        started = time.perf_counter()
        records = _fill(Workshop(store, folder / "data", device="cpu"), cards, "large")
        print(f"table: {records:,} records written in {time.perf_counter() - started:.0f} s")
        # a workshop of its own, that has looked at nothing yet
        seconds, rows = _timed(lambda: _table(Workshop(store, folder / "data", device="cpu"), cards, "large"))
    return {"table_of_10000_rows_seconds": figure(seconds * 10_000 / rows, "s", 5)}


def _table(workshop, cards: Mapping[str, Any], name: str) -> int:
    """What `lth results` and the asset `results` make of the records; gives the number of rows."""
    from lth_pipeline.recipes.results import gather
    from lth_pipeline.reports import table

    chains = [workshop.chain(cards, name, replicate) for replicate in range(cards[name].replicates)]
    gathering, rows = _timed(lambda: gather(workshop, chains))
    ids = {(row["replicate"], row["round"], row["arm"], row["data_version"]): "0" * 32 for row in rows}
    framing, frame = _timed(lambda: table.results_table(rows, ids))
    parts = {"gather": gathering, "frame": framing}
    parts["means"], _ = _timed(lambda: (table.by_round(frame), table.notes(frame)))
    parts["differences"], _ = _timed(lambda: [table.differences(frame, arm) for arm in ("reinit", "random_mask")])
    parts["CSV"], _ = _timed(lambda: frame.to_csv(index=False))
    print(f"{len(frame):,} rows: " + ", ".join(f"{part} {seconds:.2f} s" for part, seconds in parts.items()))
    return len(frame)


def _timed(work: Callable[[], Made]) -> tuple[float, Made]:
    started = time.perf_counter()
    made = work()
    return time.perf_counter() - started, made


def _fill(workshop, cards: Mapping[str, Any], name: str) -> int:
    """Save a small artifact under the recipe of every step of the card, as if it had been computed; gives how many."""
    import torch

    number = count()

    def replicate_of(chain) -> None:
        versions: dict[Any, str] = {}

        def version_of(step) -> str:
            if step not in versions:
                record = workshop.store.save(
                    chain.recipe(step, version_of),
                    {"number": torch.tensor(next(number))},
                    facts=_facts(chain, step),
                    route={"device": "cpu", "processor": "none", "torch": torch.__version__},
                    made_by={"experiment": name, "replicate": chain.replicate, "step": str(step)},
                    made_at="2000-01-01T00:00:00+00:00",
                )
                versions[step] = record["version"]
            return versions[step]

        for round in range(cards[name].pruning.rounds + 1):
            for step in chain.trainings(round):
                version_of(step)

    with patch("lth_pipeline.files.os.fsync"):  # not what is measured
        for replicate in range(cards[name].replicates):
            replicate_of(workshop.chain(cards, name, replicate))
    return next(number)


def _facts(chain, step) -> dict[str, Any]:
    if step.kind == "mask":
        rung = chain.rung(step.round)
        return {"weights": rung.weights, "density": rung.density}
    if step.kind != "trained":
        return {}
    accuracy = 0.5 + (step.round + step.draw + chain.replicate) % 17 / 100
    return {
        "early_stop_iteration": 1,
        "test_accuracy_at_early_stop": accuracy,
        "test_accuracy_at_end": accuracy,
        "train_accuracy_at_end": 1.0,
        "validation_loss_min": 0.1,
        "seconds": 0.01,
        "iterations": 2,
        "iterations_per_second": 200.0,
    }
