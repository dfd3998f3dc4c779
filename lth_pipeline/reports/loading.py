"""Five lines that load an exported network, in each format: what a model card shows, and a test runs."""

from __future__ import annotations

from collections.abc import Sequence


def is_signal(image_shape: Sequence[int]) -> bool:
    """Whether images of this shape are signals: of a single row or column, taken as their data set has them."""
    return 1 in image_shape[1:]


def values(image_shape: Sequence[int]) -> str:
    """What an image consists of."""
    return "values as in the data set" if is_signal(image_shape) else "pixels from 0 to 1"


def loading(name: str, image_shape: Sequence[int]) -> str:
    """Python that loads the file `name` and classifies one image; what it needs is what its first line imports."""
    shape = ", ".join(map(str, (1, *image_shape)))
    yours = f"yours: {values(image_shape)}, any number of images"
    if name.endswith(".onnx"):
        lines = [
            "import numpy, onnxruntime",
            f"network = onnxruntime.InferenceSession({name!r})",
            f'images = numpy.zeros(({shape}), dtype="float32")  # {yours}',
            'logits = network.run(["logits"], {"image": images})[0]',
            "print(logits.argmax(1))  # of each image, the place of its class in the list of classes",
        ]
    elif name.endswith(".pt2"):
        lines = [
            "import torch",
            f"network = torch.export.load({name!r}).module()",
            f"images = torch.zeros({shape})  # {yours}",
            "logits = network(images)",
            "print(logits.argmax(1))  # of each image, the place of its class in the list of classes",
        ]
    else:
        lines = [
            "import torch, lth_network  # the file lth_network.py beside the network's; it needs torch and safetensors",
            f"network = lth_network.load({name!r})",
            f"images = torch.zeros({shape})  # {yours}",
            "logits = network(images)",
            "print(logits.argmax(1))  # of each image, the place of its class in the list of classes",
        ]
    return "\n".join(lines)
