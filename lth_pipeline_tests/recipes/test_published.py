"""The file of a published ticket: what goes in comes out, and nothing else is taken for one."""

import json

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from lth_pipeline.lottery.pruning import masks
from lth_pipeline.recipes import Step
from lth_pipeline.recipes.errors import PublishedError
from lth_pipeline.recipes.published import KEY, published_bytes, read_ticket, ticket_bytes
from lth_pipeline_tests.recipes.making import card, made, same, workshop_in
from lth_pipeline_tests.recipes.making import load as load_cards

LAYERS = [["fc1", "fc", [3, 4], True], ["output", "fc", [2, 3], False]]
FACTS = {
    **{"format": 1, "experiment": "digits", "replicate": 0, "round": 2, "arm": "ticket", "structure": "weights"},
    **{"model": {"name": "mlp", "widths": [3]}, "image_shape": [1, 2, 2], "classes": 2, "layers": LAYERS},
    **{"data": {"title": "digits", "digest": "d" * 64}, "versions": dict.fromkeys(("mask", "ticket", "trained"), "0")},
    **{"recipes": {"trained": "1"}},
}


def ticket(seed: int = 0, **facts) -> tuple[dict, dict, dict, dict]:
    """(mask, rewound, trained, facts) of a small network with a batch norm."""
    draws = torch.Generator().manual_seed(seed)
    shapes = {"fc1.weight": (3, 4), "fc1.bias": (3,), "output.weight": (2, 3)}
    shapes |= {f"norm1.{kind}": (2,) for kind in ("weight", "bias", "running_mean", "running_var")}
    mask = {name: torch.rand(shape, generator=draws) < 0.6 for name, shape in shapes.items() if len(shape) > 1}
    rewound, trained = ({name: torch.randn(s, generator=draws) for name, s in shapes.items()} for _ in range(2))
    counts = {"weights": sum(int(alive.sum()) for alive in mask.values()), "density": masks.density(mask)}
    return mask, rewound, masks.apply(mask, trained), {**FACTS, **counts, **facts}


GOOD = ticket_bytes(*ticket())


@given(st.integers(0, 2**31))
@settings(max_examples=20)
def test_what_goes_in_comes_out_as_the_same_bytes(seed):
    parts = ticket(seed)
    content = ticket_bytes(*parts)
    found = read_ticket(content)
    assert all(same(*pair) for pair in zip((found.mask, found.rewound, found.trained), parts[:3], strict=True))
    assert found.facts == parts[3]
    assert ticket_bytes(found.mask, found.rewound, found.trained, found.facts) == content


@given(st.integers(0, len(GOOD) - 1))
def test_a_file_that_was_cut_short(length):
    with pytest.raises(PublishedError, match="is not a published ticket, or was damaged"):
        read_ticket(GOOD[:length])


@given(st.integers(0, len(GOOD) * 8 - 1))
@settings(max_examples=300)
def test_a_bit_that_flips_is_noticed(bit):
    damaged = bytearray(GOOD)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PublishedError):
        read_ticket(bytes(damaged))


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: GOOD[:900] + tail))
def test_no_other_bytes_are_a_ticket(content):
    assume(content != GOOD)
    with pytest.raises(PublishedError):
        read_ticket(content)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([*FACTS, "weights", "density"]), json_values)
def test_facts_that_are_none(fact, value):
    """Also where somebody sealed them."""
    mask, rewound, trained, facts = ticket()
    assume(value != facts[fact])
    try:
        content = ticket_bytes(mask, rewound, trained, facts | {fact: value})
    except PublishedError as error:
        assert f"{fact}" in str(error) or fact in ("layers", "weights")
    else:
        assert read_ticket(content).facts[fact] == value


@pytest.mark.parametrize(
    ("part", "name", "tensor", "said"),
    [
        (0, "fc1.weight", None, "its tensor mask/fc1.weight is missing"),
        (0, "fc1.weight", torch.ones(3, 4), "mask/fc1.weight is torch.float32; it must be torch.bool"),
        (0, "fc9.weight", torch.ones(3, 4).bool(), "mask/fc9.weight belongs to none of its layers"),
        (1, "fc1.bias", None, "its tensor rewound/fc1.bias is missing"),
        (1, "fc1.weight", torch.zeros(4, 3), "rewound/fc1.weight has the shape (4, 3); its layer has (3, 4)"),
        (2, "output.weight", torch.zeros(2, 3).double(), "trained/output.weight is torch.float64; it must be"),
        (2, "fc1.bias", torch.tensor([0, float("nan"), 0]), "trained/fc1.bias is not finite everywhere"),
        (2, "norm1.running_mean", None, "not those of one network"),
        (1, "norm1.running_mean", None, "its tensors norm1.… belong to none of its layers, and are no batch norm"),
        (1, "norm1.running_mean", torch.zeros(3), "its tensors norm1.… belong to none of its layers, and are no batch"),
        (1, "norm2.scale", torch.zeros(2), "its tensors norm2.… belong to none of its layers, and are no batch norm"),
        (2, "fc1.weight", torch.ones(3, 4), "trained weights are not zero where the mask is"),
        (0, "output.weight", torch.zeros(2, 3).bool(), "trained weights are not zero where the mask is"),
    ],
)
def test_tensors_that_are_not_the_networks(part, name, tensor, said):
    parts = ticket()
    parts[part].pop(name, None)
    if tensor is not None:
        parts[part][name] = tensor
    with pytest.raises(PublishedError) as caught:
        ticket_bytes(*parts)
    assert said in str(caught.value)


def test_a_file_of_a_later_format_says_so(tmp_path):
    path = tmp_path / "ticket.safetensors"
    tensors, sealed = (
        load(GOOD),
        json.loads(json.loads(GOOD[8 : 8 + int.from_bytes(GOOD[:8], "little")])["__metadata__"][KEY]),
    )
    path.write_bytes(save(tensors, metadata={KEY: json.dumps({**sealed, "facts": {**sealed["facts"], "format": 2}})}))
    with pytest.raises(PublishedError, match=f"^{path}: "):
        read_ticket(path)
    with pytest.raises(PublishedError, match="its format is 2; this lth_pipeline reads format 1"):
        ticket_bytes(*ticket(format=2))
    with pytest.raises(PublishedError, match=r"gone\.safetensors: cannot be read"):
        read_ticket(tmp_path / "gone.safetensors")


def test_the_ticket_of_a_round(tmp_path):
    cards = load_cards(tmp_path / "cards", mine=card(rewind={"iteration": 3}))
    mine = made(workshop_in(tmp_path / "store"), cards, "mine")
    found = read_ticket(published_bytes(mine.workshop, mine.chain, 2))
    assert same(found.mask, mine.mask(2))
    assert same(found.rewound, mine.weights(Step("rewind_weights", iteration=3))), "whole: another mask fits on it too"
    assert same(masks.apply(found.mask, found.rewound), mine.weights(Step("ticket", 2)))
    assert same(found.trained, mine.weights(Step("trained", 2, "ticket")))
    assert found.facts["versions"]["ticket"] == mine.product(Step("ticket", 2)).version
    assert found.facts["weights"] == sum(int(alive.sum()) for alive in found.mask.values())
    with pytest.raises(PublishedError, match="mine, round 0: the dense network is no ticket"):
        published_bytes(mine.workshop, mine.chain, 0)


def test_a_ticket_that_diverged_is_not_published(tmp_path):
    diverging = card(training={"learning_rate": 1e9, "weight_decay": None}, pruning={"criterion": "random"})
    cards = load_cards(tmp_path / "cards", mine=diverging)
    mine = made(workshop_in(tmp_path / "store"), cards, "mine")
    with pytest.raises(PublishedError, match="mine, replicate 0, round 1: its training diverged at iteration"):
        published_bytes(mine.workshop, mine.chain, 1)
