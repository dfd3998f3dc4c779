"""A store that several machines share: here each has a folder of its own, and one more is what they share."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.home import HomeError, find_home
from lth_pipeline.recipes import Chain, Step, Store, StoreError, Workshop
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.remote import Remote, send_the_rest, store_at
from lth_pipeline.recipes.store import _seal
from lth_pipeline_tests.recipes.making import card, load

RECIPE = Recipe("mask", {"scope": "global"}, {"weights": "0" * 64})
TENSORS = {"fc1.weight": torch.arange(6.0).reshape(2, 3)}
TICKET = Step("trained", 1, "ticket")
pytestmark = pytest.mark.usefixtures("at_once")


def files(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Away(Exception):
    pass


def goes_away(monkeypatch, remote_store: Remote, after: int = 0, on: str = "cat_file pipe_file") -> list[str]:
    """Every call but the first `after` fails; gives what was called, in order."""
    called, (system, root) = [], remote_store._root

    def failing(name, act):
        def call(path, *more):
            called.append(f"{name} {path.removeprefix(root)}")
            if len(called) > after:
                raise Away("no answer from https://key:secret@s3.example/?X-Amz-Signature=abc hunter2hunter2")
            return act(path, *more)

        return call

    for name in on.split():
        monkeypatch.setattr(system, name, failing(name, getattr(system, name)), raising=False)
    return called


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_what_one_has_made_another_finds(tmp_path, shared, in_memory, kind):
    url = {"file": shared, "memory": in_memory}[kind]
    record = store_at(tmp_path / "one", url).save(RECIPE, TENSORS, facts={"accuracy": 0.97})
    two = store_at(tmp_path / "two", url)
    assert two.find(RECIPE.id) == record
    assert torch.equal(two.load(record["version"])["fc1.weight"], TENSORS["fc1.weight"])
    # what is there is whole, and from now on needs no remote
    assert files(tmp_path / "one" / "objects") == files(tmp_path / "two" / "objects")
    assert Store(tmp_path / "two").find(RECIPE.id) == record
    assert not list((tmp_path / "one").glob("unsent/*"))


def test_of_two_workshops_the_second_trains_nothing(tmp_path, shared, monkeypatch):
    cards = load(tmp_path / "cards", ours=card(arms=["ticket", "reinit"]))
    first = Workshop(store_at(tmp_path / "one", shared), "data", device="cpu")
    versions = [first.make(Chain(cards, "ours", 0), Step("trained", round, "ticket")).version for round in (1, 2)]
    second = Workshop(store_at(tmp_path / "two", shared), "data", device="cpu")
    monkeypatch.setattr(Workshop, "_compute", lambda *given, **more: pytest.fail("it was computed anew"))
    found = [second.make(Chain(cards, "ours", 0), Step("trained", round, "ticket")) for round in (1, 2)]
    assert [product.version for product in found] == versions and not any(product.computed for product in found)


def test_a_record_never_names_what_is_not_there(tmp_path, in_memory, monkeypatch):
    """The artifact goes first, and without it the record does not go."""
    store = store_at(tmp_path / "one", in_memory)
    store.remote.tell = lambda message: None
    called = goes_away(monkeypatch, store.remote, on="pipe_file")
    version = store.save(RECIPE, TENSORS)["version"]
    assert {name.split()[1] for name in called} == {f"/objects/{version[:2]}/{version}.safetensors"}


@given(position=st.integers(min_value=0), bit=st.integers(0, 7), what=st.sampled_from(["objects", "recipes"]))
def test_what_is_damaged_there_is_told_and_not_taken(tmp_path_factory, position, bit, what):
    folder, told = tmp_path_factory.mktemp("remote"), []
    (folder / "shared").mkdir()
    url = f"file://{folder / 'shared'}"
    record = store_at(folder / "one", url).save(RECIPE, TENSORS)
    (path,) = (folder / "shared" / what).rglob("*.*")
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    path.write_bytes(content)
    two = store_at(folder / "two", url)
    two.remote.tell = told.append
    found = two.find(RECIPE.id)
    if found is None:
        assert len(told) == 1 and path.name in told[0] and "not taken" in told[0]
        assert not files(folder / "two").keys() & {f"recipes/{path.parent.name}/{path.name}"}
    else:  # white space, or padding
        assert found == record and two.load(found["version"]).keys() == TENSORS.keys()
    two.save(RECIPE, TENSORS)  # made anew, and whole there from now on
    assert store_at(folder / "three", url).find(RECIPE.id)["version"] == record["version"]


def test_a_record_under_another_recipes_name_is_not_taken(tmp_path, shared):
    other, told = Recipe("mask", {"scope": "layerwise"}, RECIPE.inputs), []
    one = store_at(tmp_path / "one", shared)
    one.save(RECIPE, TENSORS)
    path = tmp_path / "shared" / one.record_path(other.id).relative_to(one.folder)
    path.parent.mkdir(parents=True)
    path.write_bytes(one.record_path(RECIPE.id).read_bytes())
    two = store_at(tmp_path / "two", shared)
    two.remote.tell = told.append
    assert two.find(other.id) is None and "another recipe" in told[0]


def test_what_is_damaged_or_gone_here_is_fetched_again(tmp_path, shared, monkeypatch):
    cards, told = load(tmp_path / "cards", ours=card()), []
    workshop = Workshop(store_at(tmp_path / "one", shared), "data", device="cpu")
    version = workshop.make(Chain(cards, "ours", 0), TICKET).version
    path = workshop.store.object_path(version)
    monkeypatch.setattr(Workshop, "_compute", lambda *given, **more: pytest.fail("it was computed anew"))
    for damage in (lambda: path.unlink(), lambda: path.write_bytes(path.read_bytes()[:-1] + b"?")):
        damage()
        again = Workshop(store_at(tmp_path / "one", shared), "data", device="cpu", on_trouble=told.append)
        assert again.mending(lambda shop=again: shop.store.load(shop.make(Chain(cards, "ours", 0), TICKET).version))


def test_a_remote_that_is_away_costs_a_warning_and_what_was_made_is_sent_later(tmp_path, in_memory, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2hunter2")
    cards, told = load(tmp_path / "cards", ours=card()), []
    store = store_at(tmp_path / "one", in_memory)
    workshop = Workshop(store, "data", device="cpu", on_trouble=told.append)
    with monkeypatch.context() as patch:
        called = goes_away(patch, store.remote)
        version = workshop.make(Chain(cards, "ours", 0), TICKET).version
        assert len(called) == 3  # asked three times, then left alone for a while
        send_the_rest(store)
    assert len(told) == 2 and "going on without" in told[0] and "are not there yet" in told[1]
    assert "hunter2" not in "".join(told) and "Signature" not in "".join(told)
    later = store_at(tmp_path / "one", in_memory)  # another process
    later.remote.tell = told.append
    send_the_rest(later)
    assert len(told) == 2 and not list((tmp_path / "one").glob("unsent/*"))
    two = Workshop(store_at(tmp_path / "two", in_memory), "data", device="cpu")
    assert two.look_up(Chain(cards, "ours", 0), TICKET).version == version


def test_one_failure_is_tried_again_and_not_told(tmp_path, in_memory, monkeypatch):
    store, told, calls = store_at(tmp_path / "one", in_memory), [], []
    store.remote.tell = told.append
    system, _ = store.remote._root
    write = system.pipe_file

    def once(path, content):
        calls.append(path)
        if len(calls) == 1:
            raise Away
        write(path, content)

    monkeypatch.setattr(system, "pipe_file", once, raising=False)
    store.save(RECIPE, TENSORS)
    assert told == [] and store_at(tmp_path / "two", in_memory).find(RECIPE.id)


def test_checkpoints_and_claims_stay_here(tmp_path, shared):
    store = store_at(tmp_path / "one", shared)
    with store.claimed(RECIPE.id, wait=True):
        store.save_checkpoint(RECIPE.id, TENSORS, {"device": "cpu"})
        store.save(RECIPE, TENSORS)
    assert {path.name for path in (tmp_path / "shared").iterdir()} == {"objects", "recipes"}


@pytest.mark.parametrize("version", ["../precious", "0" * 63, "0" * 63 + "\n", "0" * 63 + "G", 5])
def test_a_record_there_that_names_another_file_than_an_artifact_is_not_taken(tmp_path, shared, version):
    """It could name any file of the user's, which would then be put aside as damaged."""
    precious, told = tmp_path / "precious.safetensors", []
    store_at(tmp_path / "one", shared).save(RECIPE, TENSORS)
    forge(tmp_path / "shared", version=version)
    two = store_at(tmp_path / "two", shared)
    two.remote.tell = told.append
    (tmp_path / "two" / "objects").mkdir(parents=True)
    precious.write_bytes(b"mine")
    assert two.find(RECIPE.id) is None and len(told) == 1 and "no data version" in told[0]
    assert precious.read_bytes() == b"mine" and not list((tmp_path / "two").glob("recipes/*/*"))


@pytest.mark.parametrize("part", ["facts", "route"])
@pytest.mark.parametrize("value", [None, [], "x"])
def test_a_record_there_without_facts_or_a_route_is_not_taken(tmp_path, shared, part, value):
    told = []
    store_at(tmp_path / "one", shared).save(RECIPE, TENSORS)
    forge(tmp_path / "shared", **{part: value})
    two = store_at(tmp_path / "two", shared)
    two.remote.tell = told.append
    assert two.find(RECIPE.id) is None and len(told) == 1 and "not taken" in told[0]


def forge(folder, **changes) -> None:
    """Change the one record in a remote, and seal it anew."""
    (path,) = folder.glob("recipes/*/*.json")
    record = json.loads(path.read_bytes())["record"] | changes
    path.write_text(json.dumps({"record": record, "sha256": _seal(record)}))


def test_a_remote_that_cannot_be_is_an_error_before_anything_is_trained(tmp_path):
    with pytest.raises(StoreError, match=r"LTH_STORE_REMOTE=s4://bucket.*s3://bucket/prefix"):
        store_at(tmp_path, "s4://bucket").find(RECIPE.id)


@pytest.mark.parametrize("url", ["s3://key:hunter2@bucket", "s3://bucket?secret=hunter2", "hunter2"])
def test_a_wrong_address_is_named(monkeypatch, url):
    monkeypatch.setenv("LTH_STORE_REMOTE", url)
    with pytest.raises(HomeError, match="LTH_STORE_REMOTE") as caught:
        find_home()
    assert "hunter2" not in str(caught.value) or url == "hunter2"
