"""Finding runs by what they are about, and setting aside those that a newer one replaces."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lth_pipeline.tracking.database import tags_of_runs
from lth_pipeline.tracking.tracker import Tracker

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class Training:
    """What a run is about: one arm in one round of one replicate. description: of the experiment."""

    experiment: str
    description: str
    replicate: int
    round: int
    arm: str
    draw: int = 0  # of an arm that is drawn at random

    @property
    def tags(self) -> dict[str, str]:
        return {
            "lth.kind": "round",
            "lth.experiment": self.experiment,
            "lth.replicate": str(self.replicate),
            "lth.round": str(self.round),
            "lth.arm": self.arm,
            "lth.draw": str(self.draw),
        }

    @property
    def searched(self) -> dict[str, str]:
        """The tags that every run of it has; runs from before there were several draws have no lth.draw."""
        return {name: value for name, value in self.tags.items() if name != "lth.draw"}

    @property
    def label(self) -> str:
        """The arm, with the number of its draw from the second on."""
        return f"{self.arm} {self.draw + 1}" if self.draw else self.arm

    @property
    def name(self) -> str:
        return f"round {self.round:02d} · {self.label} · replicate {self.replicate}"


def find_current(tracker: Tracker, training: Training, version: str) -> str | None:
    """The finished, current run of a training that gave the data version `version`."""
    return next(
        (
            run.info.run_id
            for run in attempts(tracker, training)
            if run.data.tags.get("lth.status") == "current" and run.data.tags.get("lth.data_version") == version
        ),
        None,
    )


def attempts(tracker: Tracker, training: Training) -> list:
    """Every run of a training, the latest first."""
    found = search(tracker, training.experiment, training.searched)
    return [run for run in found if draw_of(run.data.tags) == training.draw]


def draw_of(tags: Mapping[str, str]) -> int:
    """The number of a run's draw."""
    return int(tags.get("lth.draw", "0"))


def search(tracker: Tracker, experiment: str, tags: Mapping[str, str], *more: str) -> list:
    """Runs of an experiment with all of `tags`, the latest first. more: conditions in MLflow's words."""
    where = " and ".join([*(f"tags.`{name}` = '{value}'" for name, value in tags.items()), *more])
    experiment_id = tracker.known(experiment)
    if experiment_id is None:
        return []
    ask = tracker.client.search_runs
    return list(pages(lambda token: ask([experiment_id], where, max_results=1000, page_token=token)))


def pages(page_of: Callable[[str | None], Any]) -> Iterator[Any]:
    """Everything that a search of MLflow's client gives, page by page."""
    token = None
    while True:
        page = page_of(token)
        yield from page
        token = page.token
        if not token:
            return


def supersede(tracker: Tracker, training: Training, by: str) -> None:
    """Mark all other attempts at a training: done with, and by what."""
    for run in attempts(tracker, training):
        if run.info.run_id != by and run.data.tags.get("lth.status") != "superseded":
            set_aside(tracker, run, by)


def set_aside(tracker: Tracker, run: Run, by: str) -> None:
    """A newer run stands in this one's place. One that was killed is closed. Its status comes last: what has it, has
    all of this."""
    client, run_id = tracker.client, run.info.run_id
    if run.info.status == "RUNNING":
        client.set_terminated(run_id, status="KILLED")
    client.set_tag(run_id, "lth.superseded_by", by)
    client.set_tag(run_id, "lth.status", "superseded")


def log_files(tracker: Tracker, run_id: str, files: Mapping[str, bytes]) -> None:
    """Log {file name: content} as artifacts, in one go."""
    with tempfile.TemporaryDirectory(prefix="lth-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        tracker.client.log_artifacts(run_id, folder)


#: what a run is known by: replicate, round, arm, data version
RunKey = tuple[int, int, str, str]


def run_ids(tracker: Tracker, experiment: str) -> dict[RunKey, str]:
    """The current runs of an experiment. By data version too: a run of other settings is not this training's."""
    experiment_id, current = tracker.known(experiment), {"lth.kind": "round", "lth.status": "current"}
    if experiment_id is None:
        return {}
    names = (*current, "lth.replicate", "lth.round", "lth.arm", "lth.data_version")
    found = tags_of_runs(tracker, experiment_id, names)
    if found is None:
        return {_key(run.data.tags): run.info.run_id for run in reversed(search(tracker, experiment, current))}
    return {_key(tags): run_id for run_id, tags in found.items() if current.items() <= tags.items()}


def _key(tags: Mapping[str, str]) -> RunKey:
    return int(tags["lth.replicate"]), int(tags["lth.round"]), tags["lth.arm"], tags.get("lth.data_version", "")
