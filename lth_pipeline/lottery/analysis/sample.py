"""A fixed sample of a part of the data, and the loss on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from lth_pipeline.lottery.data.batches import fetched
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.evaluation import evaluate

#: weights -> mean cross-entropy
Loss = Callable[[Tensors], float]


def sample(part: Part, examples: int, seed: int) -> Part:
    """`examples` of `part` (all, where it has no more), drawn without replacement, in the order of the part."""
    chosen = torch.randperm(len(part), generator=generator(seed))[:examples].sort().values
    pixels, labels = next(iter(fetched(part, [chosen])))
    return replace(part, images=pixels, labels=labels, rows=None, streamed=False)


def loss_on(model: Model, part: Part) -> Loss:
    """The mean cross-entropy of `part` as a function of the weights; batch norm with the running statistics among them,
    nothing dropped."""
    return lambda weights: evaluate(model, weights, part)[0]
