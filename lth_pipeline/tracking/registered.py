"""Versions in MLflow's model registry: which one a name means, and the files of its run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lth_pipeline.tracking.tracker import Tracker, TrackingError

T = TypeVar("T")
MOST_BYTES = 2**32  # of a file that is fetched: a ticket of the largest network here is a tenth of that
MOST_NAMED = 20  # models, versions or files that a message lists


class NotRegisteredError(TrackingError):
    """There is no such model, alias, version or file; the message says what there is."""


@dataclass(frozen=True)
class Version:
    """A version of a registered model. run_id: of the run that has its files."""

    name: str
    version: str
    run_id: str
    tags: Mapping[str, str]


def resolve(tracker: Tracker, name: str, alias: str = "", version: str = "") -> Version:
    """The version of model `name` that has `alias`, or that number. Raises NotRegisteredError and TrackingError."""
    model = _found(lambda: tracker.client.get_registered_model(name))
    if model is None:
        known = sorted(each.name for each in tracker.client.search_registered_models(max_results=1000))
        raise NotRegisteredError(f"no model {name!r} in the registry {tracker.uri}; there are: {_listed(known)}")
    if alias and alias not in model.aliases:
        known = [f"{each} (version {number})" for each, number in sorted(model.aliases.items())]
        raise NotRegisteredError(f"model {name!r} has no alias {alias!r}; there are: {_listed(known)}")
    number = str(model.aliases[alias]) if alias else version
    found = _found(lambda: tracker.client.get_model_version(name, number))
    if found is None:
        quote = '"' if "'" in name else "'"
        every = tracker.client.search_model_versions(f"name={quote}{name}{quote}", max_results=1000)
        known = sorted((str(each.version) for each in every), key=int)
        raise NotRegisteredError(f"model {name!r} has no version {number}; there are: {_listed(known)}")
    if not found.run_id:
        raise NotRegisteredError(f"version {number} of model {name!r} names no run, so it has no files; publish anew")
    return Version(name, number, found.run_id, dict(found.tags))


def fetch_file(tracker: Tracker, run_id: str, file: str, folder: Path) -> Path:
    """Bring the artifact `file` of a run into `folder`, which is there. Raises NotRegisteredError and TrackingError."""
    there = _found(lambda: tracker.client.list_artifacts(run_id))
    if there is None:
        raise NotRegisteredError(f"MLflow run {run_id} is gone, and its files with it; publish the ticket anew")
    sizes = {each.path: each.file_size for each in sorted(there, key=lambda each: each.path)}
    names = list(sizes)
    if file not in names:
        raise NotRegisteredError(
            f"MLflow run {run_id} has no file {file!r}, which a published ticket has; there are: {_listed(names)}"
        )
    if (sizes[file] or 0) > MOST_BYTES:
        raise NotRegisteredError(
            f"MLflow run {run_id}: its file {file!r} has {sizes[file]:,} bytes; at most {MOST_BYTES:,} are fetched"
        )
    return Path(tracker.client.download_artifacts(run_id, file, str(folder)))


def set_tag(tracker: Tracker, version: Version, key: str, value: str) -> None:
    """Of a version, unless that is gone by now. Raises TrackingError."""
    _found(lambda: tracker.client.set_model_version_tag(version.name, version.version, key, value))


def version_url(ui: str, name: str, version: str) -> str:
    """The page of a version in MLflow's pages at `ui`."""
    from urllib.parse import quote

    # without the workflow type the pages open in MLflow's mode for language models
    return f"{ui}/#/models/{quote(name, safe='')}/versions/{version}?workflowType=machine_learning"


def _found(ask: Callable[[], T]) -> T | None:
    """None where the store says that there is no such thing."""
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _listed(names: Collection[str]) -> str:
    named = list(names)
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    return ", ".join(named[:MOST_NAMED]) + more if named else "none"
