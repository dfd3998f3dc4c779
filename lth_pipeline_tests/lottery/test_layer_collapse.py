"""SynFlow in many steps leaves a path through every layer where others cut the network in two (Tanaka et al. 2020)."""

import pytest
import torch

from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.lottery.pruning.prune import prune
from lth_pipeline.lottery.pruning.scores import scores
from lth_pipeline.lottery.randomness import generator

IMAGE_SHAPE = (1, 8, 8)
#: 64 inputs, ten narrow layers: 64·20 + 9·400 + 20·4 = 4,960 weights
MODEL = build("mlp", IMAGE_SHAPE, 4, widths=(20,) * 10, initialisation="kaiming_normal")
WEIGHTS = MODEL.initialise(generator(6))
NAMES = tuple(layer.weight for layer in MODEL.layers)
#: one weight in two hundred, little more than two for each of the eleven layers
KEEP = 25


def synflow(mask):
    return scores("synflow", mask, initial=WEIGHTS, model=MODEL, image_shape=IMAGE_SHAPE)


def magnitude(mask):
    return scores("magnitude", mask, trained=WEIGHTS)


def pruned(score, steps, keep=KEEP):
    return prune(masks.ones(MODEL), score, {"": keep}, NAMES, steps=steps, allow_empty=True)


def test_synflow_avoids_layer_collapse():
    mask = prune(masks.ones(MODEL), synflow, {"": KEEP}, NAMES, steps=CRITERIA["synflow"].steps)
    assert sum(masks.counts(mask).values()) == KEEP
    assert min(masks.counts(mask).values()) >= 1
    flow = synflow(mask)
    assert all(bool(flow[name].any()) for name in NAMES)  # not only weights in each layer: a path through them all


def test_magnitude_in_one_step_empties_layers():
    assert min(masks.counts(pruned(magnitude, 1)).values()) == 0
    with pytest.raises(PruningError, match="no weight would be left in "):
        prune(masks.ones(MODEL), magnitude, {"": KEEP}, NAMES)


def test_synflow_in_one_step_does_not_avoid_it():
    """What saves the layers is that scores are taken anew after each of the hundred steps."""
    assert not all(bool(each.any()) for each in synflow(pruned(synflow, 1)).values())


def test_what_flows_through_a_layer_is_what_flows_through_all():
    """Theorem 2: without biases the scores of each layer add up to R."""
    for mask in (masks.ones(MODEL), pruned(synflow, 5, keep=1000)):
        sums = [float(values.sum()) for values in synflow(mask).values()]
        assert sums == pytest.approx([sums[0]] * len(NAMES), rel=1e-9) and sums[0] > 0


def test_the_path_that_is_left_computes_something():
    ticket = masks.apply(pruned(synflow, 100), {name: tensor.abs() for name, tensor in WEIGHTS.items()})
    assert bool(MODEL.logits(ticket, torch.ones(1, *IMAGE_SHAPE)).any())
