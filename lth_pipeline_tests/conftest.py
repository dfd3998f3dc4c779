import pytest
import torch
from hypothesis import settings

from lth_pipeline_tests.places import SMALL_CARD, Place

torch.set_num_threads(1)
settings.register_profile("lth", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("lth")


@pytest.fixture
def place(tmp_path) -> Place:
    """An empty home with the card `small`, for processes."""
    made = Place(tmp_path)
    made.card("small", SMALL_CARD)
    return made


@pytest.fixture
def inside(place, monkeypatch) -> Place:
    """The same, for this process: its environment points there."""
    for name in ("DAGSTER_HOME", "MLFLOW_TRACKING_URI", "LTH_STORE_DIR", "LTH_EXPERIMENTS_DIR", "LTH_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LTH_HOME", str(place.folder))
    return place
