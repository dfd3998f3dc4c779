"""What a network takes an image for: every way to hand one over gives the same; a bad one is an error that helps."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from lth_pipeline.lottery.data.images.decode import decode
from lth_pipeline.lottery.errors import ImageError, ModelFileError
from lth_pipeline.lottery.small.predict import BATCH, load
from lth_pipeline_tests.lottery import exported

RGB = (3, 6, 5)


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    return load(exported.write(tmp_path_factory.mktemp("grey")))


@pytest.fixture(scope="module")
def rgb(tmp_path_factory):
    return load(exported.write(tmp_path_factory.mktemp("rgb"), shape=RGB))


@pytest.fixture
def pixels():
    return exported.images(1)[0, 0]


def test_a_prediction_is_the_softmax_of_the_logits(grey):
    images = exported.images(BATCH + 3)  # more than go through at once
    right = torch.softmax(torch.from_numpy(exported.logits(images)).double(), 1).numpy()
    found = grey.predict(images, top=3)
    assert [prediction.name for prediction in found] == [exported.CLASSES[row.argmax()] for row in right]
    assert len({prediction.name for prediction in found}) > 1
    for prediction, row in zip(found, right, strict=True):
        assert dict(prediction.top) == pytest.approx(dict(zip(exported.CLASSES, row, strict=True)), abs=1e-6)
        assert prediction.top[0] == (prediction.name, prediction.probability)
    assert str(found[0]) == f"{found[0].name} ({found[0].probability:.1%})"


def test_probabilities_are_in_order_and_top_says_how_many(grey):
    images = exported.images(3)
    for top in (1, 2):
        assert [len(prediction.top) for prediction in grey.predict(images, top=top)] == [top] * 3
    for prediction in grey.predict(images, top=50):  # no more than there are
        listed = [probability for _, probability in prediction.top]
        assert listed == sorted(listed, reverse=True) and len(listed) == 3 and sum(listed) == pytest.approx(1)
    with pytest.raises(ValueError, match="top=0"):
        grey.predict(images, top=0)


def test_an_image_is_the_same_in_whatever_form_it_comes(grey, pixels, tmp_path):
    image = Image.fromarray(pixels)
    image.save(tmp_path / "grey.png")
    image.convert("RGB").save(tmp_path / "colour.png")
    Image.fromarray(pixels.astype(np.uint16) * 257).save(tmp_path / "sixteen_bits.png")
    forms = [
        pixels,
        pixels[None],
        pixels[:, :, None],
        pixels.astype(np.float32) / 255,
        pixels.astype(np.float64) / 255,
        torch.from_numpy(pixels),
        image,
        Image.open(tmp_path / "sixteen_bits.png"),
        tmp_path / "grey.png",
        str(tmp_path / "grey.png"),
        tmp_path / "colour.png",
        tmp_path / "sixteen_bits.png",
    ]
    found = grey.predict(forms)
    for prediction in found:
        assert dict(prediction.top) == pytest.approx(dict(found[0].top), abs=1e-6)
    assert grey.predict(pixels) == found[:1] and grey.predict(exported.images(1)) == found[:1]
    assert grey.predict([]) == []


def test_colour_stays_colour(rgb, tmp_path):
    pixels = exported.images(1, RGB)[0]
    image = Image.fromarray(pixels.transpose(1, 2, 0))
    image.save(tmp_path / "colour.png")
    found = rgb.predict([pixels, pixels.transpose(1, 2, 0), image, tmp_path / "colour.png"])
    assert len({prediction.top for prediction in found}) == 1
    logits = exported.logits(pixels[None], RGB)
    assert found[0].name == exported.CLASSES[logits.argmax()]


def test_photographs_are_turned_upright(grey, pixels, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = Image.fromarray(np.rot90(pixels))
    turned.save(tmp_path / "turned.png", exif=exif)
    upright = grey.predict(pixels)
    assert grey.predict(tmp_path / "turned.png") == upright
    with Image.open(tmp_path / "turned.png") as image:
        assert grey.predict(image) == upright
        assert image.size == turned.size  # the caller's image stays as it was


def test_another_size_is_an_error_that_names_both_and_resize_scales_the_centre(rgb, tmp_path):
    large = np.random.default_rng(0).integers(0, 256, (31, 40, 3), dtype=np.uint8)
    Image.fromarray(large).save(tmp_path / "large.png")
    with pytest.raises(ImageError, match=r"large\.png: 40 × 31 pixels .* takes 5 × 6; resize=True"):
        rgb.predict(tmp_path / "large.png")
    of_file = rgb.prepared(tmp_path / "large.png", resize=True)
    assert of_file.shape == RGB and of_file.dtype == np.float32
    # 6 high and 5 wide of 31 × 40: 31 × 25.8 in the middle
    box = ((40 - 31 * 5 / 6) / 2, 0, (40 + 31 * 5 / 6) / 2, 31)
    right = np.asarray(Image.fromarray(large).resize((5, 6), Image.Resampling.BICUBIC, box=box))
    np.testing.assert_array_equal(of_file, right.transpose(2, 0, 1).astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(of_file, rgb.prepared(large, resize=True))
    of_floats = rgb.prepared(large.astype(np.float32) / 255, resize=True)
    assert np.abs(of_floats - of_file).max() < 2 / 255 and of_floats.min() >= 0 and of_floats.max() <= 1


def test_square_images_are_scaled_as_own_images_are(tmp_path):
    shape = (3, 6, 6)
    square = load(exported.write(tmp_path, shape=shape))
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (31, 40, 3), dtype=np.uint8)).save(content, "PNG")
    (tmp_path / "large.png").write_bytes(content.getvalue())
    as_trained = decode(content.getvalue(), 6, "rgb").astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(square.prepared(tmp_path / "large.png", resize=True), as_trained)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((3, 6, 5), np.uint8), r"an array of shape \(3, 6, 5\); the network takes \(1, 6, 5\)"),
        (np.zeros(30, np.uint8), r"shape \(30,\)"),
        (np.zeros((1, 0, 5), np.uint8), r"shape \(1, 0, 5\)"),
        (np.zeros((5, 6), np.uint8), r"6 × 5 pixels .* takes 5 × 6"),
        (np.zeros((6, 5), np.int64), "an array of int64; give uint8"),
        (np.full((6, 5), 255.0), "floats from 255 to 255; pixels go from 0 to 1"),
        (np.full((6, 5), -0.1), "floats from -0.1"),
        (np.full((6, 5), np.nan), "floats from nan"),
        ({"pixels": 1}, "dict: give the path of a file"),
        (torch.zeros(6, 5, requires_grad=True), "cannot be taken as an array"),
    ],
)
def test_a_bad_array_is_an_error_that_says_what_is_right(grey, image, said):
    with pytest.raises(ImageError, match=rf"^image 1 \(from 0\): .*{said}"):
        grey.predict([np.zeros((6, 5), np.uint8), image])
    with pytest.raises(ImageError, match=f"the image: .*{said}"):
        grey.predict(image)


def bomb() -> bytes:
    """A PNG that announces 10,000,000,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_a_file_that_is_no_image_is_an_error(grey, pixels, tmp_path):
    image = io.BytesIO()
    Image.fromarray(pixels).save(image, "PNG")
    (tmp_path / "half.png").write_bytes(image.getvalue()[: len(image.getvalue()) // 2])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    (tmp_path / "bomb.png").write_bytes(bomb())
    Image.fromarray(pixels.astype(np.float32)).save(tmp_path / "floats.tiff")
    for name, said in {
        "half.png": "",
        "text.png": "not an image of a known format",
        "empty.png": "not an image of a known format",
        "bomb.png": "more than [0-9,]+ pixels",
        "floats.tiff": "32 bits a pixel",
        "missing.png": "no such file",
        ".": "a folder; give the files in it",
        "bell\a.png": "no such file",
    }.items():
        shown = r".*bell\\x07\.png'" if "bell" in name else str(tmp_path / name)
        with pytest.raises(ImageError, match=f"^{shown}: {said}"):
            grey.predict([pixels, tmp_path / name])
    with pytest.raises(ImageError, match="the image: "), Image.open(tmp_path / "half.png") as half:
        grey.predict(half)


def test_a_device_is_not_read(grey):
    with pytest.raises(ImageError, match="/dev/zero: not a file"):
        grey.predict("/dev/zero")


def test_a_network_of_two_channels_takes_arrays_alone(tmp_path, pixels):
    model = exported.write(tmp_path, ".onnx", (2, 6, 5))
    import onnx

    told = onnx.load(model)
    del told.metadata_props[:]
    onnx.save(told, model)
    two = load(model)
    assert two.classes == ["0", "1", "2"] and two.image_shape == (2, 6, 5)
    assert len(two.predict(np.stack([pixels, pixels]))) == 1
    with pytest.raises(ImageError, match="2 channels, which no image file has"):
        two.predict(Image.fromarray(pixels))


def test_signals_are_taken_as_their_data_set_has_them(tmp_path):
    """Arrays of any finite values, and nothing else."""
    shape = (1, 1, 12)
    model = load(exported.write(tmp_path, shape=shape))
    signals = np.random.default_rng(2).normal(0, 2, (3, *shape)).astype(np.float32)
    right = torch.softmax(torch.from_numpy(exported.logits(signals * 255, shape)).double(), 1).numpy()
    for prediction, row in zip(model.predict(signals), right, strict=True):
        assert dict(prediction.top) == pytest.approx(dict(zip(exported.CLASSES, row, strict=True)), abs=1e-5)
    assert model.predict(signals[0, 0]) == model.predict(signals[:1])
    Image.fromarray(np.zeros((1, 12), np.uint8)).save(tmp_path / "signal.png")
    for image, said in (
        (
            tmp_path / "signal.png",
            r"signals, which no image file holds; give it an array of floats of shape \(1, 1, 12\)",
        ),
        (Image.open(tmp_path / "signal.png"), "signals, which no image file holds"),
        (np.zeros(shape, np.uint8), "an array of uint8; give floats as in the data set"),
        (np.full(shape, np.nan), "floats from nan to nan; a signal's values are finite"),
        (np.full(shape, 1e300), "finite"),
        (np.zeros((1, 1, 13)), r"shape \(1, 1, 13\); the network takes signals of \(1, 1, 12\)"),
    ):
        with pytest.raises(ImageError, match=said):
            model.predict(image, resize=True)


def test_logits_that_are_no_numbers_are_an_error_that_names_the_file(tmp_path, grey):
    """The weights may be so damaged that only some images show it."""
    path = exported.write(tmp_path)
    import onnx
    from onnx import numpy_helper

    told = onnx.load(path)
    for tensor in told.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim == 2:
            tensor.CopyFrom(numpy_helper.from_array(values * np.float32(1e30), tensor.name))
    onnx.save(told, path)
    with pytest.raises(ModelFileError, match=r"ticket\.onnx: gives numbers that are not finite"):
        load(path).predict(exported.images(20))
