import shutil
from pathlib import Path

import pytest
import torch
from dagster import DagsterInstance
from filelock import FileLock
from hypothesis import settings

from lth_pipeline.tracking.tracker import open_tracker
from lth_pipeline_tests.places import PROJECT, SMALL_CARD, Place

torch.set_num_threads(1)
settings.register_profile("lth", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("lth")


@pytest.fixture(scope="session")
def blank(tmp_path_factory) -> Path:
    """A home with the databases of Dagster and MLflow, empty: to make them takes four seconds, to copy them none."""
    folder = tmp_path_factory.getbasetemp().parent / "blank home"  # one for all workers
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            making = folder.with_suffix(".making")
            (making / "mlflow").mkdir(parents=True)
            open_tracker(f"sqlite:///{making}/mlflow/mlflow.db", making / "mlflow", "")
            dagster = making / ".lth" / "dagster"
            dagster.mkdir(parents=True)
            shutil.copyfile(PROJECT / "dagster.yaml", dagster / "dagster.yaml")
            with DagsterInstance.from_config(str(dagster)) as instance:
                instance.get_runs()
                instance.event_log_storage.get_pool_limits()
                instance.all_instigator_state()
            making.rename(folder)
    return folder


@pytest.fixture(scope="session")
def furnished(blank):
    """Makes a home of an empty folder."""

    def furnish(folder: Path) -> Place:
        shutil.copytree(blank, folder, dirs_exist_ok=True)
        return Place(folder)

    return furnish


@pytest.fixture
def place(tmp_path, furnished) -> Place:
    """A home with the card `small` in which nothing has been run, for processes."""
    made = furnished(tmp_path)
    made.card("small", SMALL_CARD)
    return made


@pytest.fixture
def inside(place, monkeypatch) -> Place:
    """The same, for this process: its environment points there."""
    for name in ("DAGSTER_HOME", "MLFLOW_TRACKING_URI", "LTH_STORE_DIR", "LTH_EXPERIMENTS_DIR", "LTH_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LTH_HOME", str(place.folder))
    return place
