"""What stands for a remote store."""

import pytest

from lth_pipeline.recipes import remote


@pytest.fixture
def at_once(monkeypatch):
    """No pause between two attempts."""
    monkeypatch.setattr(remote, "PAUSES", (0.0, 0.0))


@pytest.fixture
def shared(tmp_path) -> str:
    """A folder, empty."""
    (tmp_path / "shared").mkdir()
    return f"file://{tmp_path / 'shared'}"


@pytest.fixture
def in_memory():
    """A remote that is written over fsspec, empty."""
    import fsspec

    fsspec.filesystem("memory").store.clear()
    yield "memory://bucket/prefix"
    fsspec.filesystem("memory").store.clear()
