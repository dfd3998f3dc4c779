"""The store: what is written is whole, what is read is verified, what fails leaves nothing behind."""

import errno
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.recipes import DamagedError, Store, StoreError
from lth_pipeline.recipes.recipe import Recipe

RECIPE = Recipe("ticket", {}, {"mask": "0" * 64, "weights": "1" * 64})
TENSORS = {"fc1.weight": torch.arange(6.0).reshape(2, 3), "fc1.bias": torch.tensor([0.5, -0.0])}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def files(store: Store) -> list[str]:
    return sorted(str(path.relative_to(store.folder)) for path in store.folder.rglob("*") if path.is_file())


def damaged(store: Store) -> list:
    return sorted((store.folder / "damaged").glob("*"))


def test_what_was_saved_comes_back(store):
    record = store.save(RECIPE, TENSORS, facts={"density": 0.5}, route={}, made_by={})
    assert store.find(RECIPE.id) == record
    assert record["facts"] == {"density": 0.5}
    loaded = store.load(record["version"])
    assert loaded.keys() == TENSORS.keys()
    assert all(loaded[name].numpy().tobytes() == TENSORS[name].numpy().tobytes() for name in TENSORS)


def test_the_same_tensors_are_kept_once(store):
    other = Recipe("ticket", {}, {"mask": "2" * 64, "weights": "1" * 64})
    assert store.save(RECIPE, TENSORS)["version"] == store.save(other, dict(reversed(TENSORS.items())))["version"]
    assert len([name for name in files(store) if name.startswith("objects")]) == 1


def test_an_unknown_recipe_or_a_missing_artifact_is_not_found(store):
    assert store.find(RECIPE.id) is None
    record = store.save(RECIPE, TENSORS)
    store.object_path(record["version"]).unlink()
    assert store.find(RECIPE.id) is None
    with pytest.raises(StoreError, match="is not there"):
        store.load(record["version"])


@given(position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_flipped_bit_anywhere_is_an_error_that_names_the_file(tmp_path_factory, position, bit):
    store = Store(tmp_path_factory.mktemp("store"))
    version = store.put(TENSORS)
    path = store.object_path(version)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    path.write_bytes(content)
    try:
        loaded = store.load(version)
    except StoreError as error:
        assert str(path) in str(error)
        assert not path.exists() and content in [aside.read_bytes() for aside in damaged(store)]
    else:  # a bit of the padding or of unused metadata: then nothing of the content may have changed
        assert all(loaded[name].numpy().tobytes() == TENSORS[name].numpy().tobytes() for name in TENSORS)


@given(position=st.integers(min_value=0), bit=st.integers(0, 7))
def test_a_flipped_bit_in_a_record_is_an_error_that_names_the_file(tmp_path_factory, position, bit):
    store = Store(tmp_path_factory.mktemp("store"))
    record = store.save(RECIPE, TENSORS, facts={"accuracy": 0.9712})
    path = store.record_path(RECIPE.id)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    path.write_bytes(content)
    try:
        assert store.find(RECIPE.id) == record  # white space
    except DamagedError as error:
        assert str(path) in str(error)
        assert not path.exists() and content in [aside.read_bytes() for aside in damaged(store)]


@given(st.integers(min_value=0))
def test_a_truncated_artifact_is_an_error(tmp_path_factory, length):
    store = Store(tmp_path_factory.mktemp("store"))
    version = store.put(TENSORS)
    path = store.object_path(version)
    content = path.read_bytes()
    path.write_bytes(content[: length % len(content)])
    with pytest.raises(StoreError, match="was damaged"):
        store.load(version)


def test_a_damaged_file_that_cannot_be_put_aside_is_named(store):
    path = store.object_path(store.put(TENSORS))
    path.write_bytes(b"damaged")
    (store.folder / "damaged").write_text("a file where a folder should be")
    for _ in range(2):
        with pytest.raises(StoreError, match=r"is damaged .* remove the file"):
            store.load(path.stem)
    assert path.exists()


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(store, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device") as caught:
        store.save(RECIPE, TENSORS)
    assert str(store.folder) in str(caught.value)
    monkeypatch.undo()
    assert files(store) == []
    assert store.find(RECIPE.id) is None


def test_a_limit_of_the_system_is_a_clear_error_and_leaves_nothing(tmp_path):
    """Not a double this time: the kernel refuses the write half-way (EFBIG, as with a quota)."""
    program = f"""
import resource, torch
from lth_pipeline.recipes import Store, StoreError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    Store({str(tmp_path)!r}).put({{"weights": torch.zeros(1_000_000)}})
except StoreError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout and str(tmp_path) in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("place", ["/proc/lth", "a file"])
def test_a_store_that_cannot_be_written_says_so(place, tmp_path):
    if place == "a file":
        place = tmp_path / "file"
        place.write_text("")
    with pytest.raises(StoreError, match="cannot be written to"):
        Store(place).ensure_writable()


def test_a_damaged_checkpoint_is_as_good_as_none(store):
    route = {"device": "cpu", "threads": 1}
    assert store.load_checkpoint(RECIPE.id, route) is None
    store.save_checkpoint(RECIPE.id, TENSORS, route)
    assert store.load_checkpoint(RECIPE.id, route).keys() == TENSORS.keys()
    assert store.load_checkpoint(RECIPE.id, {**route, "threads": 2}) is None  # other bits would come of it
    path = store.checkpoint_path(RECIPE.id)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert store.load_checkpoint(RECIPE.id, route) is None
    path.write_bytes(b"not a checkpoint")
    assert store.load_checkpoint(RECIPE.id, route) is None
    store.drop_checkpoint(RECIPE.id)
    assert files(store) == []
