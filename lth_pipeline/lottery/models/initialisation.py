"""How fresh weights are drawn. Imports torch: builders import this file when weights are asked for."""

import math
from collections.abc import Iterable

import torch

from lth_pipeline.lottery.models.model import Layer, Norm


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(inputs that reach one unit, units that one input reaches) of weights (out, in, *kernel)."""
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def glorot_normal(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """float32 weights of `shape` (out, in, *kernel) from N(0, 2 / (fan in + fan out)).

    Glorot & Bengio 2010, eq. 12 with a normal in place of a uniform draw; the initialisation of every
    network in Frankle & Carbin 2019 (Fig. 2).
    """
    return torch.randn(shape, generator=generator) * math.sqrt(2.0 / sum(_fans(shape)))


def kaiming_normal(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """float32 weights of `shape` (out, in, *kernel) from N(0, 2 / fan in) (He et al. 2015, §2.2, eq. 10)."""
    return torch.randn(shape, generator=generator) * math.sqrt(2.0 / _fans(shape)[0])


INITIALISATIONS = {"glorot_normal": glorot_normal, "kaiming_normal": kaiming_normal}


def fresh(specs: Iterable[Layer | Norm], initialisation: str, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """All tensors of a network, float32: the weights of layers drawn by `initialisation`, in the order of `specs`.

    Biases are zero; a batch norm starts as the identity, its running statistics at mean 0 and variance 1.
    """
    draw = INITIALISATIONS[initialisation]
    weights = {}
    for spec in specs:
        if isinstance(spec, Layer):
            weights[spec.weight] = draw(spec.shape, generator)
            if spec.bias:
                weights[f"{spec.name}.bias"] = torch.zeros(spec.shape[0])
        else:
            mean, variance = spec.buffers
            weights[f"{spec.name}.weight"] = torch.ones(spec.channels)
            weights[f"{spec.name}.bias"] = torch.zeros(spec.channels)
            weights[mean] = torch.zeros(spec.channels)
            weights[variance] = torch.ones(spec.channels)
    return weights
