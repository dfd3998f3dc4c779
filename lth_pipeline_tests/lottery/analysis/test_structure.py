"""What a mask leaves of a network: connections counted by hand, random masks against simulations."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from lth_pipeline.lottery.analysis import chance
from lth_pipeline.lottery.analysis.structure import (
    degree_rows,
    degrees_of,
    in_degrees,
    layer_rows,
    on_a_path,
    out_degrees,
    unit_rows,
)
from lth_pipeline.lottery.analysis.topology import INPUT, readers, sources
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.lottery.networks import NAMES, network

IMAGE = (3, 32, 32)
TINY = build("mlp", (1, 2, 2), 2, widths=(3, 2), initialisation="glorot_normal")
#: 4 pixels, 3 units, 2 units, 2 classes. Pixel 2 is read by none; of fc1 unit 1 has nothing coming in, unit 2 nothing
#: going out; unit 1 of fc2 is read, but has nothing coming in but from what has not.
BY_HAND = {
    "fc1.weight": torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]]).bool(),
    "fc2.weight": torch.tensor([[1, 1, 0], [0, 1, 0]]).bool(),
    "output.weight": torch.tensor([[1, 1], [0, 1]]).bool(),
}


def drawn(model, density: float, seed: int = 0) -> dict[str, torch.Tensor]:
    draws = generator(seed)
    return {layer.weight: torch.rand(layer.shape, generator=draws) < density for layer in model.layers}


def test_each_unit_is_counted_as_by_hand():
    who = readers(TINY, (1, 2, 2))
    assert who == {INPUT: ("fc1",), "fc1": ("fc2",), "fc2": ("output",), "output": ()}
    found = {n: {w: d.tolist() for w, d in of.items()} for n, of in degrees_of(TINY, BY_HAND, who).items()}
    assert found == {
        INPUT: {"out": [2, 1, 0, 1]},
        "fc1": {"in": [2, 0, 2], "out": [1, 2, 0]},
        "fc2": {"in": [2, 1], "out": [1, 2]},
        "output": {"in": [2, 1]},
    }
    rows = {row["layer"]: row for row in unit_rows(TINY, BY_HAND, who)}
    assert [(rows[name]["dead_in"], rows[name]["dead_out"], rows[name]["dead"]) for name in rows] == [
        (None, 1, 1),
        (1, 1, 2),
        (0, 0, 0),
        (0, None, 0),
    ]
    assert (rows["fc1"]["mean_in"], rows["fc1"]["max_in"], rows["fc2"]["mean_out"]) == (pytest.approx(4 / 3), 2, 1.5)


def test_only_what_lies_on_a_path_has_an_effect():
    who = readers(TINY, (1, 2, 2))
    path = on_a_path(TINY, BY_HAND, who)
    assert path["fc1.weight"].tolist() == [[True, True, False, False], [False] * 4, [False] * 4]
    assert path["fc2.weight"].tolist() == [[True, False, False], [False] * 3]
    assert path["output.weight"].tolist() == [[True, False], [False, False]]
    *layers, whole = layer_rows(TINY, BY_HAND, who)
    assert [row["effective"] for row in layers] == [2, 1, 1]
    assert (whole["layer"], whole["left"], whole["size"], whole["effective"]) == ("all", 10, 22, 4)
    assert whole["layer_density"] == 10 / 22


@pytest.mark.parametrize("name", ["mlp", "resnet_cifar", "lenet5"])
def test_paths_are_those_that_gradients_flow_along(name):
    """With weights that are all positive something flows through a weight if it lies on a path."""
    model = network(name)
    who, mask = readers(model, IMAGE), drawn(model, 0.03)
    positive = {key: torch.zeros_like(t, dtype=torch.float64) for key, t in model.initialise(generator(0)).items()}
    for norm in model.norms:
        positive[f"{norm.name}.weight"] += 1
        positive[f"{norm.name}.running_var"] += 1
    for layer in model.layers:
        positive[layer.weight] = mask[layer.weight].double().requires_grad_()
    model.logits(positive, torch.ones(1, *IMAGE, dtype=torch.float64)).sum().backward()
    cut = 0
    for key, path in on_a_path(model, mask, who).items():
        flows = (positive[key].grad != 0) & mask[key]
        # a max pooling lets one of four through: a weight on a path may be none of those
        assert not (flows & ~path).any() if name == "lenet5" else torch.equal(flows, path), key
        cut += int((mask[key] & ~path).sum())
    assert cut


def test_a_residual_network_s_units_are_read_along_the_shortcuts():
    model = build("resnet_cifar", IMAGE, 10, depth=14, initialisation="kaiming_normal")
    who = readers(model, IMAGE)
    assert who["conv1"] == tuple(
        f"stage{name}" for name in ("1.block1.conv1", "1.block2.conv1", "2.block1.conv1", "2.block1.shortcut")
    )
    assert who["stage1.block1.conv1"] == ("stage1.block1.conv2",)
    assert who["stage3.block2.conv2"] == ("output",)
    assert who["stage3.block1.shortcut"] == ("stage3.block2.conv1", "output")
    assert sources(who)["output"] == ("stage3.block1.conv2", "stage3.block1.shortcut", "stage3.block2.conv2")


@pytest.mark.parametrize("name", NAMES)
def test_every_network_has_its_readers_and_its_degrees_add_up(name):
    model = network(name)
    who, mask = readers(model, IMAGE), drawn(model, 0.1)
    assert [layer for layer, names in who.items() if not names] == [model.layers[-1].name]
    assert set().union(*who.values()) == {layer.name for layer in model.layers}
    left = masks.counts(mask)
    degrees = degrees_of(model, mask, who)
    for layer in model.layers:
        assert int(degrees[layer.name]["in"].sum()) == left[layer.weight]
        read = sum(left[f"{reader}.weight"] for reader in who[layer.name])
        assert not read or int(degrees[layer.name]["out"].sum()) == read
    assert int(degrees[INPUT]["out"].sum()) == left[model.layers[0].weight]


def test_a_channel_is_read_by_the_weights_of_its_own_pixels():
    model = build("lenet5", (1, 28, 28), 10, initialisation="glorot_normal")
    mask = {layer.weight: torch.zeros(layer.shape, dtype=torch.bool) for layer in model.layers}
    channel = torch.zeros(1, 16, 5, 5, dtype=torch.bool)  # as the activations are before they are laid flat
    channel[0, 3] = True
    mask["fc1.weight"][:] = channel.flatten(1)
    degrees = out_degrees(16, mask, readers(model, (1, 28, 28))["conv2"])
    assert degrees.tolist() == [25 * 120 if unit == 3 else 0 for unit in range(16)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scipy's, of the skewness
@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_chance_is_hypergeometric(units, own, data):
    size = units * own
    left = data.draw(st.integers(0, size))
    law = hypergeom(size, left, own)
    assert chance.none_left(size, left, own) == pytest.approx(law.pmf(0), abs=1e-12)
    first, likely = chance.of_sum([(size, left, own)])
    assert likely == pytest.approx(law.pmf(np.arange(first, first + len(likely))), abs=1e-10)
    assert likely.sum() == pytest.approx(1, abs=1e-9)
    mean, variance = chance.moments(size, left, own)
    assert mean == pytest.approx(law.mean(), abs=1e-9)
    assert variance == pytest.approx(law.var() if size > 1 else 0, abs=1e-9)


def test_degrees_of_several_layers_are_summed_by_chance_too():
    first, likely = chance.of_sum([(40, 10, 5), (30, 20, 6)])
    joint = np.convolve(hypergeom(40, 10, 5).pmf(range(6)), hypergeom(30, 20, 6).pmf(range(7)))
    assert likely == pytest.approx(joint[first : first + len(likely)], abs=1e-10)
    assert chance.spread_of([(40, 10, 5), (30, 20, 6)]) ** 2 == pytest.approx(
        hypergeom(40, 10, 5).var() + hypergeom(30, 20, 6).var()
    )


@pytest.mark.parametrize("name", ["mlp", "lenet5", "resnet_cifar"])
def test_random_masks_have_as_many_dead_units_as_expected(name):
    """Means of 60 masks with as many survivors in each layer: within 5 standard errors of what is expected."""
    settings = {"mlp": {"widths": (30, 20)}, "resnet_cifar": {"depth": 8, "filters": 6}}.get(name, {})
    model = network(name, (1, 12, 12), **settings)
    who, draws = readers(model, (1, 12, 12)), generator(3)
    one = drawn(model, 0.03)
    expected = {row["layer"]: row for row in unit_rows(model, one, who)}
    found: dict = {}
    for _ in range(60):
        shuffled = {
            key: mask.flatten()[torch.randperm(mask.numel(), generator=draws)].view_as(mask)
            for key, mask in one.items()
        }
        for row in unit_rows(model, shuffled, who):
            for column in ("dead_in", "dead_out", "dead"):
                if row[column] is not None:
                    found.setdefault((row["layer"], column), []).append(row[column])
    assert any(np.mean(values) > 1 for values in found.values())
    for (layer, column), values in found.items():
        chanced, error = expected[layer][f"expected_{column}"], np.std(values) / np.sqrt(len(values))
        assert abs(np.mean(values) - chanced) <= 5 * error + 0.1, (layer, column)


def test_histograms_of_degrees_hold_every_unit_once():
    model = network("lenet5", (1, 28, 28))
    who, mask = readers(model, (1, 28, 28)), drawn(model, 0.2)
    rows = degree_rows(model, mask, who)
    for name, degrees in degrees_of(model, mask, who).items():
        for way, values in degrees.items():
            own = [row for row in rows if (row["layer"], row["direction"]) == (name, way)]
            assert sum(row["units"] for row in own) == len(values)
            assert sum(row["expected"] for row in own) == pytest.approx(len(values), abs=0.1)
            for row in own:
                assert row["units"] == int(((values >= row["least"]) & (values <= row["greatest"])).sum())
    bare = degree_rows(model, mask, who, chance=False)
    assert all(row["expected"] is None and row["units"] for row in bare)


def test_units_that_are_pruned_whole_are_held_against_no_random_mask():
    who = readers(TINY, (1, 2, 2))
    rows = unit_rows(TINY, BY_HAND, who, chance=False)
    assert all(row["expected_dead"] is None and row["random_in_sd"] is None for row in rows)
    assert [row["dead"] for row in rows] == [1, 2, 0, 0]


def test_an_empty_layer_is_all_dead():
    mask = {**masks.ones(TINY), "fc2.weight": torch.zeros(2, 3, dtype=torch.bool)}
    who = readers(TINY, (1, 2, 2))
    rows = {row["layer"]: row for row in unit_rows(TINY, mask, who)}
    assert (rows["fc1"]["dead_out"], rows["fc2"]["dead_in"]) == (3, 2)
    assert rows["fc1"]["expected_dead"] == 3 and rows["fc2"]["expected_dead"] == 2
    assert layer_rows(TINY, mask, who)[-1]["effective"] == 0
    assert in_degrees(mask["fc2.weight"]).tolist() == [0, 0]
    assert degree_rows(TINY, mask, who)
