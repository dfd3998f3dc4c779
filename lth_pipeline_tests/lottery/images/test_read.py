"""What is read is what was drawn: pixels, labels, order; from folders and tars alike."""

import os
import subprocess

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lth_pipeline.lottery.data.images import Source, arrays, read, recall
from lth_pipeline_tests.lottery.images.drawn import (
    dirs_in,
    drawing,
    encoded,
    files,
    gnu_tar_is_here,
    left_behind,
    pack,
    pets,
    put,
)


def chw(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.atleast_3d(pixels).transpose(2, 0, 1).copy())


def only(dirs, content: bytes, name="a.png", **options) -> np.ndarray:
    """The pixels (C, H, W) of an image, read as the first of the class that comes first."""
    other = encoded(np.zeros((3, 3, 3), np.uint8))
    put(dirs.sets / "one", {f"a/{name}": content, "b/1.png": content if "image_size" not in options else other})
    return arrays(read(Source("one", **options), dirs))["train_images"][0].numpy()


def test_pixels_labels_and_their_order(dirs):
    drawn = pets()
    put(dirs.sets / "pets", files(drawn))
    found = read(Source("pets"), dirs)
    assert (found.class_names, found.train, found.test, found.image_shape) == (("cat", "dog"), 5, 2, (3, 5, 4))
    values = arrays(found)
    order = ["train/cat/a.png", "train/cat/b.png", "train/dog/1.png", "train/dog/10.png", "train/dog/2.png"]
    assert torch.equal(values["train_images"], torch.stack([chw(drawn[path]) for path in order]))
    assert values["train_labels"].tolist() == [0, 0, 1, 1, 1] and values["train_labels"].dtype == torch.int64
    assert torch.equal(
        values["test_images"], torch.stack([chw(drawn[f"test/{name}/1.png"]) for name in ("cat", "dog")])
    )
    assert values["test_labels"].tolist() == [0, 1]
    assert left_behind(dirs) == []


def test_sums_are_those_of_the_pixels(dirs):
    drawn = drawing(["a/1.png", "a/2.png", "b/1.png"], (37, 41)) | {"b/2.png": np.full((37, 41, 3), 255, np.uint8)}
    put(dirs.sets / "pets", files(drawn))
    values = arrays(read(Source("pets"), dirs))
    pixels = values["train_images"].long()
    assert torch.equal(values["train_sums"], pixels.sum((2, 3)))
    assert torch.equal(values["train_squares"], (pixels**2).sum((2, 3)))
    assert values["train_sums"].dtype == values["train_squares"].dtype == torch.int64


def test_sums_are_exact_in_pieces(monkeypatch):
    from lth_pipeline.lottery.data.images import decode

    monkeypatch.setattr(decode, "PIECE", 7)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 7), dtype=np.uint8)
    sums, squares = decode.sums_and_squares(pixels)
    assert (sums == pixels.astype(np.int64).sum((2, 3))).all()
    assert (squares == (pixels.astype(np.int64) ** 2).sum((2, 3))).all()


def test_arrays_are_mapped_and_the_file_is_safe_from_changes(dirs):
    put(dirs.sets / "pets", files(pets()))
    found = read(Source("pets"), dirs)
    images = arrays(found)["train_images"]
    before = images.clone()
    images.zero_()
    assert torch.equal(arrays(read(Source("pets"), dirs))["train_images"], before)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".TAR.GZ"])
def test_a_tar_is_as_its_folder(dirs, suffix):
    contents = files(pets())
    put(dirs.sets / "pets", contents)
    scattered = dict(sorted(contents.items(), key=lambda item: item[0][::-1]))
    pack(dirs.sets / f"pets{suffix.lower()}", scattered).rename(dirs.sets / f"packed{suffix}")
    assert read(Source(f"packed{suffix}"), dirs) == read(Source("pets"), dirs)


@pytest.mark.parametrize("above", ["mydata/", "./", "./mydata/"])
@pytest.mark.parametrize("part", ["", "train/"])
def test_one_folder_around_everything_is_looked_through(dirs, above, part):
    contents = files(drawing([f"{part}a/1.png", f"{part}b/1.png"]))
    pack(dirs.sets / "wrapped.tar", {**contents, "README.md": b"x"}, above)
    put(dirs.sets / "plain", contents)
    assert read(Source("wrapped.tar"), dirs).digest == read(Source("plain"), dirs).digest
    put(dirs.sets / "around" / above, contents)
    assert read(Source("around"), dirs).digest == read(Source("plain"), dirs).digest


@pytest.mark.skipif(not gnu_tar_is_here(), reason="no tar here")
@pytest.mark.parametrize("kind", ["gnu", "posix", "ustar"])
def test_tars_that_tar_makes(dirs, kind):
    name = "a" * 90
    put(dirs.sets / "long", files(drawing([f"train/{name}/{'b' * 80}.png", "train/c/ö.png"])))
    subprocess.run(["tar", f"--format={kind}", "-czf", dirs.sets / "long.tgz", "-C", dirs.sets, "long"], check=True)
    assert read(Source("long.tgz"), dirs) == read(Source("long"), dirs)


@pytest.mark.parametrize("name", ["val", "valid", "validation", "test"])
def test_names_of_the_test_part(dirs, name):
    put(dirs.sets / "pets", files(drawing(["train/a/1.png", "train/b/1.png", f"{name}/b/1.png"])))
    found = read(Source("pets"), dirs)
    assert (found.train, found.test) == (2, 1) and arrays(found)["test_labels"].tolist() == [1]


def test_no_test_part(dirs):
    put(dirs.sets / "pets", files(drawing(["cat/1.png", "dog/1.png"])))
    found = read(Source("pets"), dirs)
    assert (found.train, found.test) == (2, 0)
    assert arrays(found)["test_images"].shape == (0, 3, 5, 4) and arrays(found)["test_labels"].shape == (0,)
    assert recall(Source("pets"), dirs) == found


@pytest.mark.parametrize("names", [("train", "plane"), ("valid", "invalid"), ("test", "fail")])
def test_classes_may_be_called_like_parts(dirs, names):
    put(dirs.sets / "odd", files(drawing([f"{name}/1.png" for name in names])))
    assert read(Source("odd"), dirs).class_names == tuple(sorted(names))


def test_what_systems_leave_behind_is_passed_over(dirs):
    contents = files(drawing(["a/1.png", "b/1.png"]))
    rubbish = ["__MACOSX/a/._1.png", ".DS_Store", "a/.hidden.png", "b/Thumbs.db", "b/desktop.ini", ".git/x/y/z/w/v"]
    put(dirs.sets / "plain", contents)
    with_rubbish = {**contents, **dict.fromkeys(rubbish, b"x"), "README": b"", "LICENSE.rst": b"", "labels.csv": b""}
    put(dirs.sets / "rubbish", with_rubbish)
    pack(dirs.sets / "rubbish.tar", with_rubbish)
    assert read(Source("rubbish"), dirs) == read(Source("rubbish.tar"), dirs) == read(Source("plain"), dirs)


def test_the_digest_knows_pixels_labels_and_class_names(dirs):
    drawn = drawing(["a/1.png", "a/2.png", "b/1.png"])
    first, second, third = drawn.values()
    changed = third.copy()
    changed[-1, -1, -1] ^= 1
    sets = {
        "pixel": {"a/1.png": first, "a/2.png": second, "b/1.png": changed},
        "label": {"a/1.png": first, "b/0.png": second, "b/1.png": third},
        "class": {"a/1.png": first, "a/2.png": second, "c/1.png": third},
        "order": {"a/1.png": second, "a/2.png": first, "b/1.png": third},
        "part": {"train/a/1.png": first, "train/b/1.png": third, "test/a/2.png": second},
        "drawn": drawn,
    }
    for name, pixels in sets.items():
        put(dirs.sets / name, files(pixels))
    assert len({read(Source(name), dirs).digest for name in sets}) == len(sets)
    put(dirs.sets / "renamed", files({"a/x.png": first, "a/y.png": second, "b/z.png": third}))
    assert read(Source("renamed"), dirs) == read(Source("drawn"), dirs)


def test_grey(dirs):
    put(dirs.sets / "pets", files(pets()))
    found = read(Source("pets", colour="grey"), dirs)
    expected = np.asarray(Image.fromarray(pets()["train/cat/a.png"]).convert("L"))
    assert found.image_shape == (1, 5, 4)
    assert torch.equal(arrays(found)["train_images"][0], chw(expected))
    assert found.digest != read(Source("pets"), dirs).digest


@pytest.mark.parametrize("size", [(8, 8), (8, 12), (16, 8), (24, 8)])  # height, width
def test_resized_and_cropped(dirs, size):
    (pixels,) = drawing(["x"], size).values()
    side = 4
    image = Image.fromarray(pixels)
    short = min(size)
    image = image.resize((image.width * side // short, image.height * side // short), Image.Resampling.BICUBIC)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    expected = np.asarray(image.crop((left, top, left + side, top + side))).transpose(2, 0, 1)
    found = only(dirs, encoded(pixels), image_size=side)
    # Pillow rounds between its two passes, and which is first follows from how much is scaled
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_an_image_of_the_right_size_is_not_resampled(dirs):
    (pixels,) = drawing(["x"], (6, 6)).values()
    assert np.array_equal(only(dirs, encoded(pixels), image_size=6), pixels.transpose(2, 0, 1))


def test_a_very_long_image_stays_small(dirs):
    assert only(dirs, encoded(np.full((1, 60_000, 3), 7, np.uint8)), image_size=64).tolist() == [[[7] * 64] * 64] * 3


def test_turned_as_exif_says(dirs):
    (pixels,) = drawing(["x"]).values()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270°
    found = only(dirs, encoded(pixels, exif=exif))
    assert np.array_equal(found, np.rot90(pixels, -1).transpose(2, 0, 1))


@pytest.mark.parametrize(("kind", "name"), [("PNG", "a.png"), ("TIFF", "a.tif"), ("PPM", "a.pgm")])
def test_sixteen_bits_of_grey_are_scaled(dirs, kind, name):
    values = np.array([[0, 255, 256, 30_000, 65_535]], np.uint16)
    assert only(dirs, encoded(values, kind), name, colour="grey").tolist() == [[[0, 0, 1, 117, 255]]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_kind_of_pixels(dirs, mode):
    (pixels,) = drawing(["x"], (8, 8)).values()
    image = Image.fromarray(pixels).convert(mode)
    kind, name = ("TIFF", "a.tiff") if mode == "CMYK" else ("PNG", "a.PNG")
    image.save(dirs.sets / "x", kind)
    expected = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(only(dirs, (dirs.sets / "x").read_bytes(), name), expected)


def test_the_first_frame_of_an_animation(dirs):
    frames = [Image.new("P", (4, 4), colour) for colour in (1, 2)]
    frames[0].putpalette([0, 0, 0, 10, 20, 30, 40, 50, 60])
    frames[0].save(dirs.sets / "x", "GIF", save_all=True, append_images=frames[1:])
    assert only(dirs, (dirs.sets / "x").read_bytes(), "a.gif")[:, 0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "WEBP", "PPM", "TIFF"])
def test_every_format(dirs, kind):
    (pixels,) = drawing(["x"], (9, 9)).values()
    content = encoded(pixels, kind)
    (dirs.sets / "x").write_bytes(content)
    suffix = {"JPEG": "JPeG"}.get(kind, kind.lower())
    expected = np.asarray(Image.open(dirs.sets / "x").convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(only(dirs, content, f"a.{suffix}"), expected)


def test_links_in_the_data_folder_may_lead_out_of_it(dirs, tmp_path):
    put(tmp_path / "elsewhere", files(drawing(["a/1.png", "c/1.png"])))
    (dirs.sets / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "b").symlink_to(tmp_path / "elsewhere" / "a")
    assert read(Source("linked"), dirs).class_names == ("a", "b", "c")


def test_progress(dirs, monkeypatch):
    from lth_pipeline.lottery.data.images import reading

    monkeypatch.setattr(reading, "CHUNK", 2)
    put(dirs.sets / "pets", files(pets()))
    told = []
    read(Source("pets"), dirs, lambda *numbers: told.append(numbers))
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]
    read(Source("pets"), dirs, lambda *numbers: pytest.fail("was read again"))


names = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=6).filter(
    lambda name: not name.startswith(".") and name not in ("train", "__MACOSX") and len(name.encode()) < 200
)


@settings(max_examples=15)
@given(
    st.dictionaries(names, st.lists(names, min_size=1, max_size=4, unique=True), min_size=2, max_size=4),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.integers(0, 9),
    st.booleans(),
)
def test_any_set_goes_through_bit_for_bit(tmp_path_factory, classes, size, seed, packed):
    dirs = dirs_in(tmp_path_factory.mktemp("set"))
    paths = [f"{name}/{file}.png" for name in sorted(classes) for file in classes[name]]
    drawn = drawing(paths, size, seed)
    # in the order of the whole names, as the suffix may change that of the stems
    order = [path for name in sorted(classes) for path in sorted(path for path in paths if path.split("/")[0] == name)]
    if packed:
        pack(dirs.sets / "x.tar.gz", files(drawn))
    else:
        put(dirs.sets / "x", files(drawn))
    found = read(Source("x.tar.gz" if packed else "x"), dirs)
    values = arrays(found)
    assert found.class_names == tuple(sorted(classes))
    assert torch.equal(values["train_images"], torch.stack([chw(drawn[path]) for path in order]))
    assert values["train_labels"].tolist() == [sorted(classes).index(path.split("/")[0]) for path in order]
    assert os.listdir(dirs.cache / "images" / "content") == [found.digest]  # noqa: PTH208
