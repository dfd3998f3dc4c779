"""How fresh weights are drawn."""

import math

import torch

INITIALISATIONS = ("glorot_normal",)


def glorot_normal(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """float32 weights of `shape` (out, in, *kernel) from N(0, 2 / (fan in + fan out)).

    Glorot & Bengio 2010, eq. 12 with a normal in place of a uniform draw; the initialisation of every
    network in Frankle & Carbin 2019 (Fig. 2).
    """
    field = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * field, shape[0] * field
    return torch.randn(shape, generator=generator) * math.sqrt(2.0 / (fan_in + fan_out))
