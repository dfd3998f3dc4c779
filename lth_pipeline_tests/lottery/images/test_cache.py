"""The second reading comes from the cache, the cache never tells a lie, and nothing half-written is used."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest
import torch

from lth_pipeline.lottery.data.images import Source, arrays, content, read, reading, recall
from lth_pipeline.lottery.errors import DataError
from lth_pipeline_tests.lottery.images.drawn import drawing, encoded, files, left_behind, pack, pets, put
from lth_pipeline_tests.places import PROJECT

PETS = Source("pets")


@pytest.fixture(params=["folder", "tar"])
def there(dirs, request):
    """The set pets, read once. (dirs, what was found, a function that writes it anew)."""

    def write(seed=0):
        if request.param == "tar":
            pack(dirs.sets / "pets.tar", files(pets(seed))).rename(dirs.sets / "pets.tgz")
        else:
            put(dirs.sets / "pets", files(pets(seed)))

    write()
    source = Source("pets.tgz") if request.param == "tar" else PETS
    return dirs, source, read(source, dirs), write


def was_read(source, dirs) -> tuple[bool, object]:
    told = []
    found = read(source, dirs, lambda *numbers: told.append(numbers))
    return bool(told), found


def test_unchanged_it_is_not_read_again(there):
    dirs, source, first, _ = there
    assert was_read(source, dirs) == (False, first)


def test_changed_it_is_read_again(there):
    dirs, source, first, write = there
    write(seed=1)
    again, found = was_read(source, dirs)
    assert again and found.digest != first.digest
    assert recall(source, dirs) == found


def test_touched_it_is_read_again_to_the_same(there):
    dirs, source, first, _ = there
    for path in (dirs.sets / source.path, *(dirs.sets / source.path).rglob("*")):
        os.utime(path, ns=(1, 1))
    assert was_read(source, dirs) == (True, first)
    assert was_read(source, dirs) == (False, first)


def test_a_removed_a_new_and_a_renamed_file_are_seen(dirs):
    put(dirs.sets / "pets", files(pets()))
    seen = [read(PETS, dirs)]
    folder = dirs.sets / "pets" / "train" / "dog"
    (folder / "1.png").rename(folder / "3.png")
    seen.append(read(PETS, dirs))
    (folder / "3.png").unlink()
    seen.append(read(PETS, dirs))
    put(dirs.sets / "pets", files(drawing(["train/cat/new.png"])))
    seen.append(read(PETS, dirs))
    assert len({found.digest for found in seen}) == 4


def test_files_of_one_size_and_time_that_swap_their_names_are_seen(dirs):
    """As tars often leave them: bitmaps, all of one second."""
    drawn = drawing(["a/1.bmp", "a/2.bmp", "b/1.bmp"])
    folder = put(dirs.sets / "pets", {path: encoded(pixels, "BMP") for path, pixels in drawn.items()})
    for path in folder.rglob("*.bmp"):
        os.utime(path, ns=(1, 1))
    first = read(PETS, dirs)
    (folder / "a" / "1.bmp").rename(folder / "x")
    (folder / "a" / "2.bmp").rename(folder / "a" / "1.bmp")
    (folder / "x").rename(folder / "a" / "2.bmp")
    assert read(PETS, dirs).digest != first.digest


def test_moved_it_is_the_same(dirs):
    put(dirs.sets / "pets", files(pets()))
    first = read(PETS, dirs)
    (dirs.sets / "deep" / "down").mkdir(parents=True)
    (dirs.sets / "pets").rename(dirs.sets / "deep" / "down" / "animals")
    assert read(Source("deep/down/animals"), dirs) == first


def test_settings_have_readings_of_their_own(dirs):
    put(dirs.sets / "pets", files(pets()))
    sources = [PETS, Source("pets", 3), Source("pets", 2), Source("pets", None, "grey")]
    found = [read(source, dirs) for source in sources]
    assert len({one.digest for one in found}) == 4
    assert [recall(source, dirs) for source in sources] == found


def test_recall_does_not_look_at_the_source(there):
    dirs, source, first, _ = there
    shutil.rmtree(dirs.sets)
    assert recall(source, dirs) == first
    assert recall(Source("other"), dirs) is None
    shutil.rmtree(first.folder)
    assert recall(source, dirs) is None
    shutil.rmtree(dirs.cache)
    assert recall(source, dirs) is None


def test_recall_needs_no_torch(there):
    dirs, _, _, _ = there
    program = f"""
import sys
from pathlib import Path
from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.data.images import Source, recall
recall(Source("pets"), DataDirs(Path({str(dirs.sets)!r}), Path({str(dirs.cache)!r})))
assert not {{"torch", "PIL"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)


DAMAGED = [*(f"{name}.npy" for name in content.ARRAYS), "facts.json"]


@pytest.mark.parametrize("how", ["missing", "empty", "short", "long", "flipped", "header", "folder"])
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_cache_is_read_anew(dirs, name, how):
    put(dirs.sets / "pets", files(pets()))
    first = read(PETS, dirs)
    whole = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    path, bytes_ = first.folder / name, bytearray(whole[name])
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "missing":
        where = {"flipped": -1 if name != "facts.json" else bytes_.index(b'"sha256": "') + 12, "header": 20}.get(how, 0)
        bytes_[where] ^= 1 if how != "header" else 255
        path.write_bytes({"empty": b"", "short": whole[name][:-1], "long": whole[name] + b"x"}.get(how, bytes(bytes_)))
    again, found = was_read(PETS, dirs)
    assert found == first and again
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == whole
    assert was_read(PETS, dirs) == (False, first)
    assert left_behind(dirs) == []


@pytest.mark.parametrize("facts", [b"[]", b"{}", b"null", b'{"class_names": 1, "arrays": []}', b"[" * 99_999])
def test_damaged_facts_are_read_anew(dirs, facts):
    put(dirs.sets / "pets", files(pets()))
    first = read(PETS, dirs)
    (first.folder / "facts.json").write_bytes(facts)
    assert recall(PETS, dirs) is None
    assert was_read(PETS, dirs) == (True, first)


@pytest.mark.parametrize(
    "record", [b"", b"[]", b"{", b'{"fingerprint": "", "digest": "../../x"}', b"\xff", b"[" * 99_999]
)
def test_a_damaged_record_is_made_anew(dirs, record):
    put(dirs.sets / "pets", files(pets()))
    first = read(PETS, dirs)
    (path,) = (dirs.cache / "images" / "sources").iterdir()
    path.write_bytes(record)
    assert recall(PETS, dirs) is None
    assert was_read(PETS, dirs) == (True, first)
    assert was_read(PETS, dirs) == (False, first)


def test_a_file_in_place_of_the_content_folder(dirs):
    put(dirs.sets / "pets", files(pets()))
    first = read(PETS, dirs)
    shutil.rmtree(first.folder)
    first.folder.write_bytes(b"x")
    assert was_read(PETS, dirs) == (True, first)


def test_large_sets_are_checked_by_size_and_their_small_arrays_by_content(dirs, monkeypatch):
    put(dirs.sets / "pets", files(pets()))
    first = read(PETS, dirs)
    monkeypatch.setattr(content, "HASHED_BYTES", 10)
    assert was_read(PETS, dirs) == (False, first)
    for name, short in (("train_images", True), ("train_labels", False), ("train_sums", False)):
        path = first.folder / f"{name}.npy"
        values = path.read_bytes()
        path.write_bytes(values[:-1] if short else values[:-1] + b"\x01")
        assert was_read(PETS, dirs) == (True, first)


def test_arrays_that_vanish_are_said_to(dirs):
    put(dirs.sets / "pets", files(pets()))
    found = read(PETS, dirs)
    (found.folder / "train_images.npy").write_bytes(b"x")
    with pytest.raises(DataError, match="damaged since it was opened"):
        arrays(found)


@pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError, DataError])
def test_interrupted_nothing_stays_behind(there, error, monkeypatch):
    dirs, source, first, write = there
    write(seed=1)
    monkeypatch.setattr(reading, "CHUNK", 2)

    def stop(done, total):
        if done >= 4:
            raise error("stop")

    before = threading.active_count()
    with pytest.raises(error, match="stop"):
        read(source, dirs, stop)
    assert threading.active_count() == before
    assert left_behind(dirs) == [] and recall(source, dirs) == first
    assert was_read(source, dirs)[0]


def test_killed_it_leaves_what_is_never_used_and_later_removed(dirs):
    put(dirs.sets / "pets", files(pets()))
    program = f"""
import os
from pathlib import Path
from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.data.images import Source, read
dirs = DataDirs(Path({str(dirs.sets)!r}), Path({str(dirs.cache)!r}))
read(Source("pets"), dirs, lambda done, total: os._exit(9))
"""
    assert subprocess.run([sys.executable, "-c", program], cwd=PROJECT).returncode == 9
    (left,) = (dirs.cache / "images" / "content").iterdir()
    assert recall(PETS, dirs) is None
    first = read(PETS, dirs)
    assert left.exists()  # for all that is known, another process is writing it
    old = time.time() - content.ABANDONED - 10
    for path in (left, *left.iterdir()):
        os.utime(path, (old, old))
    put(dirs.sets / "pets", files(pets(seed=1)))
    assert read(PETS, dirs) != first and not left.exists()


@pytest.mark.parametrize("damaged", [False, True])
def test_several_processes_at_once(dirs, damaged):
    put(dirs.sets / "pets", files(pets()))
    first = read(PETS, dirs)
    if damaged:
        (first.folder / "train_images.npy").write_bytes(b"x")
    else:
        shutil.rmtree(dirs.cache)
    program = f"""
from pathlib import Path
from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.data.images import Source, read
dirs = DataDirs(Path({str(dirs.sets)!r}), Path({str(dirs.cache)!r}))
import numpy as np
input()
found = read(Source("pets"), dirs)
print(found.digest, np.load(found.folder / "train_images.npy").sum())
"""
    pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT, **pipe) for _ in range(3)]
    time.sleep(0.1)
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    said = {process.communicate(timeout=60)[0] for process in processes}
    total = int(arrays(read(PETS, dirs))["train_images"].long().sum())
    assert said == {f"{first.digest} {total}\n"}
    assert left_behind(dirs) == []


def test_one_that_was_changed_while_it_was_read_is_refused(there):
    dirs, source, first, write = there
    write(seed=1)
    with pytest.raises(DataError, match="was changed while it was read; try again"):
        read(source, dirs, lambda *_: write(seed=2))
    assert recall(source, dirs) == first
    assert was_read(source, dirs)[1].digest != first.digest


def test_what_lies_in_the_cache(dirs):
    put(dirs.sets / "pets", files(pets()))
    found = read(PETS, dirs)
    assert found.folder == dirs.cache / "images" / "content" / found.digest
    assert {path.name for path in found.folder.iterdir()} == set(DAMAGED)
    assert found.folder.stat().st_mode & 0o777 == 0o755
    (record,) = (dirs.cache / "images" / "sources").iterdir()
    assert json.loads(record.read_bytes())["digest"] == found.digest
    assert torch.equal(arrays(found)["train_labels"], torch.tensor([0, 0, 1, 1, 1]))
