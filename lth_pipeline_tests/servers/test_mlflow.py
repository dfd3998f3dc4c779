"""Our MLflow server is started with the variables that `mlflow server` gives its own."""

import click.testing

from lth_pipeline.commands.ui import server_settings
from lth_pipeline.servers.mlflow import settings
from lth_pipeline_tests.places import PROJECT


def test_the_settings_are_those_of_mlflow_server(monkeypatch):
    """When this fails after an update of MLflow: look at `mlflow.server._run_server`, and set what it sets."""
    import mlflow.cli
    import mlflow.server

    started = {}

    def note(command, extra_env, **_):
        started.update(command=command, env=extra_env)
        raise SystemExit

    for name, value in server_settings(PROJECT / "mlflow" / "server.env").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_ENABLE_WORKSPACES", "false")  # the command sets it: put back afterwards
    monkeypatch.setattr(mlflow.server, "_exec_cmd", note)
    monkeypatch.setattr(mlflow.server.handlers, "initialize_backend_stores", lambda *_, **__: None)
    store = "sqlite:////somewhere/mlflow.db"
    said = click.testing.CliRunner().invoke(mlflow.cli.server, ["--backend-store-uri", store, "--workers", "1"])
    assert started, said.output
    assert started["command"][-1] == "mlflow.server.fastapi_app:app", "the application that we wrap"
    ours, theirs = settings(store), dict(started["env"])
    assert len(ours.pop("_MLFLOW_SERVER_BOOT_ID")) == len(theirs.pop("_MLFLOW_SERVER_BOOT_ID"))
    for name in ("MLFLOW_SERVER_SECRETS_CACHE_TTL", "MLFLOW_SERVER_SECRETS_CACHE_MAX_SIZE"):
        del theirs[name]  # public ones, of the gateway's keys, and given their defaults
    assert ours == theirs
