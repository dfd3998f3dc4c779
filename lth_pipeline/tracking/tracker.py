"""The connection to the tracking store, made once and safely."""

from __future__ import annotations

import logging
import os
import socket
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lth_pipeline.files import ensure_writable
from lth_pipeline.tracking.patience import Away, Patience, PatientClient, TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass
class Tracker:
    """client: of the store at `uri`, each of its calls insisted on. ui: where its web pages are, for links."""

    client: MlflowClient
    uri: str
    artifacts: Path | None  # root of artifacts for a store without a server; None: the server decides
    ui: str
    patience: Patience
    experiment_ids: dict[str, str] = field(default_factory=dict)

    def experiment_id(self, name: str, description: str = "") -> str:
        """The MLflow experiment of a card, created where it is missing."""
        if self.known(name) is None:
            self.experiment_ids[name] = self._create(name, description)
        return self.experiment_ids[name]

    def known(self, name: str) -> str | None:
        """The MLflow experiment of a card, where there is one: to look for runs makes none."""
        if name not in self.experiment_ids and (found := self._find(name)):
            self.experiment_ids[name] = found
        return self.experiment_ids.get(name)

    def run_url(self, experiment: str, run_id: str) -> str:
        # Without the workflow type the pages open in MLflow's mode for language models.
        return f"{self.ui}/#/experiments/{self.experiment_id(experiment)}/runs/{run_id}?workflowType=machine_learning"

    def _find(self, name: str) -> str | None:
        found = self.client.get_experiment_by_name(name)
        if found and found.lifecycle_stage == "deleted":
            raise TrackingError(
                f"the MLflow experiment {name!r} of {self.uri} was deleted; restore it "
                f"(mlflow experiments restore -x {found.experiment_id}) or remove it for good (mlflow gc)"
            )
        if found and self.artifacts and found.artifact_location != (self.artifacts / name).as_uri():
            raise TrackingError(
                f"the MLflow experiment {name!r} of {self.uri} keeps its artifacts in {found.artifact_location}, "
                f"not in {self.artifacts}: was the folder moved or copied? Move it back, or put it aside and "
                f"run again: a new store is filled from what is known, and nothing is trained for it; but published "
                f"versions of models are known to the old one alone, so publish them again (lth publish)"
            )
        return found.experiment_id if found else None

    def _create(self, name: str, description: str) -> str:
        from mlflow.exceptions import MlflowException

        location = (self.artifacts / name).as_uri() if self.artifacts else None
        tags = {"mlflow.note.content": description, "mlflow.experimentKind": "custom_model_development"}
        try:
            return self.client.create_experiment(name, artifact_location=location, tags=tags)
        except MlflowException:  # another process was faster
            found = self._find(name)
            if found is None:
                raise
            return found


def open_tracker(uri: str, folder: Path, ui: str, patience: Patience | None = None) -> Tracker:
    """The tracking store at `uri`; `folder` takes the artifacts of a store without a server.

    patience: with a server that is away; left out: none. Raises TrackingError.

    A new SQLite file is made under a temporary name by one process while others wait: several that open a
    new file together would leave it broken.
    """
    _quiet()
    artifacts = None if uri.startswith("http") else folder / "artifacts"
    if uri.startswith("sqlite:///"):
        path = Path(uri.removeprefix("sqlite:///"))
        ensure_writable(path.parent, TrackingError)
        ensure_writable(artifacts, TrackingError)
        _create_sqlite(path)
    patience = patience or Patience(uri, 0.0)
    if uri.startswith("http"):
        patience.insist(lambda: _probe(uri))
    from mlflow import MlflowClient

    try:
        # the store's own registry, wherever MLFLOW_REGISTRY_URI points: what lth publishes and what it asks are one
        client = PatientClient(MlflowClient(tracking_uri=uri, registry_uri=uri), patience)
        client.search_experiments(max_results=1)
    except TrackingError:
        raise
    except Exception as error:
        said = " ".join(str(getattr(error, "orig", None) or error).split())[:300]
        raise TrackingError(f"the MLflow store {uri} cannot be used ({said})") from error
    return Tracker(client, uri, artifacts, ui, patience)


def _probe(uri: str) -> None:
    """Does anybody listen?"""
    place = urlsplit(uri)
    try:
        socket.create_connection((place.hostname, place.port or (443 if place.scheme == "https" else 80)), 5).close()
    except OSError as error:
        raise Away(
            f"the MLflow server {uri} does not answer ({error}); start it, or unset MLFLOW_TRACKING_URI"
        ) from error


def _create_sqlite(path: Path) -> None:
    from filelock import FileLock

    if path.is_file():
        return
    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.is_file():
            return
        from mlflow import MlflowClient

        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        try:
            database = f"sqlite:///{fresh}"
            MlflowClient(tracking_uri=database, registry_uri=database).search_experiments(max_results=1)
            fresh.replace(path)
        except Exception as error:
            raise TrackingError(f"{path}: the MLflow store cannot be made: {error}") from error
        finally:
            fresh.unlink(missing_ok=True)


def _quiet() -> None:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    warnings.filterwarnings("ignore", module=r"mlflow\..*")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow's own client asks seven times and waits two minutes for each answer; who waits, and how long, is said by
    # Patience. Thirty seconds are for a large artifact to be put in its place.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
