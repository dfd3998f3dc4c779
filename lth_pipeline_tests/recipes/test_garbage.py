"""What goes from a store and what stays: by what refers to it, whoever was killed, and when."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.recipes import Store, StoreError
from lth_pipeline.recipes.garbage import Current, garbage, remove
from lth_pipeline.recipes.inventory import Inventory, clearing, saving, take_inventory
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.users import mark_use, other_users

NOTHING = Current((), (), ())


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def save(store: Store, name: float, inputs=(), experiment="small", **more) -> tuple[str, str]:
    """(recipe id, version) of a record of its own for each `name`."""
    recipe = Recipe("mask", {"name": name}, {f"input{number}": version for number, version in enumerate(inputs)})
    made_by = {"experiment": experiment, "dagster_run": "known"}
    record = store.save(recipe, {"mask": torch.tensor([more.pop("value", name)])}, made_by=made_by)
    return recipe.id, record["version"]


def going(store: Store, current: Current = NOTHING, only=None) -> list[tuple[str, str]]:
    """(kind, name) of what would go, in order."""
    return [(item.kind, item.path.name.split(".")[0]) for item in garbage(take_inventory(store), current, only).items]


def needs(recipes=(), versions=(), next=()) -> Current:
    return Current(recipes, versions, next)


def contents(store: Store) -> set[str]:
    return {path.name for path in store.folder.rglob("*") if path.is_file()} - {".lock"}


@st.composite
def graphs(draw):
    """Records by their ids (the version that each made, versions that it read, whom it was made for), and roots."""
    count = draw(st.integers(0, 9))
    some = st.integers(0, max(0, count - 1)).map(lambda number: f"v{number}")
    records = {
        f"r{number}": {
            "version": draw(some),
            # what a record read was there before it
            "recipe": {"inputs": {str(n): f"v{k}" for n, k in enumerate(draw(st.sets(st.integers(0, number))))}},
            "made_by": {"experiment": draw(st.sampled_from("ab"))},
        }
        for number in range(count)
    }
    ids = st.sets(st.integers(0, max(0, count - 1)).map(lambda number: f"r{number}"), max_size=3)
    return records, draw(ids), draw(st.sets(some, max_size=1)), draw(ids), draw(st.sampled_from([None, {"a"}]))


@given(graphs())
def test_nothing_that_is_reached_goes_and_all_else_does(graph):
    records, recipes, versions, spared, only = graph
    objects = {record["version"]: Path(f"objects/{record['version']}") for record in records.values()}
    files = {**{id: Path(f"recipes/{id}.json") for id in records}, **objects}
    found = Inventory(records, {}, objects, {}, [], [], [], {}, [], dict.fromkeys(files.values(), 1))
    ids = {id(record): name for name, record in records.items()}
    current = Current(recipes, versions, (), lambda record: "spared" if ids[id(record)] in spared else None)
    gone = {item.path for item in garbage(found, current, only).items}

    # by the definition, over and over until nothing is added
    stay = {id for id in records if id in recipes or id in spared or records[id]["version"] in versions}
    stay |= {id for id in records if only and records[id]["made_by"]["experiment"] not in only}
    while True:
        read = {version for id in stay for version in records[id]["recipe"]["inputs"].values()}
        more = {id for id in records if records[id]["version"] in read} - stay
        if not more:
            break
        stay |= more
    kept = {records[id]["version"] for id in stay} | read | versions
    expected = {files[id] for id in records if id not in stay} | {objects[v] for v in objects if v not in kept}
    assert gone == expected


def test_an_artifact_goes_with_the_last_record_that_names_it(store):
    one, version = save(store, 1.0, value=7.0)
    other, same = save(store, 2.0, value=7.0)
    assert version == same
    assert going(store, needs([one])) == [("records", other)]
    assert set(going(store)) == {("records", one), ("records", other), ("artifacts", version)}


def test_what_one_experiment_made_stays_for_another_that_was_not_asked_for(store):
    _, mask = save(store, 1.0)
    own, _ = save(store, 2.0)
    save(store, 3.0, [mask], experiment="taker")
    assert {name for kind, name in going(store, only={"small"}) if kind == "records"} == {own}
    assert len([kind for kind, _ in going(store, only={"taker"})]) == 2
    assert len(going(store)) == 6


def test_what_killed_processes_left_goes_and_what_living_ones_need_stays(store):
    kept, _ = save(store, 1.0)
    orphan = store.put({"mask": torch.tensor([9.0])})
    for name in (kept, "b" * 40, "c" * 40):
        store.save_checkpoint(name, {"weights": torch.zeros(2)}, {})
    store.save_checkpoint("together-1", {"weights": torch.zeros(2)}, {}, [kept, "b" * 40])
    store.save_checkpoint("together-2", {"weights": torch.zeros(2)}, {}, ["c" * 40, "d" * 40])
    (store.folder / "recipes" / ".abc-tmp").write_text("half")
    (store.folder / "damaged").mkdir()
    (store.folder / "damaged" / "x.json.1234").write_text("{")
    with store.claimed("held", wait=False):
        (store.folder / "claims" / "left").write_text("")
        assert set(going(store, needs([kept], next=["b" * 40]))) == {
            ("artifacts without a record", orphan),
            ("checkpoints", kept),  # it has ended
            ("checkpoints", "c" * 40),  # no card would make it
            ("checkpoints", "together-2"),
            ("unfinished files", ""),
            ("damaged files", "x"),
            ("claims", "left"),
        }
    found = garbage(take_inventory(store), Current([kept], (), ["b" * 40], half_done="may be another's"))
    assert [item.path.stem for item in found.items if item.kind == "checkpoints"] == [kept]
    assert {item.path.stem for item in found.kept["may be another's"]} == {"c" * 40, "together-2"}
    assert {kind for kind, _ in going(store, needs([kept]), only={"small"})} == set()  # these are nobody's


def test_a_training_whose_artifact_is_gone_is_not_done(store):
    """It goes on from where it was, alone or beside others."""
    lost, version = save(store, 1.0)
    done, _ = save(store, 2.0)
    store.object_path(version).unlink()
    for name, of in ((lost, []), ("together-1", [lost, done]), (done, []), ("together-2", [done])):
        store.save_checkpoint(name, {"weights": torch.zeros(2)}, {}, of)
    assert going(store, needs([lost, done], next=[lost])) == [("checkpoints", done), ("checkpoints", "together-2")]


def sealed(**record) -> str:
    return json.dumps(
        {"record": record, "sha256": hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()}
    )


DAMAGES = (
    *("not JSON", '{"record": {}, "sha256": ""}', "[]", "[" * 100_000),
    sealed(version="a", recipe={"inputs": {"mask": ["b"]}}),
    sealed(version="a", recipe={"inputs": {}}, made_by={"dagster_run": []}),
    sealed(version="a", recipe={"inputs": {}}, made_by=None),
)


@pytest.mark.parametrize("damage", DAMAGES, ids=range(len(DAMAGES)))
def test_a_damaged_record_is_told_of_and_may_have_an_artifact(store, damage):
    broken, version = save(store, 1.0)
    store.record_path(broken).write_text(damage)
    whole, _ = save(store, 2.0)
    found = garbage(take_inventory(store), NOTHING)
    assert {item.path.stem for item in found.items if item.kind == "records"} == {whole}
    assert store.object_path(version) not in {item.path for item in found.items}
    assert any(str(store.record_path(broken)) in note and "kept" in note for note in found.notes)
    assert store.record_path(broken).read_text() == damage  # a look changes nothing


def test_a_state_of_several_that_cannot_be_read_is_kept(store):
    save(store, 1.0)
    head = b"[" * 100_000
    store.checkpoint_path("together-1").parent.mkdir()
    store.checkpoint_path("together-1").write_bytes(len(head).to_bytes(8, "little") + head + b"  ")
    assert "checkpoints" not in dict(going(store))


def test_folders_that_lie_on_another_disk_are_followed(store, tmp_path):
    kept, _ = save(store, 1.0)
    old, gone = save(store, 2.0)
    for name in ("recipes", "objects"):
        shutil.move(store.folder / name, tmp_path / name)
        (store.folder / name).symlink_to(tmp_path / name)
    found = garbage(take_inventory(store), needs([kept])).items
    assert [(item.kind, item.path.stem) for item in found] == [("records", old), ("artifacts", gone)]
    remove(found)
    assert len(list((tmp_path / "objects").rglob("*.safetensors"))) == 1

    (tmp_path / "recipes").rename(tmp_path / "away")  # a disk that is not there: of nobody's record
    found = garbage(take_inventory(store), needs([kept]))
    assert not found.items and any("there is not one record" in note for note in found.notes)
    (tmp_path / "away").rename(tmp_path / "recipes")
    below = store.record_path(kept).resolve().parent
    shutil.move(below, tmp_path / "deeper")
    below.symlink_to(tmp_path / "deeper")
    with pytest.raises(StoreError, match="is a link"):
        take_inventory(store)


def test_a_store_that_other_projects_use_is_left_alone_and_says_so(store, tmp_path):
    save(store, 1.0)
    store.put({"mask": torch.tensor([9.0])})
    store.save_checkpoint("a" * 40, {"weights": torch.zeros(2)}, {})
    mine, other, moved = (tmp_path / name for name in ("mine", "other", "moved"))
    for project in (mine, other, moved):
        project.mkdir()
        mark_use(store, project)
    moved.rmdir()
    found = take_inventory(store)
    assert other_users(store, found, mine) == [str(other)] and other_users(store, found, other) == [str(mine)]
    planned = garbage(found, Current((), (), (), shared="others use it"))
    assert [item.path.read_text().split("\n")[1] for item in planned.items] == [str(moved)]
    kinds = ["artifacts", "artifacts without a record", "checkpoints"]
    assert sorted(item.kind for item in planned.kept["others use it"]) == kinds

    (mark,) = (path for path, folder in found.users.items() if folder == str(other))
    mark.write_text("far-away\n/not/here")  # which that machine alone can tell
    assert other_users(store, take_inventory(store), mine) == ["/not/here on far-away"]
    mark.write_bytes(b"\xff")
    assert str(mark) in other_users(store, take_inventory(store), mine)[0]


def test_a_project_that_begins_to_use_a_store_waits_for_who_clears_up(store, tmp_path):
    marking = threading.Thread(target=mark_use, args=(store, tmp_path))
    with clearing(store):
        marking.start()
        marking.join(0.2)
        assert take_inventory(store).users == {}
    marking.join(30)
    assert list(take_inventory(store).users.values()) == [str(tmp_path)]


def test_a_removal_that_is_stopped_anywhere_leaves_whole_records_and_is_gone_on_with(store):
    kept, used = save(store, 9.0)
    _, version = save(store, 0.0)
    for number in range(1, 4):
        save(store, float(number), [version])
    for _ in range(8):
        left = garbage(take_inventory(store), needs([kept])).items
        remove(left[:1])
        found = take_inventory(store)
        assert all(record["version"] in found.objects for record in found.records.values())
    assert contents(store) == {f"{kept}.json", f"{used}.safetensors"}


def test_a_removal_that_is_killed_leaves_whole_records(store):
    kept, used = save(store, 9.0)
    for number in range(4):
        save(store, float(number))
    program = f"""
import os, signal
from lth_pipeline.recipes import Store
from lth_pipeline.recipes.garbage import Current, garbage, remove
from lth_pipeline.recipes.inventory import clearing, take_inventory
store, done = Store({str(store.folder)!r}), []
def told(item):
    done.append(item)
    if len(done) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
with clearing(store):
    remove(garbage(take_inventory(store), Current([{kept!r}], (), ())).items, told)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -signal.SIGKILL
    found = take_inventory(store)
    assert len(found.records) == 3 and len(found.objects) == 5
    with clearing(store):  # its lock went with it
        remove(garbage(found, needs([kept])).items)
    assert contents(store) == {f"{kept}.json", f"{used}.safetensors"}


def test_who_saves_waits_for_who_clears_up_and_the_other_way_round(store):
    for first, second in ((clearing, saving), (saving, clearing)):
        done = threading.Event()

        def enter(lock=second, done=done):
            with lock(store):
                done.set()

        waiting = threading.Thread(target=enter)
        with first(store):
            waiting.start()
            assert not done.wait(0.2)
        waiting.join(30)
        assert done.is_set()
    with saving(store), saving(store):  # many may save at once
        pass


def test_a_file_that_cannot_be_removed_is_named(store):
    recipe_id, _ = save(store, 1.0)
    found = garbage(take_inventory(store), NOTHING).items
    store.record_path(recipe_id).unlink()
    store.record_path(recipe_id).mkdir()
    with pytest.raises(StoreError, match=rf"{recipe_id}.json: cannot be removed"):
        remove(found)
