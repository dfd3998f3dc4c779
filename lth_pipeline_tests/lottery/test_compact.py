"""A compact network gives what the network itself gives, whatever its mask cuts, and nothing stays that is cut off."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.small.compact import Small, as_trained, compact
from lth_pipeline.lottery.small.network import Network
from lth_pipeline_tests.lottery.cut import CLASSES, KINDS, NETWORKS, Cut, cut

LARGE = ("vgg11", "resnet18", "resnet50")
SMALL = tuple(name for name in NETWORKS if name not in LARGE)


def logits(small: Small, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return Network(small.program, small.tensors)(images)


def kept(small: Small) -> dict[str, list[int]]:
    """{weight: [outputs, inputs] that are left}, in order; biases aside."""
    weights = [op.tensors["weight"] for op in small.program.ops if op.kind in ("conv", "linear")]
    return {name: list(small.tensors[name].shape[:2]) for name in weights}


def held(made: Cut) -> Small:
    """The compact network, held against the model as it computes in float64."""
    right = made.logits()
    tolerance = 1e-5 * max(1.0, right.abs().max().item())
    small, whole = compact(*made.arguments()), as_trained(*made.arguments()[:2], masked(made), made.mean, made.std)
    top = right.topk(2).values
    clear = top[:, 0] - top[:, 1] > 40 * tolerance  # float32 may not tell the others
    found, plain = logits(small, made.images), logits(whole, made.images)
    rounding = (plain - right).abs().max().item()  # of 50 layers whose numbers grow it is more than is allowed
    assert rounding <= (20 if len(made.mask) > 50 else 1) * tolerance
    assert (found - right).abs().max() <= max(tolerance, 3 * rounding)
    for each in (found, plain):
        assert torch.equal(each.argmax(1)[clear], right.argmax(1)[clear])
    assert small.weights <= whole.weights
    return small


def masked(made: Cut) -> dict[str, torch.Tensor]:
    return {name: tensor * made.mask.get(name, True) for name, tensor in made.weights.items()}


@st.composite
def cuts(draw, names: tuple[str, ...]) -> Cut:
    """Any network, most of it cut in one way and up to three layers each in a way of its own."""
    name = draw(st.sampled_from(names))
    network, options, shape = NETWORKS[name]
    layers = [layer.name for layer in build(network, shape, CLASSES, initialisation="kaiming_normal", **options).layers]
    kinds = draw(st.dictionaries(st.sampled_from(layers), st.sampled_from(KINDS), max_size=3))
    return cut(name, kinds, draw(st.sampled_from(KINDS)), draw(st.integers(0, 2**32)), draw(st.booleans()))


@given(cuts(SMALL))
@settings(max_examples=50)
def test_outputs_are_the_same_whatever_is_cut(made):
    held(made)


@given(cuts(LARGE))
@settings(max_examples=8)
def test_outputs_of_large_networks_are_the_same_whatever_is_cut(made):
    held(made)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("usual", ["ones", "half"])
def test_what_is_compared_differs_from_image_to_image(name, usual):
    """The tests above would show little of networks that give every image the same."""
    made = cut(name, {}, usual, 0, True)
    found = logits(held(made), made.images)
    assert found.std(0).max() > 0.02 * found.abs().max()


@pytest.mark.parametrize("name", ["mlp", "mlp in colour", "lenet5", "conv2", "conv4"])
def test_a_mask_of_ones_leaves_every_tensor_as_it_is(name):
    made = cut(name, {}, "ones", 1, False)
    small = held(made)
    assert set(small.tensors) == set(made.weights)
    assert all(torch.equal(small.tensors[name], tensor) for name, tensor in made.weights.items())


@pytest.mark.parametrize("name", ["vgg11", "resnet_cifar 8", "resnet50"])
def test_norms_are_taken_into_convolutions(name):
    small = held(cut(name, {}, "ones", 1, True))
    assert "norm" not in {op.kind for op in small.program.ops}
    assert not [tensor for tensor in small.tensors if "running" in tensor]


@pytest.mark.parametrize("name", [*SMALL, "vgg11", "resnet18"])
@pytest.mark.parametrize("kind", ["none", "one"])
def test_a_network_that_says_the_same_of_every_image_is_next_to_nothing(name, kind):
    """The layer before the last is cut, or all but one weight of the last: what is left is a bias, or a path."""
    layers = list(cut(name, {}, "ones", 2, True).mask)
    last = layers[-1].removesuffix(".weight")
    made = cut(name, {last: kind}, "ones", 2, True)
    small = held(made)
    if kind == "none":
        assert logits(small, made.images).std(0).max() == 0
        *hidden, _ = kept(small).values()
        assert all(outputs == 1 for outputs, _ in hidden)  # one a layer: something has to be computed
    else:
        assert kept(small)[f"{last}.weight"] == [CLASSES, 1]


def on_a_way(made: Cut) -> list[tuple[int, int]]:
    """Of a network without shortcuts, by value from the image to the last hidden one: (channels or units that lead from
    a pixel to the output, those that lead to the output at all)."""
    layers = [made.mask[layer.weight] for layer in made.model.layers]
    joined = [layer.flatten(2).any(2) if layer.dim() > 2 else layer for layer in layers]
    for number, layer in enumerate(joined):  # flattened: a channel's places side by side
        before = joined[number - 1].shape[0] if number else made.image_shape[0]
        if layer.shape[1] != before and not (number == 0 and layers[0].dim() == 2):
            joined[number] = layer.view(len(layer), before, -1).any(2)
    reached = [torch.ones(joined[0].shape[1], dtype=torch.bool)]
    for layer in joined:
        reached.append(layer[:, reached[-1]].any(1))
    leading = [torch.ones(CLASSES, dtype=torch.bool)]
    for layer in reversed(joined):
        leading.insert(0, layer[leading[0]].any(0))
    return [(int((a & b).sum()), int(b.sum())) for a, b in zip(reached[:-1], leading[:-1], strict=True)]


ways = st.tuples(st.sampled_from(KINDS), st.integers(0, 2**32))


@given(ways, st.dictionaries(st.sampled_from(["fc1", "fc2", "fc3"]), st.sampled_from(KINDS)))
@settings(max_examples=40)
def test_of_fully_connected_layers_the_units_on_a_way_are_left_and_no_others(way, kinds):
    made = cut("mlp", kinds, way[0], way[1], False)
    small = held(made)
    left = list(kept(small).values())
    for (alive, _), (outputs, _) in zip(on_a_way(made)[1:], left, strict=False):
        assert outputs == max(1, alive)  # one at least: something has to be computed
    assert left[-1][0] == CLASSES
    pixels = [op for op in small.program.ops if op.kind == "select"]
    if alive := on_a_way(made)[0][0]:
        assert left[0][1] == alive if pixels else left[0][1] - alive <= alive / left[0][0]


@given(st.sampled_from(["lenet5", "conv2", "conv4", "vgg11"]), ways, st.data())
@settings(max_examples=20)
def test_of_convolutions_the_channels_on_a_way_are_left_and_one_for_the_edges(name, way, data):
    """A channel that is constant says something at the padded edge; one stands in for all of them."""
    layers = [weight.removesuffix(".weight") for weight in cut(name, {}, "ones", 0, False, 1).mask]
    kinds = data.draw(st.dictionaries(st.sampled_from(layers), st.sampled_from(KINDS), max_size=2))
    made = cut(name, kinds, *way, False)
    left = kept(held(made))
    for layer, (alive, leading) in zip(layers, on_a_way(made)[1:], strict=False):
        assert alive <= left[f"{layer}.weight"][0] <= max(alive, leading) + 1


@pytest.mark.parametrize(("name", "first", "second"), [("mlp", "fc1", "fc2"), ("conv2", "fc1", "fc2")])
@pytest.mark.parametrize("side", ["incoming", "outgoing"])
def test_a_unit_that_is_cut_off_is_gone(name, first, second, side):
    made = cut(name, {}, "ones", 3, True)
    before = kept(compact(*made.arguments()))
    if side == "incoming":
        made.mask[f"{first}.weight"][2] = False
    else:
        made.mask[f"{second}.weight"][:, 2] = False
    after = kept(held(made))
    assert after[f"{first}.weight"] == [before[f"{first}.weight"][0] - 1, before[f"{first}.weight"][1]]
    assert after[f"{second}.weight"] == [before[f"{second}.weight"][0], before[f"{second}.weight"][1] - 1]


def test_pixels_that_nothing_reads_are_not_looked_at():
    made = cut("mlp", {"fc1": "columns"}, "ones", 4, True)
    unread = ~made.mask["fc1.weight"].any(0).view(made.image_shape)
    assert 0 < unread.sum() < unread.numel()
    small = held(made)
    others = torch.where(unread, 1 - made.images, made.images)
    assert torch.equal(logits(small, others), logits(small, made.images))
    assert kept(small)["fc1.weight"][1] == int((~unread).sum())


def test_a_channel_of_the_image_that_nothing_reads_is_left_out():
    made = cut("conv2", {}, "ones", 4, True)
    made.mask["conv1.weight"][:, 1] = False
    assert kept(held(made))["conv1.weight"][1] == 2


def constant_channel(level: float) -> Cut:
    """conv2 whose channel 1 reads nothing and has a bias: after the ReLU it is `level`, everywhere but around the
    image, where the next convolution takes zeros."""
    made = cut("conv2", {}, "ones", 5, True)
    made.mask["conv1.weight"][1] = False
    made.weights["conv1.bias"][1] = level
    return made


def test_a_constant_channel_is_missing_at_the_edge():
    """Folded into the next bias it would be there, too: by a hundred times what is allowed."""
    made = constant_channel(1.5)
    small = held(made)
    naive = {name: tensor.clone() for name, tensor in masked(made).items()}
    kernel = naive["conv2.weight"]
    naive["conv2.bias"] += 1.5 * kernel[:, 1].sum((1, 2))
    kernel[:, 1] = 0
    wrong = logits(as_trained(*made.arguments()[:2], naive, made.mean, made.std), made.images)
    right = made.logits()
    assert (wrong - right).abs().max() > 1e-3 * max(1, right.abs().max())
    assert kept(small)["conv1.weight"][0] == len(kernel[0])  # it stays, for the edge


def test_one_constant_channel_stands_in_for_all_at_the_edge():
    made = constant_channel(1.5)
    for channel, level in ((0, 0.001), (2, 40.0)):
        made.mask["conv1.weight"][channel] = False
        made.weights["conv1.bias"][channel] = level
    assert kept(held(made))["conv1.weight"][0] == made.mask["conv1.weight"].shape[0] - 2


def test_a_constant_channel_that_the_relu_cuts_is_gone():
    made = constant_channel(-1.5)
    assert kept(held(made))["conv1.weight"][0] == made.mask["conv1.weight"].shape[0] - 1


def test_a_residual_block_whose_branch_is_cut_is_its_shortcut():
    made = cut("resnet_cifar 14", {}, "ones", 6, True)
    whole = kept(compact(*made.arguments()))
    made.mask["stage1.block2.conv2.weight"][:] = False
    gone = {f"stage1.block2.conv{number}.weight" for number in (1, 2)}
    assert set(kept(held(made))) == set(whole) - gone


@pytest.mark.parametrize("branch", ["stage2.block1.conv1", "stage2.block1.shortcut"])
def test_one_way_of_a_projected_block_may_be_cut(branch):
    """What is left of the other is added to a constant."""
    made = cut("resnet_cifar 14", {}, "ones", 6, True)
    made.mask[f"{branch}.weight"][:] = False
    assert f"{branch}.weight" not in kept(held(made)) or branch.endswith("conv1")


@pytest.mark.parametrize("name", ["resnet_cifar 14", "resnet50"])
def test_an_inner_channel_of_a_block_that_nothing_reads_is_gone(name):
    first, second = {
        "resnet_cifar 14": ("stage3.block2.conv1.weight", "stage3.block2.conv2.weight"),
        "resnet50": ("layer2.1.conv2.weight", "layer2.1.conv3.weight"),
    }[name]
    made = cut(name, {}, "ones", 7, True)
    before = kept(compact(*made.arguments()))
    made.mask[second][:, 1] = False
    after = kept(held(made))
    assert after[first][0] == before[first][0] - 1 and after[second][1] == before[second][1] - 1


def test_what_the_mask_leaves_out_counts_for_nothing_whatever_it_is():
    made = cut("conv4", {}, "half", 8, True)
    wild = {
        name: torch.where(made.mask[name], tensor, torch.nan) if name in made.mask else tensor
        for name, tensor in made.weights.items()
    }
    found = compact(made.model, made.image_shape, wild, made.mask, made.mean, made.std)
    assert torch.equal(logits(found, made.images), logits(held(made), made.images))
