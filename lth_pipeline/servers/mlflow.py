"""MLflow behind the guard: what `mlflow server` starts, with its application wrapped."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress

from lth_pipeline.home import find_home
from lth_pipeline.servers.serve import end_when_left, options, serve


def settings(store: str) -> dict[str, str]:
    """The variables that `mlflow server --backend-store-uri store` gives its workers.

    They are not public; lth_pipeline_tests/servers/test_mlflow.py holds them to what `mlflow server` sets. They stand
    here by name, not by MLflow's constants, for its server reads some of them when it is imported.
    """
    return {
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_REGISTRY_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT", "mlflow-artifacts:/"),
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", "./mlartifacts"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_BOOT_ID": uuid.uuid4().hex,
        "_MLFLOW_IN_JOB_EXECUTOR": "false",
        "_MLFLOW_SGI_NAME": "uvicorn",
    }


def main() -> None:
    chosen = options("mlflow")
    end_when_left()
    with suppress(KeyboardInterrupt):
        os.environ.update(settings(find_home().tracking_uri))
        os.environ.setdefault("MLFLOW_SERVER_ALLOWED_HOSTS", "*")  # the guard has looked at the name already
        from mlflow.server.fastapi_app import app

        serve(app, chosen, "info")


if __name__ == "__main__":
    main()
