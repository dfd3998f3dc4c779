"""A shared store that refuses, or is no mounted disk, and of two processes of one folder that send to it."""

import pytest
import torch

from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.remote import Remote, send_the_rest, store_at
from lth_pipeline_tests.recipes.test_remote import RECIPE, TENSORS, files

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_an_object_that_is_refused_is_missing_and_the_others_are_not(tmp_path, shared, in_memory, monkeypatch, kind):
    """S3 answers 403, not 404, of what is missing, to whom it may not say what there is."""
    url, told = {"file": shared, "memory": in_memory}[kind], []
    other = Recipe("mask", {"scope": "layerwise"}, RECIPE.inputs)
    record = store_at(tmp_path / "one", url).save(RECIPE, TENSORS)
    two = store_at(tmp_path / "two", url)
    two.remote.tell = told.append
    there = (RECIPE.id, record["version"])
    with monkeypatch.context() as patch:
        refuses(patch, two.remote, "cat_file", lambda name: not any(one in name for one in there))
        assert two.find(other.id) is None and two.find("ab" * 20) is None
        assert two.find(RECIPE.id) == record
        assert len(told) == 1 and "s3:ListBucket" in told[0] and "403" in told[0]
        two.save(other, {"fc1.weight": torch.ones(2)})
    assert len(told) == 1 and not list((tmp_path / "two").glob("unsent/*"))
    assert store_at(tmp_path / "three", url).remote.read(f"recipes/{other.id[:2]}/{other.id}.json")


def test_who_may_only_read_reads(tmp_path, in_memory, monkeypatch):
    first, later = RECIPE, Recipe("mask", {"scope": "layerwise"}, RECIPE.inputs)
    record = store_at(tmp_path / "one", in_memory).save(first, TENSORS)
    two, told = store_at(tmp_path / "two", in_memory), []
    two.remote.tell = told.append
    with monkeypatch.context() as patch:
        asked = refuses(patch, two.remote, "pipe_file", lambda name: True)
        for number in range(3):
            two.save(Recipe("mask", {"number": number}, {}), {"mask": torch.full((2,), number)})
        assert two.find(first.id) == record
    assert len(asked) == 1 and len(told) == 1 and "s3:PutObject" in told[0]
    send_the_rest(two)  # it may write by now
    two.save(later, TENSORS)
    assert not list((tmp_path / "two").glob("unsent/*")) and len(told) == 1


def refuses(monkeypatch, remote_store: Remote, act: str, refused) -> list[str]:
    """Where `refused` says so of a name, 403; gives the names."""
    (system, _), names = remote_store._root, []
    do = getattr(system, act)

    def call(path, *more):
        if refused(path):
            names.append(path)
            raise PermissionError("403 Forbidden")
        return do(path, *more)

    monkeypatch.setattr(system, act, call, raising=False)
    return names


@pytest.mark.parametrize("what", ["objects", "recipes"])
def test_what_is_damaged_here_does_not_take_the_place_of_what_is_whole_there(tmp_path, shared, monkeypatch, what):
    store_at(tmp_path / "two", shared).save(RECIPE, TENSORS)
    whole, told = files(tmp_path / "shared"), []
    one = store_at(tmp_path / "one", shared)
    with monkeypatch.context() as patch:
        patch.setattr(Remote, "write", lambda *given: False)
        one.save(RECIPE, TENSORS, facts={"accuracy": 0.97})
    (path,) = (tmp_path / "one" / what).rglob("*.*")
    content = path.read_bytes()
    path.write_bytes(content[:-9] + b"?" + content[-8:])
    one.remote.tell = told.append
    send_the_rest(one)
    assert files(tmp_path / "shared") == whole
    assert len(told) == 1 and str(path) in told[0] and path.is_file()
    assert not list((tmp_path / "one").glob("unsent/*"))  # it is marked once more when it is made anew


def test_a_folder_that_is_not_there_is_away_and_is_not_made(tmp_path):
    """Of a disk that is not mounted: what were written there would be on another, and never found."""
    (tmp_path / "mnt").mkdir()
    store, told = store_at(tmp_path / "one", f"file://{tmp_path / 'mnt' / 'store'}"), []
    store.remote.tell = told.append
    assert store.find(RECIPE.id) is None
    assert len(told) == 1 and "mount it, or make it" in told[0]
    store.save(RECIPE, TENSORS)
    send_the_rest(store)
    assert list((tmp_path / "mnt").iterdir()) == [] and len(told) == 2 and "not there yet" in told[1]
    (tmp_path / "mnt" / "store").mkdir()
    send_the_rest(store)
    assert store_at(tmp_path / "two", store.remote.url).find(RECIPE.id)


def test_what_is_made_while_another_process_sends_what_was_there_before_is_there_at_last(tmp_path, shared, monkeypatch):
    """One process has read an old record, and is about to send it; another makes it anew, and ends first."""
    theirs, mine = store_at(tmp_path / "one", shared), store_at(tmp_path / "one", shared)
    write, meanwhile = theirs.remote.write, [{"fc1.weight": torch.ones(3)}]

    def slow(name, content):
        if name.startswith("recipes") and meanwhile:
            mine.save(RECIPE, meanwhile.pop(), facts={"accuracy": 0.98})
        return write(name, content)

    monkeypatch.setattr(theirs.remote, "write", slow)
    theirs.save(RECIPE, TENSORS, facts={"accuracy": 0.97})
    assert mine.find(RECIPE.id)["facts"] == {"accuracy": 0.98}
    assert store_at(tmp_path / "two", shared).find(RECIPE.id) == mine.find(RECIPE.id)
    assert not list((tmp_path / "one").glob("unsent/*"))


def test_of_two_processes_one_sends_what_had_to_wait(tmp_path, shared, monkeypatch):
    store, other = store_at(tmp_path / "one", shared), store_at(tmp_path / "one", shared)
    with monkeypatch.context() as patch:
        patch.setattr(Remote, "write", lambda *given: False)
        for number in range(3):
            store.save(Recipe("mask", {"number": number}, {}), {"mask": torch.full((2,), number)})
    sent, write = [], Remote.write

    def watched(remote_store, name, content):
        sent.append(name)
        if len(sent) == 1:
            other.save(RECIPE, TENSORS)  # which another process makes meanwhile: it leaves the sending to this one
            assert len(sent) == 1
        return write(remote_store, name, content)

    monkeypatch.setattr(Remote, "write", watched)
    send_the_rest(store)
    assert len(sent) == len(set(sent)) == 8 and not list((tmp_path / "one").glob("unsent/*"))
