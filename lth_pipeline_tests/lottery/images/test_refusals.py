"""Each thing that can be wrong with a source is said: which file, what was found, what would be right."""

import errno
import os
import re
import shutil
import sys
import tarfile

import numpy as np
import pytest
from PIL import Image

from lth_pipeline.lottery.data.images import Source, decode, layout, read, reading, recall, writing
from lth_pipeline.lottery.errors import DataError
from lth_pipeline_tests.lottery.images.drawn import add, drawing, encoded, files, left_behind, pack, pets, put

IMAGE = encoded(np.zeros((2, 2, 3), np.uint8))
GOOD = {"a/1.png": IMAGE, "b/1.png": IMAGE}


def refused(dirs, source="x", **options) -> str:
    """The message; nothing is left in the cache."""
    with pytest.raises(DataError) as caught:
        read(Source(source, **options), dirs)
    assert left_behind(dirs) == []
    if (dirs.cache / "images" / "sources").exists():
        assert not list((dirs.cache / "images" / "sources").iterdir())
    return str(caught.value)


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../x", "", ".", "./.", "..", "a\0b", "a\nb"])
def test_paths_that_leave_the_data_folder(dirs, path):
    assert "inside the data folder (LTH_DATA_DIR)" in refused(dirs, path)
    if path == "/etc":  # may be another's, who allows it
        assert recall(Source(path), dirs) is None
    else:
        with pytest.raises(DataError):
            recall(Source(path), dirs)


@pytest.mark.parametrize(
    ("options", "said"), [({"colour": "red"}, "rgb, grey"), ({"image_size": 0}, "1 or more pixels")]
)
def test_settings(dirs, options, said):
    put(dirs.sets / "x", GOOD)
    assert said in refused(dirs, **options)


def test_nothing_there(dirs):
    said = refused(dirs)
    assert f"{dirs.sets / 'x'}: is not there" in said and "is empty" in said and "LTH_DATA_DIR" in said
    for number in range(12):
        (dirs.sets / f"set{number:02}").mkdir()
    assert "set00, set01" in refused(dirs) and "set09 and 2 more" in refused(dirs)
    shutil.rmtree(dirs.sets)
    assert "cannot be listed: No such file or directory" in refused(dirs)


def test_neither_a_folder_nor_a_tar(dirs):
    (dirs.sets / "x.zip").write_bytes(b"PK")
    assert re.search(r"x\.zip: neither a folder nor a tar \(\.tar \.tar\.gz", refused(dirs, "x.zip"))


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ({}, "no images in it"),
        ({"README.md": b""}, "no images in it"),
        ({"1.png": IMAGE}, "x: 1.png: an image outside of a class folder"),
        ({"cat": b"", **GOOD}, "x: cat: a file where a class folder belongs"),
        ({"train/a/1.png": IMAGE, "train/b": b""}, "x: train/b: a file where a class folder belongs"),
        ({"a/1.png": IMAGE}, "x: a single class, a/; two or more"),
        ({**GOOD, "c/notes.txt": b""}, "x: c/notes.txt: not an image (.jpg .jpeg .png"),
        ({**GOOD, "c/1.heic": b""}, "x: c/1.heic: not an image"),
        ({**GOOD, "c/deep/1.png": IMAGE}, "x: c/deep/: a folder in a class folder is too deep"),
        ({"y/train/a/b/1.png": IMAGE, "y/train/c/1.png": IMAGE}, "x: y/train/a/b/: a folder in a class folder"),
        ({"train/1.png": IMAGE, "test/1.png": IMAGE}, "x: train/1.png: an image outside of a class folder"),
        ({f"{part}/a/1.png": IMAGE for part in ("train", "test", "val")}, "x: has test/ and val/: say which"),
        ({f"{part}/a/1.png": IMAGE for part in ("train", "extra")}, "x: extra/: lies beside train/"),
        (
            {"train/a/1.png": IMAGE, "train/b/1.png": IMAGE, "val/c/1.png": IMAGE},
            "x: val/c/: a class that train/ does not have",
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_layouts(dirs, contents, said, packed):
    if packed:
        pack(dirs.sets / "x.tar.gz", contents)
        said = said.replace("x: ", "x.tar.gz: ", 1)
    else:
        (dirs.sets / "x").mkdir()
        put(dirs.sets / "x", contents)
    assert said in refused(dirs, "x.tar.gz" if packed else "x")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("folder", "said"),
    [("c", "c/: an empty class folder"), ("train", "c/: an empty"), ("test", "test/: no class folders")],
)
def test_empty_folders(dirs, packed, folder, said):
    contents = {f"train/{name}": content for name, content in GOOD.items()} if folder == "test" else GOOD
    folder = {"train": "y/c"}.get(folder, folder)
    contents = {f"y/{name}": content for name, content in contents.items()} if folder == "y/c" else contents
    if packed:
        with tarfile.open(dirs.sets / "x.tar", "w") as tar:
            for name, content in contents.items():
                add(tar, name, content)
            add(tar, folder, type=tarfile.DIRTYPE)
    else:
        (put(dirs.sets / "x", contents) / folder).mkdir(parents=True)
    assert said in refused(dirs, "x.tar" if packed else "x")


def test_a_class_of_hidden_files_is_empty(dirs):
    put(dirs.sets / "x", {**GOOD, "c/.DS_Store": b""})
    assert "c/: an empty class folder" in refused(dirs)


@pytest.mark.parametrize("packed", [False, True])
def test_broken_images(dirs, packed):
    contents = dict(GOOD)
    contents |= {f"c/{number}.png": encoded(drawing(["x"], (40, 40))["x"])[: 60 + number] for number in range(7)}
    contents["a/empty.jpg"] = b""
    contents["a/text.gif"] = b"<html>"
    put(dirs.sets / "x", contents)
    pack(dirs.sets / "x.tar", contents)
    said = refused(dirs, "x.tar" if packed else "x")
    assert "9 of 11 images cannot be read" in said and "and 4 more" in said and said.count("\n") == 6
    if not packed:
        assert "\n  a/empty.jpg: not an image of a known format" in said


def test_images_of_several_sizes(dirs):
    put(dirs.sets / "x", {**GOOD, "c/1.png": encoded(np.zeros((4, 9, 3), np.uint8))})
    assert "x: images of several sizes: a/1.png has 2×2 and c/1.png has 9×4 pixels" in refused(dirs)
    assert "`image_size: 2`" in refused(dirs)
    assert read(Source("x", 3), dirs).image_shape == (3, 3, 3)


def test_images_of_several_sizes_far_apart(dirs, monkeypatch):
    monkeypatch.setattr(reading, "CHUNK", 1)
    test_images_of_several_sizes(dirs)


def test_formats_that_pillow_opens_but_that_are_no_such_images(dirs):
    put(dirs.sets / "x", {**GOOD, "c/1.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n"})
    assert "c/1.png: not an image of a known format" in refused(dirs)


def test_pixels_of_unknown_range(dirs):
    put(dirs.sets / "x", {**GOOD, "c/1.tif": encoded(np.zeros((2, 2), np.float32), "TIFF")})
    assert "c/1.tif: 32 bits a pixel" in refused(dirs)


@pytest.mark.filterwarnings("ignore:Image size")
@pytest.mark.parametrize("limit", [1, 3])
def test_decompression_bombs(dirs, limit, monkeypatch):
    put(dirs.sets / "x", GOOD)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert f"a/1.png: more than {limit} pixels" in refused(dirs)


def test_large_files(dirs, monkeypatch):
    put(dirs.sets / "x", GOOD)
    monkeypatch.setattr(layout, "MAX_FILE_BYTES", 10)
    assert f"a/1.png: has {len(IMAGE)} bytes; at most 10 are read" in refused(dirs)


def test_a_file_that_may_not_be_read(dirs, monkeypatch):
    put(dirs.sets / "x", GOOD)
    pack(dirs.sets / "x.tar", GOOD)

    def deny(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", deny)
    assert re.search(r"x/a/1\.png: cannot be read: Permission denied; change its permissions", refused(dirs))
    monkeypatch.setattr("pathlib.Path.open", deny)
    assert re.search(r"x\.tar: cannot be read: Permission denied; change its permissions", refused(dirs, "x.tar"))
    monkeypatch.setattr("os.scandir", deny)
    assert re.search(r"/x: cannot be listed: Permission denied; change its permissions", refused(dirs))


def test_links_to_nothing_and_things_that_are_no_files(dirs):
    put(dirs.sets / "x", GOOD)
    (dirs.sets / "x" / "a" / "2.png").symlink_to("nothing")
    assert "x/a/2.png: cannot be looked at: No such file or directory" in refused(dirs)
    (dirs.sets / "x" / "a" / "2.png").unlink()
    os.mkfifo(dirs.sets / "x" / "a" / "2.png")
    assert "x/a/2.png: neither a file nor a folder" in refused(dirs)
    (dirs.sets / "y").symlink_to("y")
    refused(dirs, "y")


def test_a_link_to_above_ends(dirs):
    put(dirs.sets / "x", GOOD)
    (dirs.sets / "x" / "c").symlink_to(dirs.sets / "x")
    assert "x: c/a/: a folder in a class folder is too deep" in refused(dirs)


def test_names_cannot_write_to_the_terminal(dirs):
    put(dirs.sets / "x", {**GOOD, "c/\x1b[2Jx": b""})
    assert "\x1b" not in refused(dirs) and "\\x1b[2Jx" in refused(dirs)


def test_a_full_disk_is_seen_before(dirs, monkeypatch):
    put(dirs.sets / "x", GOOD)
    monkeypatch.setattr(reading, "_free", lambda folder: 10)
    said = refused(dirs)
    assert str(dirs.cache) in said and "GB free" in said and "LTH_CACHE_DIR" in said
    monkeypatch.setattr(reading, "decode_chunk", lambda *_: pytest.fail("decoded what there is no room for"))
    assert "30000×30000" in refused(dirs, image_size=30_000)


@pytest.mark.parametrize("place", ["_put", "content.seal", "content.install", "npy.write", "content.unfinished"])
def test_a_disk_that_gets_full(dirs, place, monkeypatch):
    put(dirs.sets / "x", GOOD)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"{reading.__name__}.{place}", full)
    assert "cannot be written to (No space left on device); free space" in refused(dirs)


def test_a_record_that_cannot_be_written(dirs, monkeypatch):
    put(dirs.sets / "x", GOOD)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    assert f"{dirs.cache}" in refused(dirs)


def test_a_cache_that_cannot_be_made(dirs):
    put(dirs.sets / "x", GOOD)
    dirs.cache.write_bytes(b"")
    with pytest.raises(
        DataError, match=r"cannot be written to .* choose another folder for the cache with LTH_CACHE_DIR"
    ):
        read(Source("x"), dirs)


def test_without_pillow(dirs, monkeypatch):
    put(dirs.sets / "x", GOOD)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "pip install pillow" in refused(dirs)
    monkeypatch.undo()
    decode.prepare()


def test_the_pictures_of_these_tests_are_right(dirs):
    put(dirs.sets / "x", GOOD)
    pack(dirs.sets / "x.tar", files(pets()))
    assert read(Source("x"), dirs).train == 2 and read(Source("x.tar"), dirs).train == 5
