"""How much disk what has been made takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lth_pipeline.experiments import Experiment
from lth_pipeline.home import Home
from lth_pipeline.orchestration.stages import all_stages
from lth_pipeline.orchestration.status import AssetStatus
from lth_pipeline.recipes import Chain, Workshop
from lth_pipeline.recipes.workshop import Seen


def taken(
    home: Home, cards: Mapping[str, Experiment], workshop: Workshop, name: str, entries: Iterable[AssetStatus]
) -> int:
    """Bytes of what `entries` of an experiment, or a sweep, stand for.

    Of replicates the artifacts that their rounds consist of, each once, also where others share them; of results the
    reports, and the artifacts in MLflow where these lie here.
    """
    deepest: dict[int, int] = {}
    results = 0
    for entry in entries:
        if entry.replicate is None:
            results = below(home.reports / name) + (0 if is_server(home) else below(home.mlflow / "artifacts" / name))
        elif entry.round is not None and entry.state != "missing":  # what its analyses take is in the reports
            deepest[entry.replicate] = max(entry.round, deepest.get(entry.replicate, 0))
    versions: set[str] = set()
    for replicate, round in deepest.items():
        versions |= versions_of(workshop, workshop.chain(cards, name, replicate), round)
    return results + sum(_size(workshop.store.object_path(version)) for version in versions)


def versions_of(workshop: Workshop, chain: Chain, through: int) -> set[str]:
    """The data versions that rounds 0 … through of a replicate consist of, those taken from elsewhere among them."""
    seen: Seen = {}
    for stage, round in all_stages(through):
        for step in stage.steps(chain, round):
            workshop.look_up(chain, step, seen)
    return set(_versions(seen))


def totals(home: Home) -> dict[str, int]:
    """Bytes of everything, by where it lies."""
    local = {} if is_server(home) else {"MLflow": below(home.mlflow)}
    return {"store": below(home.store), **local, "Dagster": below(home.dagster), "reports": below(home.reports)}


def is_server(home: Home) -> bool:
    """Whether MLflow's artifacts lie with a server."""
    return home.tracking_uri.startswith("http")


def below(folder: Path) -> int:
    """Bytes of all files below a folder; 0 where there is none."""
    return sum(_size(Path(place, name)) for place, _, names in os.walk(folder) for name in names)


def _versions(seen: Seen) -> Iterator[str]:
    for found in seen.values():
        if isinstance(found, dict):  # of another experiment
            yield from _versions(found)
        elif found is not None:
            yield found.version


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # gone by now
        return 0
