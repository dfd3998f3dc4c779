"""Every format of a small network says what torch says, whatever the mask, and has the same bytes every time."""

import io
import json
import sys
from fractions import Fraction

import onnx
import pytest
import torch

from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.small import errors
from lth_pipeline.lottery.small.compact import as_trained, compact
from lth_pipeline.lottery.small.network import load
from lth_pipeline.lottery.small.onnx_file import int8_bytes, onnx_bytes, session
from lth_pipeline.lottery.small.pt2_file import pt2_bytes
from lth_pipeline.lottery.small.safetensors_file import safetensors_bytes
from lth_pipeline_tests.lottery.networks import lively, network

#: name -> (image shape, settings)
NETWORKS = {
    "mlp": ((1, 8, 8), {}),
    "conv2": ((1, 12, 12), {}),
    "lenet5": ((1, 28, 28), {}),
    "resnet_cifar": ((3, 16, 16), {"depth": 8}),
    "vgg11": ((3, 32, 32), {"scale": Fraction(1, 8)}),
}
DENSITIES = {"all": 1.0, "some": 0.2, "few": 0.01, "none": 0.0}
MEAN, STD = 0.3, 0.4
ABOUT = {"experiment": "ä test", "round": 3}


def small_of(name: str, density: float, whole: bool = False):
    """(small network, images (3, C, H, W), what torch makes of them) of a random mask."""
    shape, settings = NETWORKS[name]
    model = network(name, shape, **settings)
    weights, draws = lively(model, torch.float32), generator(7)
    mask = {layer.weight: torch.rand(layer.shape, generator=draws) < density for layer in model.layers}
    under = {name: tensor * mask[name] if name in mask else tensor for name, tensor in weights.items()}
    mean, std = [MEAN] * shape[0], [STD] * shape[0]
    images = torch.rand(3, *shape, generator=draws)
    expected = model.logits(under, images.sub(MEAN).div(STD))
    small = as_trained(model, shape, under, mean, std) if whole else compact(model, shape, weights, mask, mean, std)
    return small, images, expected


def near(found, expected: torch.Tensor) -> bool:
    most = 1e-5 * max(1.0, float(expected.abs().max()))
    return float((torch.as_tensor(found) - expected).abs().max()) <= most


def test_near_sees_a_difference():
    expected = torch.tensor([[1.0, 2.0]])
    assert near(expected + 1e-6, expected) and not near(expected + 1e-4, expected)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("density", DENSITIES)
def test_onnx_and_safetensors_say_what_torch_says(name, density, tmp_path):
    small, images, expected = small_of(name, DENSITIES[density])
    running = session(onnx_bytes(small, ABOUT))
    for some in (images, images[:1]):
        assert near(running.run(["logits"], {"image": some.numpy()})[0], expected[: len(some)])
    for sparse in (False, True):
        path = tmp_path / f"{sparse}.safetensors"
        path.write_bytes(safetensors_bytes(small, ABOUT, sparse))
        with torch.inference_mode():
            assert near(load(str(path))(images), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_pt2_says_what_torch_says_for_any_number_of_images(name):
    small, images, expected = small_of(name, 0.2)
    content, about = pt2_bytes(small, ABOUT), {"lth_pipeline": ""}
    program = torch.export.load(io.BytesIO(content), extra_files=about).module()
    assert near(program(images).detach(), expected) and near(program(images[:1]).detach(), expected[:1])
    assert json.loads(about["lth_pipeline"]).items() >= ABOUT.items()


@pytest.mark.parametrize("name", ["mlp", "resnet_cifar"])
def test_the_network_as_trained_goes_into_every_format(name, tmp_path):
    small, images, expected = small_of(name, 0.2, whole=True)
    assert near(session(onnx_bytes(small, ABOUT)).run(["logits"], {"image": images.numpy()})[0], expected)
    assert near(torch.export.load(io.BytesIO(pt2_bytes(small, ABOUT))).module()(images).detach(), expected)
    path = tmp_path / "whole.safetensors"
    path.write_bytes(safetensors_bytes(small, ABOUT))
    with torch.inference_mode():
        assert near(load(str(path))(images), expected)


@pytest.mark.parametrize("write", [onnx_bytes, pt2_bytes, safetensors_bytes, lambda *of: int8_bytes(onnx_bytes(*of))])
def test_the_same_network_has_the_same_bytes_and_no_path_is_in_them(write):
    small, _, _ = small_of("resnet_cifar", 0.3)
    first = write(small, ABOUT)
    assert write(*small_of("resnet_cifar", 0.3)[:1], dict(reversed(ABOUT.items()))) == first
    assert write(small, {**ABOUT, "round": 4}) != first
    assert b".py" not in first and b"site-packages" not in first


def test_int8_is_smaller_stays_near_and_keeps_what_is_said(caplog):
    small, images, expected = small_of("conv2", 0.5)
    whole = onnx_bytes(small, ABOUT)
    content = int8_bytes(whole)
    found = torch.from_numpy(session(content).run(["logits"], {"image": images.numpy()})[0])
    assert len(content) < 0.3 * len(whole)
    assert 0 < float((found - expected).abs().max()) < 0.05 * float(expected.abs().max())
    assert {each.key: json.loads(each.value) for each in onnx.load_from_string(content).metadata_props} == {
        "lth_pipeline": ABOUT
    }
    assert not caplog.records


def test_a_missing_package_is_one_clear_message(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    small, _, _ = small_of("mlp", 0.2)
    with pytest.raises(errors.ExportError, match=r"onnx is missing .*pip install --editable '\.\[export\]'"):
        onnx_bytes(small, ABOUT)
