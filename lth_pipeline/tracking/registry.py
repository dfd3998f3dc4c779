"""Published tickets in MLflow's model registry: a version each, with the run that holds its files.

A version's run (tag lth.kind = "published") has the folder `model`, which MLflow's own tools load and serve, and beside
it the files of the ticket. Nothing of it is pickled.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lth_pipeline.experiments.settings.transfer import REFERENCE
from lth_pipeline.tracking.abandoned import whose
from lth_pipeline.tracking.patience import TrackingError
from lth_pipeline.tracking.runs import pages
from lth_pipeline.tracking.tracker import Tracker

if TYPE_CHECKING:
    import numpy as np
    from mlflow.entities.model_registry import ModelVersion

KIND = "published"
TEXT = ".md"  # how files that say something of a ticket end
MODEL = "model"  # the folder that MLflow loads, among the run's artifacts
NEEDED = ("onnx", "onnxruntime", "numpy")  # what that takes beside mlflow
SAME = ("lth.data_version", "lth.form")  # versions that have these in common are one
QUOTES = frozenset("'\"`\\")  # which MLflow's search cannot ask for


@dataclass(frozen=True)
class Publication:
    """What becomes a version of the registered model `model`.

    about: the model's description. note: the version's, in Markdown; a link to its run is put below. experiment,
    described: the MLflow experiment that takes the run, and its description; title: the run's name. onnx: the network
    as an ONNX file, from images (N, C, H, W) to logits (N, classes). examples: images of it, float32 (n, C, H, W) with
    pixels 0 to 1. files: {name: content} beside the model. tags: the version's, SAME among them; said: the run's own.
    """

    model: str
    about: str
    note: str
    experiment: str
    described: str
    title: str
    onnx: bytes
    examples: np.ndarray
    classes: int
    files: Mapping[str, bytes]
    tags: Mapping[str, str]
    said: Mapping[str, str]


class Version(NamedTuple):
    """number: as MLflow writes it, "3". run_id: of the run that has its files. is_new: made just now."""

    number: str
    run_id: str
    is_new: bool


def check_names(model: str, aliases: Iterable[str]) -> None:
    """Raise TrackingError for a name that MLflow does not take for a registered model, or for an alias, and for one
    that it could not be asked for, or that a card's ticket_from could not name."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils import validation

    try:
        validation._validate_model_name(model)
    except MlflowException as error:
        raise TrackingError(f"{model[:300]!r} is no name for a registered model: {error.message}") from error
    if QUOTES & set(model) or not REFERENCE.fullmatch(f"{model}@a"):
        raise TrackingError(
            f"{model[:300]!r} is no name for a registered model: it must have 1 to 256 characters, and none of @, "
            f"quotes, backslashes and control characters"
        )
    for alias in aliases:
        try:
            validation._validate_model_alias_name(alias)
            validation._validate_model_alias_name_reserved(alias)
        except MlflowException as error:
            raise TrackingError(f"{alias[:300]!r} is no name for an alias: {error.message}") from error


def find_version(tracker: Tracker, model: str, tags: Mapping[str, str]) -> Version | None:
    """The latest version of `model` with all of `tags` whose files are there still."""
    for found in sorted(versions(tracker, model), key=lambda version: -int(version.version)):
        if tags.items() <= found.tags.items() and _has_files(tracker, found.run_id):
            return Version(str(found.version), found.run_id, False)
    return None


def versions(tracker: Tracker, model: str) -> list[ModelVersion]:
    """Those of the registered model `model`; none where it is not there."""
    quote, ask = '"' if "'" in model else "'", tracker.client.search_model_versions
    return list(pages(lambda token: ask(f"name={quote}{model}{quote}", max_results=200, page_token=token)))


def register(tracker: Tracker, publication: Publication) -> Version:
    """The version of a publication: the one that was registered of the same before, of which is said anew what is
    said now, else a new one. Raises TrackingError.

    The run is made first and ends last: one that a killed process has left open holds no version, or one that the next
    publication finds.
    """
    same = {name: publication.tags[name] for name in SAME}
    known = find_version(tracker, publication.model, same)
    if known is None:
        run_id = _run(tracker, publication)
        _ensure_model(tracker, publication)
        source = f"{tracker.client.get_run(run_id).info.artifact_uri.rstrip('/')}/{MODEL}"
        made = tracker.client.create_model_version(
            publication.model,
            source,
            run_id,
            tags=dict(publication.tags),
            description=_note(tracker, publication, run_id),
        )
        known = Version(str(made.version), run_id, True)
    else:
        _say_anew(tracker, publication, known)
    _close(tracker, known.run_id)
    return known


def aliases_of(tracker: Tracker, model: str) -> dict[str, str]:
    """{alias: number of its version}; none where there is no such model."""
    from mlflow.exceptions import MlflowException

    try:
        found = tracker.client.get_registered_model(model).aliases
        return {alias: str(number) for alias, number in found.items()}
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}


def move_alias(tracker: Tracker, model: str, alias: str, number: str) -> None:
    """From now on `alias` is version `number` of `model`."""
    tracker.client.set_registered_model_alias(model, alias, number)


def _note(tracker: Tracker, publication: Publication, run_id: str) -> str:
    return f"{publication.note}\n\n[The run with its files]({tracker.run_url(publication.experiment, run_id)})"


def _say_anew(tracker: Tracker, publication: Publication, known: Version) -> None:
    """Of a version that is there: who chose it now, by which margin, what is known of it by now. What it is, its other
    files, stays."""
    client, model = tracker.client, publication.model
    for name, value in publication.tags.items():
        client.set_model_version_tag(model, known.number, name, value)
    client.update_model_version(model, known.number, _note(tracker, publication, known.run_id))
    for name in publication.tags.keys() & publication.said.keys():
        client.set_tag(known.run_id, name, publication.said[name])
    for name in (name for name in publication.files if name.endswith(TEXT)):
        client.log_text(known.run_id, publication.files[name].decode(), name)
    _ensure_model(tracker, publication)


def _run(tracker: Tracker, publication: Publication) -> str:
    """A run with the files of a publication, open still."""
    client = tracker.client
    tags = {"lth.kind": KIND, "lth.experiment": publication.experiment, **publication.said, **whose()}
    experiment = tracker.experiment_id(publication.experiment, publication.described)
    run_id = client.create_run(
        experiment, tags={**tags, "lth.status": "running"}, run_name=publication.title
    ).info.run_id
    with tempfile.TemporaryDirectory(prefix="lth-") as folder:
        for name, content in publication.files.items():
            (Path(folder) / name).write_bytes(content)
        _write_model(Path(folder) / MODEL, publication)
        client.log_artifacts(run_id, folder)
    return run_id


def _write_model(folder: Path, publication: Publication) -> None:
    """The folder that MLflow's onnx flavour loads, the network in it byte for byte as given.

    What it needs is said here: left to itself MLflow would run the model to find out, and ask a package index.
    """
    from importlib.metadata import version

    import mlflow.onnx
    import numpy as np
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    kind, (_, *shape) = np.dtype(np.float32), publication.examples.shape
    signature = ModelSignature(
        Schema([TensorSpec(kind, (-1, *shape))]), Schema([TensorSpec(kind, (-1, publication.classes), "logits")])
    )
    mlflow.onnx.save_model(
        onnx.load_from_string(publication.onnx),
        folder,
        signature=signature,
        input_example=publication.examples,
        pip_requirements=[f"{name}=={version(name)}" for name in NEEDED],
        onnx_execution_providers=["CPUExecutionProvider"],
        save_as_external_data=False,
    )
    (folder / "model.onnx").write_bytes(publication.onnx)


def _ensure_model(tracker: Tracker, publication: Publication) -> None:
    from mlflow.exceptions import MlflowException

    client, name = tracker.client, publication.model
    try:
        client.create_registered_model(name, description=publication.about)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        if client.get_registered_model(name).description != publication.about:
            client.update_registered_model(name, publication.about)


def _has_files(tracker: Tracker, run_id: str | None) -> bool:
    """Whether a version's run is there, and its model."""
    from mlflow.exceptions import MlflowException

    try:
        run: Any = tracker.client.get_run(run_id) if run_id else None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False
    if run is None or run.info.lifecycle_stage != "active":
        return False
    return any(file.path == f"{MODEL}/MLmodel" for file in tracker.client.list_artifacts(run_id, MODEL))


def _close(tracker: Tracker, run_id: str) -> None:
    """The run of a version that is there."""
    tracker.client.set_terminated(run_id)
    tracker.client.set_tag(run_id, "lth.status", "current")  # last: whenever this is cut short, it is done once more
