"""Every network of the catalog, small enough for tests, and weights that are not those it starts with."""

import torch

from lth_pipeline.lottery.models.catalog import NETWORKS, build
from lth_pipeline.lottery.models.model import Model
from lth_pipeline.lottery.randomness import generator

#: settings beside `initialisation` of the networks that need some
NEEDED = {"mlp": {"widths": (30, 20)}, "resnet_cifar": {"depth": 14}}
NAMES = tuple(NETWORKS)
WITH_DROPOUT = tuple(name for name, facts in NETWORKS.items() if "dropout" in facts.settings)


def network(name: str, image_shape=(3, 32, 32), classes=10, **settings) -> Model:
    return build(name, image_shape, classes, **{"initialisation": "kaiming_normal"} | NEEDED.get(name, {}) | settings)


def lively(model: Model, dtype=torch.float64) -> dict[str, torch.Tensor]:
    """Weights with no zero bias and no batch norm that does nothing, so that leaving one out shows."""
    draws = generator(5)
    weights = model.initialise(draws)
    for name, tensor in weights.items():
        if name.endswith("running_var"):
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=draws))
        elif tensor.dim() == 1:
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=draws))
    return {name: tensor.to(dtype) for name, tensor in weights.items()}


def images(number: int, image_shape=(3, 32, 32), dtype=torch.float64) -> torch.Tensor:
    return torch.randn(number, *image_shape, generator=generator(77)).to(dtype)
