"""Versions in MLflow's model registry, registered by hand as `lth publish` does it."""

import tempfile
from pathlib import Path

from mlflow import MlflowClient


def register(client: MlflowClient, name: str, content: bytes | None, alias: str = "", file: str = "ticket.safetensors"):
    """A new version of model `name`, whose run has `content` as the artifact `file` (None: no file); gives it."""
    if not client.search_registered_models(f"name='{name}'"):
        client.create_registered_model(name)
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name, _place(client, name))
    run = client.create_run(experiment_id)
    if content is not None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, file)
            path.write_bytes(content)
            client.log_artifact(run.info.run_id, str(path))
    version = client.create_model_version(name, f"runs:/{run.info.run_id}", run.info.run_id)
    if alias:
        client.set_registered_model_alias(name, alias, version.version)
    return version


def _place(client: MlflowClient, name: str) -> str | None:
    """Where artifacts go: beside the database, or the tests would leave theirs in the folder that they run in; None
    where a server decides."""
    uri = client.tracking_uri
    return (Path(uri.removeprefix("sqlite:///")).parent / "artifacts" / name).as_uri() if "sqlite" in uri else None
