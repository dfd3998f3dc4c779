"""A dense network as small as a ticket: the nearest that one factor for all widths can give, of the same layers."""

from fractions import Fraction
from functools import cache
from time import perf_counter

import pytest

from lth_pipeline.lottery.errors import ModelError
from lth_pipeline.lottery.models import NETWORKS, build, narrowed
from lth_pipeline.lottery.models.specs import FULL, scaled
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.training.train import train
from lth_pipeline_tests.lottery.networks import NAMES, NEEDED, network
from lth_pipeline_tests.lottery.test_every_network import SMALL, schedule, seeds
from lth_pipeline_tests.lottery.test_every_network import network as small_network

SHAPE, CLASSES = (3, 32, 32), 10
DENSITIES = (0.9, 0.5, 0.211, 0.036, 0.01)


def settings(name: str) -> dict:
    return {"initialisation": "kaiming_normal"} | NEEDED.get(name, {})


@cache
def all_counts(name: str) -> list[int]:
    """Prunable weights at every factor at which a width of the network changes, and at both ends."""
    widths = {layer.shape[0] for layer in network(name).layers if not layer.is_output}
    factors = {Fraction(2 * k + 1, 2 * width) for width in widths for k in range(1, width)} | {Fraction(0), FULL}
    return sorted({build(name, SHAPE, CLASSES, **settings(name), scale=factor).prunable for factor in factors})


def names_and_kinds(model) -> list[tuple]:
    return [(layer.name, layer.kind, layer.shape[2:], layer.is_output, layer.bias) for layer in model.layers]


@pytest.mark.parametrize("name", NAMES)
def test_no_other_factor_comes_nearer(name):
    full = network(name)
    counts = all_counts(name)
    assert counts[-1] == full.prunable
    for density in DENSITIES:
        wanted = round(density * full.prunable)
        if counts[0] > 1.1 * wanted:
            continue
        found = narrowed(name, SHAPE, CLASSES, wanted, **settings(name))
        assert found.prunable == min(counts, key=lambda count: (abs(count - wanted), count)), density
        assert names_and_kinds(found) == names_and_kinds(full)
        assert [norm.name for norm in found.norms] == [norm.name for norm in full.norms]
        assert all(min(layer.shape) >= 1 for layer in found.layers)


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_network_and_the_narrowest_are_found(name):
    full, counts = network(name), all_counts(name)
    for wanted in (full.prunable, 2 * full.prunable):
        found = narrowed(name, SHAPE, CLASSES, wanted, **settings(name))
        assert (found.layers, found.norms, found.widest) == (full.layers, full.norms, full.widest)
    narrowest = narrowed(name, SHAPE, CLASSES, counts[0], **settings(name))
    assert {layer.shape[0] for layer in narrowest.layers if not layer.is_output} == {1}


@pytest.mark.parametrize("name", NAMES)
def test_too_few_weights_are_refused_with_both_numbers(name):
    least = all_counts(name)[0]
    wanted = -(-10 * least // 11)  # the narrowest has a tenth more than these, and not more
    assert narrowed(name, SHAPE, CLASSES, wanted, **settings(name)).prunable == least
    with pytest.raises(ModelError) as caught:
        narrowed(name, SHAPE, CLASSES, wanted - 1, **settings(name))
    assert str(caught.value) == (
        f"{name} cannot be narrowed to {wanted - 1:,} weights (image shape (3, 32, 32), 10 classes): "
        f"with one unit in each hidden layer it still has {least:,}"
    )


def test_of_two_as_near_the_smaller_is_taken():
    """One hidden layer of n units has 7 n weights for 4 pixels and 3 classes: 17.5 lies between 14 and 21."""
    how = {"widths": (5,), "initialisation": "glorot_normal"}
    counts = [narrowed("mlp", (1, 2, 2), 3, weights, **how).prunable for weights in (17, 18, 21, 24, 25, 34)]
    assert counts == [14, 21, 21, 21, 28, 35]
    both = {"widths": (4, 4), "initialisation": "glorot_normal"}  # 4 n + n² + 4 n: 9, 20, 33, 48 weights
    assert [narrowed("mlp", (1, 2, 2), 4, weights, **both).prunable for weights in (26, 27)] == [20, 33]
    even = {"widths": (4,), "initialisation": "glorot_normal"}  # 8 n weights: 20 is as near to 16 as to 24
    assert narrowed("mlp", (1, 2, 2), 4, 20, **even).prunable == 16


def test_widths_are_rounded_to_the_nearest():
    assert [scaled(width, Fraction(1, 4)) for width in (1, 2, 5, 6, 9, 10, 64)] == [1, 1, 1, 2, 2, 3, 16]
    assert [scaled(width, FULL) for width in (1, 2, 300, 10**9 + 7)] == [1, 2, 300, 10**9 + 7]
    assert scaled(512, Fraction(0)) == 1


def test_a_ticket_of_the_papers_lenet_has_a_dense_match():
    """21.1 % of LeNet-300-100: 56,210 weights, and within a width's step of them."""
    how = {"widths": (300, 100), "initialisation": "glorot_normal"}
    found = narrowed("mlp", (1, 28, 28), 10, 56_210, **how)
    assert [layer.shape for layer in found.layers] == [(69, 784), (23, 69), (10, 23)]
    assert found.prunable == 55_913


@pytest.mark.parametrize("name", NAMES)
def test_settings_arrive(name):
    if "dropout" in NETWORKS[name].settings:
        assert narrowed(name, SHAPE, CLASSES, 10**5, **settings(name), dropout=0.25).dropout == 0.25
    assert "scale" not in NETWORKS[name].settings  # a card does not set it


def test_it_is_quick():
    narrowed("resnet50", SHAPE, CLASSES, 10**6, **settings("resnet50"))
    took = []
    for _ in range(5):
        started = perf_counter()
        narrowed("resnet50", SHAPE, CLASSES, 10**6, **settings("resnet50"))
        took.append(perf_counter() - started)
    print(f"ResNet-50: {1e3 * min(took):.1f} ms")
    assert min(took) < 0.05


@pytest.mark.parametrize("density", [0.3, 0.0], ids=["narrow", "narrowest"])
@pytest.mark.parametrize("name", SMALL)
def test_a_narrowed_network_trains(name, density):
    full, _, _, data = small_network(name)
    shape, how = SMALL[name]
    how = {"initialisation": "kaiming_normal"} | how
    least = build(name, shape, 3, **how, scale=Fraction(0)).prunable
    model = narrowed(name, shape, 3, max(least, round(density * full.prunable)), **how)
    weights = model.initialise(generator(3))
    assert {layer.weight: tuple(weights[layer.weight].shape) for layer in model.layers} == {
        layer.weight: layer.shape for layer in model.layers
    }
    trained = train(model, weights, masks.ones(model), data, schedule("momentum", "step"), seeds)
    assert trained.iterations == 3 and trained.diverged_at is None
    for norm in model.norms:
        assert (trained.weights[norm.buffers[0]] != weights[norm.buffers[0]]).any(), norm.name
    output = model.layers[-1]
    assert (trained.weights[f"{output.name}.bias"] != 0).any()
