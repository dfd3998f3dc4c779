"""Exported networks are read back as they were written, and of what is none only a clear error comes."""

import io
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from safetensors.torch import save

from lth_pipeline.lottery.errors import ModelFileError
from lth_pipeline.lottery.small.onnx_file import int8_bytes, session
from lth_pipeline.lottery.small.reading import _reason, open_model
from lth_pipeline_tests.lottery import exported

SUFFIXES = exported.SUFFIXES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_networks_logits_and_what_is_known_of_it(suffix, tmp_path):
    opened = open_model(exported.write(tmp_path, suffix))
    pixels = exported.images(5)
    right = exported.logits(pixels)
    assert np.ptp(right, axis=0).min() > 1  # the images are told apart, or nothing would be shown
    np.testing.assert_allclose(opened.logits(pixels.astype(np.float32) / 255), right, rtol=1e-5, atol=1e-5)
    assert opened.about == exported.about()


def test_onnx_files_are_opened_without_torch(tmp_path):
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from lth_pipeline.lottery.small.predict import load\n"
        f"print(load({str(exported.write(tmp_path))!r}).classes)"
    )
    assert "dog" in subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout


@given(st.sampled_from(SUFFIXES), st.data())
@settings(max_examples=60)
def test_a_damaged_file_is_an_error_of_ours_or_a_network_that_works(tmp_path_factory, suffix, data):
    whole = exported.content(suffix)
    damaged = bytearray(whole[: data.draw(st.integers(1, len(whole)) | st.just(len(whole)), "length")])
    for _ in range(data.draw(st.integers(0, 4), "flips")):
        place = data.draw(st.integers(-min(2000, len(damaged)), min(2000, len(damaged)) - 1), "place")
        damaged[place] = data.draw(st.integers(0, 255), "byte")
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(damaged)
    try:
        opened = open_model(path)
        found = opened.logits(np.zeros((2, *opened.about["image_shape"]), np.float32))
    except ModelFileError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
    else:
        assert found.shape == (2, len(opened.about["classes"])) and np.isfinite(found).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_half_a_file_is_an_error(suffix, tmp_path):
    path = exported.write(tmp_path, suffix)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelFileError, match="damaged"):
        open_model(path)


def test_what_is_no_model_file_is_named(tmp_path):
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "folder.pt2").mkdir()
    (tmp_path / "pickled.pt").write_bytes(b"x")
    (tmp_path / "none").write_bytes(b"x")
    (tmp_path / "text.safetensors").write_text("these are no tensors")
    shutil.copyfile(exported.write(tmp_path, ".pt2"), tmp_path / "really_pt2.onnx")
    for name, said in {
        "missing.onnx": "no such file",
        "empty.onnx": "empty",
        "folder.pt2": "a folder; a model is one file",
        "pickled.pt": r"\.pt; what can be read is \.onnx, \.pt2, \.safetensors",
        "none": "no suffix; what can be read",
        "text.safetensors": r"not a \.safetensors file",
        "really_pt2.onnx": r"not a \.onnx file by its first bytes; \.pt2 files begin like that",
        "null\0byte.onnx": "cannot be read",
    }.items():
        with pytest.raises(ModelFileError, match=said):
            open_model(tmp_path / name)


def test_tensors_without_a_program_are_no_network(tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(save({"weight": torch.ones(2, 2)}))
    with pytest.raises(ModelFileError, match="no metadata 'lth_pipeline'"):
        open_model(path)


def rewritten(path, change) -> None:
    """Change the metadata of a .safetensors file, and the tensors in it."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["lth_pipeline"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    change(about, tensors)
    path.write_bytes(save(tensors, {"lth_pipeline": json.dumps(about)}))


def both(about: dict, shape: list[int]) -> None:
    about["image_shape"] = about["program"]["image_shape"] = shape


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda about, tensors: about.update(format=2), "of format 2; this version reads 1"),
        (lambda about, tensors: about.update(classes=["one"]), "names 1 classes, and tells 3 apart"),
        (lambda about, tensors: about.update(classes="abc"), "list of names"),
        (lambda about, tensors: about.update(colour="blue"), "colour 'blue'"),
        (
            lambda about, tensors: about.update(image_shape=[1, 7, 5]),
            r"of \[1, 7, 5\], and its program takes \[1, 6, 5\]",
        ),
        (lambda about, tensors: both(about, [1, 6, 0]), r"has to be \[channels, height, width\]"),
        (lambda about, tensors: both(about, [1, 6, 10**9]), "as large as that"),
        (lambda about, tensors: both(about, [1, 7, 5]), "damaged"),
        (lambda about, tensors: tensors.pop("fc1.weight"), "fc1.weight"),
        (lambda about, tensors: tensors.update({"fc1.weight": torch.ones(7, 4)}), "damaged"),
        (lambda about, tensors: tensors["fc1.weight"].fill_(torch.nan), "not finite"),
        (lambda about, tensors: about["program"]["ops"].pop(), "names 3 classes, and tells 7 apart"),
    ],
)
def test_a_file_that_contradicts_itself_says_where(change, said, tmp_path):
    path = exported.write(tmp_path, ".safetensors")
    rewritten(path, change)
    with pytest.raises(ModelFileError, match=said):
        open_model(path)


def repacked(path, change, method=zipfile.ZIP_STORED) -> None:
    """Write the zip anew. change: (name without its folder, content) -> content."""
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as old, zipfile.ZipFile(path, "w", method) as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename.partition("/")[2], old.read(info)))


def test_nothing_in_a_pt2_file_is_executed(tmp_path):
    """What torch.export.load would run: a pickle, as example inputs and as a weight."""
    path, hit = exported.write(tmp_path, ".pt2"), tmp_path / "hit"
    pickle = b"cos\nsystem\n(S'touch " + bytes(hit) + b"'\ntR."
    repacked(path, lambda name, content: pickle if "sample_inputs" in name else content)
    assert open_model(path).about == exported.about()  # it is not even looked at
    repacked(path, lambda name, content: content.replace(b'"use_pickle": false', b'"use_pickle": true'))
    with pytest.raises(ModelFileError, match="pickles can run programs"):
        open_model(path)
    assert not hit.exists()


def test_a_pt2_file_of_other_make_or_that_unpacks_to_more_is_refused(tmp_path):
    path = exported.write(tmp_path, ".pt2")
    repacked(path, lambda name, content: content, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFileError, match="compressed"):
        open_model(path)
    program = torch.export.export(torch.nn.Linear(2, 2), (torch.ones(2, 2),))
    torch.export.save(program, tmp_path / "other.pt2")
    with pytest.raises(ModelFileError, match="did not write it"):
        open_model(tmp_path / "other.pt2")


def foreign(shape: list, kind: int = TensorProto.FLOAT) -> bytes:
    """An ONNX file that says nothing of itself: flattens its images."""
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["y"])],
        "other",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.mark.parametrize("batch", ["batch", 1])
def test_an_onnx_file_of_other_make_has_classes_by_number(batch, tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(foreign([batch, 1, 2, 2]))
    opened = open_model(path)
    assert opened.about == {"image_shape": [1, 2, 2], "colour": "grey", "classes": ["0", "1", "2", "3"]}
    images = np.arange(12, dtype=np.float32).reshape(3, 1, 2, 2)
    np.testing.assert_array_equal(opened.logits(images), images.reshape(3, 4))


@pytest.mark.parametrize(
    ("shape", "kind", "said"),
    [
        (["batch", 3, "height", "width"], TensorProto.FLOAT, "channels, height and width have to be numbers"),
        (["batch", 4], TensorProto.FLOAT, r"takes x tensor\(float\) \['batch', 4\]"),
        (["batch", 1, 2, 2], TensorProto.DOUBLE, r"takes x tensor\(double\)"),
        ([8, 1, 2, 2], TensorProto.FLOAT, "takes 8 images at once"),
    ],
)
def test_an_onnx_file_that_takes_no_images_says_what_it_takes(shape, kind, said, tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(foreign(shape, kind))
    with pytest.raises(ModelFileError, match=said):
        open_model(path)


def test_an_onnx_file_reads_no_other_file(tmp_path, monkeypatch):
    """Weights that lie beside the file might lie anywhere; also not those in the folder that one is in."""
    path = exported.write(tmp_path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    monkeypatch.chdir(tmp_path)
    onnxruntime.InferenceSession("ticket.onnx")  # it is whole, whoever trusts it
    with pytest.raises(ModelFileError, match="its weights lie in another file, which is not opened"):
        open_model("ticket.onnx")


def test_of_eight_bits_an_image_is_told_the_same_whatever_is_asked_with_it(tmp_path):
    path = tmp_path / "eight.onnx"
    path.write_bytes(int8_bytes(exported.content(".onnx")))
    images = exported.images(20).astype(np.float32) / 255
    images[1] *= 0.01  # a scale of its own
    running = session(path)
    together, alone = (
        np.concatenate([running.run(["logits"], {"image": some})[0] for some in pieces])
        for pieces in ([images], np.split(images, len(images)))
    )
    assert (together != alone).any()  # or nothing would be shown
    np.testing.assert_array_equal(open_model(path).logits(images), alone)


def test_what_a_damaged_file_says_is_shown_as_text():
    assert _reason(ValueError("bell \x07 and \x1b[31mred")) == r"ValueError: 'bell \x07 and \x1b[31mred'"


def test_without_onnxruntime_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = exported.write(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelFileError, match=r"pip install --editable '\.\[export\]'"):
        open_model(path)
