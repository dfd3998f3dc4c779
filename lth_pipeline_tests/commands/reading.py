"""Reading what the commands leave and print."""

import csv
import io
import json
from pathlib import Path

from lth_pipeline.recipes import Chain, Store, Workshop, load_cards
from lth_pipeline.recipes.analyses.catalog import ANALYSES
from lth_pipeline_tests.places import Place


def results(place: Place, card: str) -> list[dict[str, str]]:
    """The rows of `lth results CARD --format csv`."""
    return list(csv.DictReader(io.StringIO(place.here("results", card, "--format", "csv").stdout)))


def undisturbed_versions(folder: Path, card: str, replicates: int, through: int) -> dict[str, str]:
    """{recipe id: data version} of the trainings of `card` and of all before them, made in `folder` without Dagster."""
    (folder / "undisturbed.yaml").write_text(card)
    workshop = Workshop(Store(folder / "store"), "data", device="cpu")
    for replicate in range(replicates):
        chain = Chain(load_cards([folder]), "undisturbed", replicate)
        for round in range(through + 1):
            for step in chain.trainings(round):
                workshop.make(chain, step)
    return {path.stem: workshop.store.find(path.stem)["version"] for path in folder.rglob("recipes/*/*.json")}


def store_versions(place: Place) -> dict[str, str]:
    """{recipe id: data version} of every step in the store; of analyses none: that of costs holds seconds."""
    records = {
        path.stem: json.loads(path.read_text())["record"] for path in (place.store / "recipes").rglob("[!.]*.json")
    }
    return {id: record["version"] for id, record in records.items() if record["recipe"]["kind"] not in ANALYSES}
