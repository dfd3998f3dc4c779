"""Tars that are damaged, or that hold what a tar of images has no reason to; and any bytes whatever."""

import bz2
import gzip
import io
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lth_pipeline.lottery.data.images import Source, archive, arrays, decode, read
from lth_pipeline.lottery.errors import DataError
from lth_pipeline_tests.lottery.images.drawn import add, dirs_in, drawing, encoded, files, left_behind, pack, pets, put

GOOD = files(drawing(["a/1.png", "a/2.png", "b/1.png"]))


def refused(dirs, name="x.tar") -> str:
    with pytest.raises(DataError) as caught:
        read(Source(name), dirs)
    assert left_behind(dirs) == []
    return str(caught.value)


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ({"name": "../b/2.png"}, "../b/2.png: leads out of the tar"),
        ({"name": "a/../../2.png"}, "a/../../2.png: leads out of the tar"),
        ({"name": "/b/2.png"}, "/b/2.png: leads out of the tar"),
        ({"name": ".hidden/../../2.png"}, "leads out of the tar"),
        ({"name": "b/2.png", "type": tarfile.SYMTYPE, "linkname": "1.png"}, "b/2.png: a link; make the tar of plain"),
        ({"name": "b/2.png", "type": tarfile.LNKTYPE, "linkname": "b/1.png"}, "b/2.png: a link"),
        ({"name": "b/2.png", "type": tarfile.CHRTYPE}, "b/2.png: neither a plain file nor a folder"),
        ({"name": "b/2.png", "type": tarfile.FIFOTYPE}, "b/2.png: neither a plain file nor a folder"),
        ({"name": "b/1.png"}, "b/1.png: more than once in the tar"),
        ({"name": "./b//1.png"}, "./b//1.png: more than once in the tar"),
        ({"name": "b/1.png/2.png"}, "b/1.png/2.png: in the tar both as a file and as a folder"),
        ({"name": "b"}, "b: more than once in the tar"),
    ],
)
def test_members_that_are_refused(dirs, member, said):
    with tarfile.open(dirs.sets / "x.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in GOOD.items():
            add(tar, name, content)
        add(tar, **member)
    assert said in refused(dirs) and str(dirs.sets / "x.tar") in refused(dirs)


def test_folders_may_stand_twice(dirs):
    with tarfile.open(dirs.sets / "x.tar", "w") as tar:
        for name in ("./", "a", "a/", "b"):
            add(tar, name, type=tarfile.DIRTYPE)
        for name, content in GOOD.items():
            add(tar, name, content)
        add(tar, "a", type=tarfile.DIRTYPE)
    put(dirs.sets / "x", GOOD)
    assert read(Source("x.tar"), dirs) == read(Source("x"), dirs)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.95])
def test_cut_off(dirs, suffix, share):
    path = pack(dirs.sets / f"x{suffix}", files(drawing(["a/1.png", "b/1.png"], (30, 30))))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    if suffix == ".tar" and share == 0.95:
        path.write_bytes(path.read_bytes().rstrip(b"\0"))
    assert "damaged, or not a tar" in refused(dirs, path.name)


def test_cut_off_between_two_members(dirs):
    """What most readers take for the end."""
    path = pack(dirs.sets / "x.tar", GOOD)
    with tarfile.open(path) as tar:
        end = tar.getmembers()[2].offset
    path.write_bytes(path.read_bytes()[:end])
    assert f"it is cut off at byte {end:,}" in refused(dirs)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("wiped", [False, True])
def test_a_damaged_header_in_the_middle(dirs, number, wiped):
    """Which tarfile takes for the end."""
    path = pack(dirs.sets / "x.tar", GOOD)
    with tarfile.open(path) as tar:
        offset = tar.getmembers()[number].offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 512] = bytes(512) if wiped else content[offset : offset + 511] + b"x"
    if not wiped:
        content[offset] ^= 1
    path.write_bytes(content)
    assert ("something follows its end" if wiped else "damaged") in refused(dirs)


def test_one_behind_another(dirs):
    path = pack(dirs.sets / "x.tar", GOOD)
    path.write_bytes(2 * path.read_bytes())
    assert "something follows its end" in refused(dirs)


@pytest.mark.parametrize("size", [2**62, 2**40, -512])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_sizes_that_cannot_be(dirs, size, kind):
    member = tarfile.TarInfo("c/1.png")
    member.size, member.type = abs(size), kind
    head = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    if size < 0:
        head[124:136] = b"\xff" * 4 + (2**64 + size).to_bytes(8, "big")
        head[148:156] = b" " * 8
        head[148:156] = f"{sum(head):06o}\0 ".encode()
    (dirs.sets / "x.tar").write_bytes(bytes(head) + pack(dirs.sets / "y.tar", GOOD).read_bytes())
    refused(dirs)


def test_a_tar_by_another_name(dirs):
    """What it is compressed with is seen from its bytes."""
    pack(dirs.sets / "x.tar.gz", GOOD).rename(dirs.sets / "x.tar")
    pack(dirs.sets / "y.tar", GOOD).rename(dirs.sets / "y.tgz")
    assert read(Source("x.tar"), dirs) == read(Source("y.tgz"), dirs)


def test_what_is_no_tar(dirs):
    (dirs.sets / "x.tar").write_bytes(b"<html>not found</html>" * 100)
    assert "x.tar: damaged, or not a tar" in refused(dirs)


def test_headers_are_passed_over_without_being_kept(dirs, monkeypatch):
    pack(dirs.sets / "x.tar", GOOD)
    kept = []
    real = archive._add
    monkeypatch.setattr(archive, "_add", lambda tree, member, path: (kept.append(member), real(tree, member, path)))
    read(Source("x.tar"), dirs)
    assert [member.name for member in kept] == list(GOOD)


def tarred(name: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT if "ö" in name else tarfile.GNU_FORMAT) as tar:
        for path, content in files(pets()).items():
            add(tar, path.replace("dog", name), content)
    return file.getvalue()


KINDS = {"x.tar": tarred("dog"), "y.tar": tarred("ö" * 60), "z.tar.gz": gzip.compress(tarred("d" * 120), mtime=0)}


@settings(max_examples=120)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_a_changed_tar_is_refused_or_right(tmp_path_factory, name, data):
    """Right: what tarfile unpacks, all of it, is what was read."""
    content = bytearray(KINDS[name])
    for _ in range(data.draw(st.integers(1, 3))):
        header = data.draw(st.integers(0, len(content) // 512)) * 512
        place = min(header + data.draw(st.integers(0, 511)), len(content) - 1)
        content[place] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    dirs = dirs_in(tmp_path_factory.mktemp("tar"))
    (dirs.sets / name).write_bytes(content)
    try:
        found = read(Source(name), dirs)
    except DataError:
        assert left_behind(dirs) == []
        return
    assert found.train + found.test == 7
    unpacked = dirs.sets / "unpacked"
    with tarfile.open(dirs.sets / name) as tar:
        tar.extractall(unpacked, filter="data")
    assert read(Source("unpacked"), dirs) == found


@pytest.mark.parametrize("suffix", [".tar", ".tar.bz2"])
def test_zeros_without_end_are_not_unpacked_to_their_end(dirs, monkeypatch, suffix):
    monkeypatch.setattr(archive, "MAX_PADDING", 2**21)
    path = pack(dirs.sets / "x.tar", GOOD)
    content = path.read_bytes() + bytes(2**20)
    packed = bz2.compress if suffix == ".tar.bz2" else bytes
    (dirs.sets / f"y{suffix}").write_bytes(packed(content))
    assert read(Source(f"y{suffix}"), dirs).train == 3  # filled up a little
    (dirs.sets / f"y{suffix}").write_bytes(packed(content + bytes(2**22)))
    assert "more than 2,097,152 bytes of zeros follow its end" in refused(dirs, f"y{suffix}")


def test_a_member_that_is_too_large_is_refused_before_it_is_unpacked(dirs, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 10)
    pack(dirs.sets / "x.tar", GOOD)
    assert "a/1.png: has" in refused(dirs) and "at most 10 are read" in refused(dirs)
    for number, name in enumerate((".hidden", "a/Thumbs.db", ".git/a/1.png")):  # to pass over means to unpack
        pack(dirs.sets / f"hidden{number}.tar.bz2", {name: bytes(11)})
        assert f"{name}: has 11 bytes; at most 10 are read" in refused(dirs, f"hidden{number}.tar.bz2")


def test_xz_takes_no_more_memory_than_it_may(dirs, monkeypatch):
    pack(dirs.sets / "x.tar.xz", GOOD)
    assert read(Source("x.tar.xz"), dirs).train == 3
    (dirs.sets / "y.tar.xz").write_bytes((dirs.sets / "x.tar.xz").read_bytes())
    monkeypatch.setattr(archive, "XZ_MEMORY", 2**20)
    assert "damaged, or not a tar: Memory usage limit exceeded" in refused(dirs, "y.tar.xz")


def test_the_pixels_of_a_webp_are_counted_before_pillow_takes_memory_for_them():
    for size in ((7, 5), (300, 1), (1, 16_383)):
        for options in ({}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}):
            image = encoded(np.zeros((*size, 3), np.uint8), "WEBP", **options)
            assert decode._webp_pixels(image) == size[0] * size[1]
    large = image[:24] + (16_382).to_bytes(3, "little") * 2 + image[30:]
    with pytest.raises(Image.DecompressionBombError):
        decode.decode(large, None, "rgb")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=120)
@given(st.sampled_from(["PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM", "TIFF"]), st.data())
def test_a_changed_image_is_refused_or_decoded(tmp_path_factory, kind, data):
    content = bytearray(encoded(drawing(["x"], (6, 7))["x"], kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    dirs = dirs_in(tmp_path_factory.mktemp("image"))
    good = encoded(np.full((6, 7, 3), 9, np.uint8))
    put(dirs.sets / "x", {"a/1.png": bytes(content), "b/1.png": good})
    try:
        found = read(Source("x", 5), dirs)
    except DataError as error:
        assert "1 of 2 images cannot be read" in str(error) and "a/1.png: " in str(error)
        assert left_behind(dirs) == []
        return
    values = arrays(found)
    assert found.image_shape == (3, 5, 5) and (values["train_images"][1] == 9).all()
    assert (values["train_images"].long().sum((2, 3)) == values["train_sums"]).all()


@settings(max_examples=60)
@given(st.binary(max_size=2000), st.sampled_from([b"", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00"]))
def test_any_bytes(tmp_path_factory, content, magic):
    dirs = dirs_in(tmp_path_factory.mktemp("bytes"))
    (dirs.sets / "x.tar").write_bytes(magic + content)
    refused(dirs)
