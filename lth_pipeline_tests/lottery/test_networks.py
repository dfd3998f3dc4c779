"""Logits against the same networks of torch's own modules, and what holds for every network."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from lth_pipeline.lottery.errors import ModelError
from lth_pipeline.lottery.models.catalog import NETWORKS, build
from lth_pipeline.lottery.models.model import EVALUATION, Mode
from lth_pipeline.lottery.models.pieces import laid_out
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.lottery.networks import NAMES, images, lively, network

TRAINING = Mode(training=True)


def conv_relu(channels, filters, *, norm, kernel=3, padding=1):
    convolution = nn.Conv2d(channels, filters, kernel, padding=padding, bias=not norm)
    return [convolution, *([nn.BatchNorm2d(filters)] if norm else []), nn.ReLU()]


def stacked(plan: str, norm: bool) -> list[nn.Module]:
    """`64 64 pool 128 …` as modules, on images of 3 channels."""
    channels, modules = 3, []
    for word in plan.split():
        if word == "pool":
            modules.append(nn.MaxPool2d(2, 2))
        else:
            modules += conv_relu(channels, int(word), norm=norm)
            channels = int(word)
    return modules


def conv_n(plan: str, maps: int) -> nn.Module:
    hidden = [nn.Flatten(), nn.Linear(maps, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)]
    return nn.Sequential(*stacked(plan, norm=False), *hidden)


def vgg(plan: str) -> nn.Module:
    return nn.Sequential(*stacked(plan, norm=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def lenet5() -> nn.Module:
    first = [*conv_relu(3, 6, norm=False, kernel=5, padding=2), nn.MaxPool2d(2)]
    second = [*conv_relu(6, 16, norm=False, kernel=5, padding=0), nn.MaxPool2d(2)]
    hidden = [nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*first, *second, *hidden)


class Residual(nn.Module):
    def __init__(self, channels: int, filters: int):
        super().__init__()
        stride = 1 if channels == filters else 2
        self.body = nn.Sequential(
            nn.Conv2d(channels, filters, 3, stride, 1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(),
            nn.Conv2d(filters, filters, 3, 1, 1, bias=False),
            nn.BatchNorm2d(filters),
        )
        projection = [nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)]
        self.shortcut = nn.Sequential(*(projection if stride == 2 else []))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(inputs) + self.shortcut(inputs))


def resnet_14() -> nn.Module:
    widths = [16, 16, 16, 32, 32, 64, 64]
    blocks = [Residual(channels, filters) for channels, filters in pairwise(widths)]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*conv_relu(3, 16, norm=True), *blocks, *end)


#: name -> (image shape, the network of torch's modules)
MODULES = {
    "lenet5": ((3, 28, 28), lenet5),
    "conv2": ((3, 16, 8), lambda: conv_n("64 64 pool", 64 * 8 * 4)),
    "conv4": ((3, 16, 8), lambda: conv_n("64 64 pool 128 128 pool", 128 * 4 * 2)),
    "conv6": ((3, 16, 8), lambda: conv_n("64 64 pool 128 128 pool 256 256 pool", 256 * 2)),
    "vgg11": ((3, 32, 32), lambda: vgg("64 pool 128 pool 256 256 pool 512 512 pool 512 512")),
    "vgg13": ((3, 32, 32), lambda: vgg("64 64 pool 128 128 pool 256 256 pool 512 512 pool 512 512")),
    "vgg16": ((3, 32, 32), lambda: vgg("64 64 pool 128 128 pool 256 256 256 pool 512 512 512 pool 512 512 512")),
    "vgg19": (
        (3, 32, 32),
        lambda: vgg("64 64 pool 128 128 pool 256 256 256 256 pool 512 512 512 512 pool 512 512 512 512"),
    ),
    "resnet_cifar": ((3, 17, 32), resnet_14),
}


@pytest.mark.parametrize("name", MODULES)
def test_logits_are_those_of_the_same_network_in_torch(name):
    image_shape, in_torch = MODULES[name]
    model, reference = network(name, image_shape), in_torch().double()
    weights, batch = lively(model), images(4, image_shape)
    learned_and_moved = [key for key in reference.state_dict() if not key.endswith("num_batches_tracked")]
    ours = dict(zip(learned_and_moved, weights, strict=True))  # both stand in the network's order
    reference.load_state_dict({key: weights[ours[key]] for key in learned_and_moved})

    torch.testing.assert_close(model.logits(weights, batch), reference.eval()(batch))
    start = copy.deepcopy(weights)
    torch.testing.assert_close(model.logits(weights, batch, TRAINING), reference.train()(batch))
    moved = {key: tensor for key, tensor in reference.state_dict().items() if key in ours}
    for key, tensor in moved.items():
        torch.testing.assert_close(weights[ours[key]], tensor)
    assert {key for key in weights if not torch.equal(weights[key], start[key])} == model.buffers
    torch.testing.assert_close(model.logits(weights, batch), reference.eval()(batch))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("image_shape", [(3, 32, 32), (1, 24, 17)], ids=str)
def test_float32_gives_the_logits_of_float64(name, image_shape):
    """The two take different routes through torch on a CPU; what a network computes does not hang on one."""
    model = network(name, image_shape, classes=7)
    precise = model.logits(lively(model), images(2, image_shape))
    found = model.logits(lively(model, torch.float32), images(2, image_shape, torch.float32))
    assert found.shape == (2, 7) and found.dtype == torch.float32
    torch.testing.assert_close(found.double(), precise, rtol=1e-3, atol=1e-4 * precise.abs().max().item())


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_judged_by_itself_in_evaluation_and_no_tensor_is_changed(name):
    model = network(name)
    weights, batch = lively(model), images(3)
    before, seen = copy.deepcopy(weights), batch.clone()
    together = model.logits(weights, batch, EVALUATION)
    alone = torch.cat([model.logits(weights, batch[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone)
    model.logits(weights, batch, TRAINING)
    assert torch.equal(batch, seen)
    assert all(torch.equal(weights[key], before[key]) for key in weights if key not in model.buffers)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_all_that_is_learned(name):
    model = network(name, (3, 48, 48))
    weights = {
        key: tensor.requires_grad_(key not in model.buffers) for key, tensor in lively(model, torch.float32).items()
    }
    logits = model.logits(weights, images(4, (3, 48, 48), torch.float32), TRAINING)
    nn.functional.cross_entropy(logits, torch.arange(4)).backward()
    for key, tensor in weights.items():
        if key in model.buffers:
            assert not tensor.requires_grad
        else:
            assert tensor.grad.isfinite().all() and tensor.grad.any(), key
            assert tensor.grad.stride() == tensor.stride() or tensor.grad.is_contiguous()


class Largest(TorchFunctionMode):
    """Elements of the largest tensor that any function of torch gave back."""

    elements = 0

    def __torch_function__(self, function, types, arguments=(), options=None):
        found = function(*arguments, **(options or {}))
        if isinstance(found, torch.Tensor):
            self.elements = max(self.elements, found.numel())
        return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("image_shape", "classes"), [((3, 32, 32), 10), ((20, 21, 17), 3), ((1, 16, 16), 30_000)])
def test_widest_is_the_largest_activation(name, image_shape, classes):
    model = network(name, image_shape, classes)
    weights = model.initialise(generator(0))
    with Largest() as largest:
        model.logits(weights, images(2, image_shape, torch.float32))
    assert model.widest == largest.elements // 2


def test_widest_of_known_networks():
    assert network("conv2").widest == 64 * 32 * 32
    assert network("mlp", (1, 28, 28), widths=(300, 100)).widest == 784
    assert network("resnet50", (3, 224, 224)).widest == 64 * 112 * 112


@pytest.mark.parametrize(
    ("name", "least"),
    [("lenet5", 12), ("conv2", 2), ("conv4", 4), ("conv6", 8), *((f"vgg{n}", 16) for n in (11, 13, 16, 19))],
)
def test_too_small_images_are_refused_and_the_least_are_taken(name, least):
    for image_shape in ((3, least, least + 5), (3, least + 5, least)):
        model = network(name, image_shape)
        assert model.logits(lively(model), images(2, image_shape)).isfinite().all()
    for height, width in ((least - 1, 40), (40, least - 1)):
        with pytest.raises(ModelError) as caught:
            network(name, (3, height, width))
        assert str(caught.value) == (
            f"{name} cannot take images of {height}×{width} pixels (image shape (3, {height}, {width})): "
            f"its poolings leave nothing of images smaller than {least}×{least}"
        )


@pytest.mark.parametrize("name", ["mlp", "resnet_cifar", "resnet18", "resnet50"])
def test_the_others_take_a_single_pixel(name):
    model = network(name, (3, 1, 1))
    assert model.logits(lively(model), images(2, (3, 1, 1))).isfinite().all()


@pytest.mark.parametrize("depth", [1, 2, 7, 18, 21])
def test_depths_that_are_no_resnet_are_refused(depth):
    with pytest.raises(ModelError, match=rf"no depth {depth}: .*6n \+ 2 \(8, 14, 20, 32, 44, 56, 110 "):
        network("resnet_cifar", depth=depth)


@pytest.mark.parametrize("name", NAMES)
def test_settings_that_a_network_does_not_name_are_refused(name):
    for setting in {"widths", "depth", "filters", "dropout"} - set(NETWORKS[name].settings):
        with pytest.raises(TypeError, match=setting):
            build(name, (3, 32, 32), 10, **{"initialisation": "glorot_normal", setting: 4})


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_layout_of_images_changes_no_value(channels):
    whole = images(4, (2 * channels, 5, 7))
    for batch in (whole[:, :channels].contiguous(), whole[:, channels:], whole[:, ::2], whole[1::2, :channels]):
        found = laid_out(batch)
        assert torch.equal(found, batch)
        assert found.stride() == (5 * 7 * channels, 1, 7 * channels, channels)
