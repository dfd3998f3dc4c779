"""How many weights each network has, against the table of Frankle & Carbin 2019 (Fig. 2) and torchvision's counts."""

import pytest

from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.models.model import Layer, Model
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.lottery.networks import NAMES, network

MNIST, CIFAR = (1, 28, 28), (3, 32, 32)


def in_convolutions(model: Model) -> int:
    return sum(layer.size for layer in model.layers if layer.kind != "fc")


#: (network, its settings, images), prunable weights, those in convolutions, the paper's figures with half of their
#: last digit (38K stands for 38,592: the paper cut there, so that one has the whole digit)
PAPER = {
    "LeNet-300-100": (("mlp", {"widths": (300, 100)}, MNIST), 266_200, 0, (266e3, 500), None),
    "Conv-2": (("conv2", {}, CIFAR), 4_300_992, 38_592, (4.3e6, 5e4), (38e3, 1e3)),
    "Conv-4": (("conv4", {}, CIFAR), 2_425_024, 259_776, (2.4e6, 5e4), (260e3, 500)),
    "Conv-6": (("conv6", {}, CIFAR), 2_261_184, 1_144_512, None, (1.1e6, 5e4)),
    "ResNet-18": (("resnet_cifar", {"depth": 20}, CIFAR), 270_896, 270_256, None, (270e3, 500)),
    "VGG-19": (("vgg19", {}, CIFAR), 20_024_000, 20_018_880, (20.0e6, 5e4), None),
}


@pytest.mark.parametrize("title", PAPER)
def test_networks_have_the_papers_sizes(title):
    (name, settings, image_shape), prunable, convolutions, paper_all, paper_convolutions = PAPER[title]
    model = network(name, image_shape, **settings)
    assert (model.prunable, in_convolutions(model)) == (prunable, convolutions)
    for found, paper in ((model.prunable, paper_all), (in_convolutions(model), paper_convolutions)):
        if paper:
            print(f"{title}: {found:,}, the paper {paper[0]:,.0f}, difference {found - paper[0]:+,.0f}")
            assert abs(found - paper[0]) <= paper[1]


def test_resnet_20s_difference_from_the_papers_274k_is_known():
    """274,442 is what Keras counts in its ResNet-20, which the paper used; ours learns 272,474.

    Keras adds a bias to each convolution, counts batch norm's running statistics, and has no batch norm in its
    shortcuts.
    """
    model = network("resnet_cifar", CIFAR, depth=20)
    assert model.parameters == 272_474
    biases = sum(layer.shape[0] for layer in model.layers if layer.kind != "fc")
    statistics = sum(2 * norm.channels for norm in model.norms if "shortcut" not in norm.name)
    of_shortcuts = sum(2 * norm.channels for norm in model.norms if "shortcut" in norm.name)
    print(f"ResNet-18: 272,474, the paper 274,000; {biases=}, {statistics=}, {of_shortcuts=}")
    assert (biases, statistics, of_shortcuts) == (784, 1376, 192)
    assert model.parameters + biases + statistics - of_shortcuts == 274_442


def test_conv_6s_difference_from_the_papers_1_7m_is_known():
    """Of the 2.26M, 1,048,576 lie in fc1, which sees 256 maps of 4×4; the paper's 1.7M needs half of them.

    Its three poolings make 4×4 of 32×32, and its Conv-2 and Conv-4 have exactly the fc1 that two and one fewer
    give, so we take the layers of the paper and not its sum.
    """
    model = network("conv6", CIFAR)
    fc1 = next(layer for layer in model.layers if layer.name == "fc1")
    print(f"Conv-6: {model.prunable:,}, the paper 1,700,000, difference {model.prunable - 1.7e6:+,.0f}")
    assert fc1.shape == (256, 256 * 4 * 4)
    assert abs(model.prunable - fc1.size // 2 - 1.7e6) <= 5e4


def test_the_papers_resnet_leaves_2560_weights_of_shortcuts_unpruned():
    """Frankle & Carbin 2019, Appendix: "the 2560 parameters used to downsample residual connections"."""
    model = build("resnet_cifar", CIFAR, 10, depth=20, initialisation="glorot_normal")
    assert sum(layer.size for layer in model.layers if layer.kind == "shortcut") == 2560


#: all that is learned. The VGGs: torchvision's `features` of vgg*_bn less the biases of their convolutions, and 5130
#: of the output. resnet18 and resnet50: torchvision's own counts at 1000 classes.
LEARNED = [
    ("lenet5", {}, MNIST, 10, 61_706),
    ("vgg11", {}, CIFAR, 10, 9_228_362),
    ("vgg13", {}, CIFAR, 10, 9_413_066),
    ("vgg16", {}, CIFAR, 10, 14_724_042),
    ("vgg19", {}, CIFAR, 10, 20_035_018),
    ("resnet_cifar", {"depth": 20, "filters": 64}, CIFAR, 10, 4_327_754),
    ("resnet18", {}, (3, 224, 224), 1000, 11_689_512),
    ("resnet50", {}, (3, 224, 224), 1000, 25_557_032),
]


@pytest.mark.parametrize(("name", "settings", "image_shape", "classes", "learned"), LEARNED)
def test_what_is_learned_is_counted(name, settings, image_shape, classes, learned):
    assert network(name, image_shape, classes, **settings).parameters == learned


@pytest.mark.parametrize("name", NAMES)
def test_layers_norms_and_tensors_tell_the_same(name):
    model = network(name)
    weights = model.initialise(generator(0))
    assert sum(tensor.numel() for name, tensor in weights.items() if name not in model.buffers) == model.parameters
    expected: dict[str, tuple[int, ...]] = {}
    for layer in model.layers:
        expected[layer.weight] = layer.shape
        if layer.bias:
            expected[f"{layer.name}.bias"] = (layer.shape[0],)
    for norm in model.norms:
        for part in ("weight", "bias", "running_mean", "running_var"):
            expected[f"{norm.name}.{part}"] = (norm.channels,)
    assert {name: tuple(tensor.shape) for name, tensor in weights.items()} == expected
    dimensions = {"fc": 2, "conv": 4, "shortcut": 4}
    assert all(len(layer.shape) == dimensions[layer.kind] for layer in model.layers)
    assert [layer for layer in model.layers if layer.is_output] == [model.layers[-1]]
    assert model.layers[-1].shape[0] == 10


@pytest.mark.parametrize("depth", [8, 20, 32])
def test_depth_is_the_number_of_layers(depth):
    def counted(layer: Layer) -> bool:
        return not layer.name.endswith("shortcut")  # projections are not among He et al.'s layers

    model = network("resnet_cifar", depth=depth)
    assert sum(map(counted, model.layers)) == depth
    for name in ("vgg11", "vgg13", "vgg16", "vgg19"):  # of which two hidden fc layers are not here
        assert len(network(name).layers) == int(name.removeprefix("vgg")) - 2
