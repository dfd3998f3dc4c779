"""Operations of networks: by hand, and as torch counts them."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lth_pipeline.lottery.analysis import flops
from lth_pipeline_tests.lottery.networks import NAMES, network


@pytest.mark.parametrize("name", NAMES)
def test_a_dense_network_takes_what_torch_counts(name):
    model, image_shape = network(name), (3, 32, 32)
    used = flops.places(model, image_shape)
    assert set(used) == {layer.weight for layer in model.layers}
    counting = FlopCounterMode(display=False)
    with counting, torch.no_grad():
        model.logits(model.initialise(torch.Generator().manual_seed(0)), torch.zeros(1, *image_shape))
    assert flops.forward(used, flops.dense_counts(model)) == counting.get_total_flops()


def test_lenet_300_100_by_hand():
    model = network("mlp", (1, 28, 28), widths=(300, 100))
    used = flops.places(model, (1, 28, 28))
    assert flops.forward(used, flops.dense_counts(model)) == 2 * (784 * 300 + 300 * 100 + 100 * 10)
    assert flops.forward(used, {"fc1.weight": 10, "fc2.weight": 3, "output.weight": 0}) == 26
    assert flops.training(26, batch_size=60, iterations=100) == 3 * 26 * 60 * 100


def test_a_weight_of_a_convolution_works_once_for_each_pixel_it_makes():
    """conv2 of CIFAR's images: two of 64 filters on 32×32 pixels, then units."""
    model = network("conv2")
    used = flops.places(model, (3, 32, 32))
    once = dict.fromkeys(("fc1.weight", "fc2.weight", "output.weight"), 1)
    assert used == {"conv1.weight": 1024, "conv2.weight": 1024, **once}
    one_weight = dict.fromkeys(used, 0) | {"conv1.weight": 1}
    assert flops.forward(used, one_weight) == 2048
