"""Reading what the commands leave and print."""

import csv
import io
import json

from lth_pipeline_tests.places import Place


def results(place: Place, card: str) -> list[dict[str, str]]:
    """The rows of `lth results CARD --format csv`."""
    return list(csv.DictReader(io.StringIO(place.lth("results", card, "--format", "csv").stdout)))


def store_versions(place: Place) -> dict[str, str]:
    """{recipe id: data version} of everything in the store."""
    return {
        path.stem: json.loads(path.read_text())["record"]["version"]
        for path in (place.store / "recipes").rglob("[!.]*.json")
    }
