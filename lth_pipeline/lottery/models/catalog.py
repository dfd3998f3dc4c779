"""The networks by the names that cards use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from lth_pipeline.lottery.models.conv import conv
from lth_pipeline.lottery.models.lenet5 import lenet5
from lth_pipeline.lottery.models.mlp import mlp
from lth_pipeline.lottery.models.model import Model
from lth_pipeline.lottery.models.resnet import resnet
from lth_pipeline.lottery.models.resnet_cifar import resnet_cifar
from lth_pipeline.lottery.models.vgg import vgg

#: (image_shape, classes, initialisation=…, **settings of the card's `model`) -> Model
Builder = Callable[..., Model]


class Facts(NamedTuple):
    """A network of the catalog; settings: names of those it takes beside `initialisation`."""

    builder: Builder
    about: str
    settings: tuple[str, ...] = ()


NETWORKS: dict[str, Facts] = {
    "mlp": Facts(mlp, "fully connected; LeNet-300-100 is widths [300, 100] (LeCun et al. 1998)", ("widths", "dropout")),
    "lenet5": Facts(lenet5, "LeNet-5, with ReLU and max pooling (LeCun et al. 1998)", ("dropout",)),
    "conv2": Facts(partial(conv, 2), "Conv-2: 2 convolutions, 3 fc layers (Frankle & Carbin 2019)", ("dropout",)),
    "conv4": Facts(partial(conv, 4), "Conv-4: 4 convolutions, 3 fc layers (Frankle & Carbin 2019)", ("dropout",)),
    "conv6": Facts(partial(conv, 6), "Conv-6: 6 convolutions, 3 fc layers (Frankle & Carbin 2019)", ("dropout",)),
    "vgg11": Facts(partial(vgg, 11), "VGG-11 (A) with batch norm, for small images (Simonyan & Zisserman 2015)"),
    "vgg13": Facts(partial(vgg, 13), "VGG-13 (B) with batch norm, for small images (Simonyan & Zisserman 2015)"),
    "vgg16": Facts(partial(vgg, 16), "VGG-16 (D) with batch norm, for small images (Simonyan & Zisserman 2015)"),
    "vgg19": Facts(partial(vgg, 19), "VGG-19 (E) with batch norm, for small images (Simonyan & Zisserman 2015)"),
    "resnet_cifar": Facts(
        resnet_cifar,
        "ResNet of 6n + 2 layers for small images (He et al. 2016, §4.2); the lottery paper's ResNet-18 is depth 20",
        ("depth", "filters"),
    ),
    "resnet18": Facts(partial(resnet, 18), "ResNet-18 of ImageNet (He et al. 2016), torchvision's"),
    "resnet50": Facts(partial(resnet, 50), "ResNet-50 of ImageNet (He et al. 2016), torchvision's"),
}

#: name -> builder
MODELS: dict[str, Builder] = {name: facts.builder for name, facts in NETWORKS.items()}


def build(name: str, image_shape: tuple[int, ...], classes: int, **settings) -> Model:
    """The network `name` for images of `image_shape` (channels, height, width) and `classes` classes."""
    return MODELS[name](image_shape, classes, **settings)
