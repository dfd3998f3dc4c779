"""How many weights each round keeps: against formulas worked out here, on cards that are never run."""

from fractions import Fraction
from itertools import accumulate, pairwise

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from lth_pipeline.experiments import CardError, Experiment
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.pruning.ladder import kept
from lth_pipeline.lottery.pruning.prune import prune
from lth_pipeline.recipes import Chain
from lth_pipeline.recipes.check import faults
from lth_pipeline_tests.recipes.making import card, left, load, units, weights_left

RESNET = {"name": "resnet_cifar", "depth": 8, "filters": 4, "widths": None}
#: inputs × units of card()'s network
SIZES = {"fc1.weight": 64 * 16, "fc2.weight": 16 * 12, "output.weight": 12 * 10}
TOTAL = sum(SIZES.values())


def chain_of(folder, **settings) -> Chain:
    return Chain(load(folder, mine=card(**settings)), "mine", 0)


def keeps(chain: Chain, *rounds: int) -> list[dict[str, int]]:
    return [dict(chain.rung(round).keep) for round in rounds]


def in_each(*rates: str) -> dict[str, int]:
    return {name: left(size, *rates) for name, size in SIZES.items()}


def test_layerwise_rates_multiply(tmp_path):
    chain = chain_of(tmp_path, pruning={"rates": {"fc": 0.2}, "rounds": 3})
    assert keeps(chain, 0, 1, 2, 3, 7) == [SIZES, *(in_each(*["0.2"] * round) for round in (1, 2, 3, 7))]
    assert chain.rung(3).density == sum(in_each("0.2", "0.2", "0.2").values()) / TOTAL


def test_a_global_ranking_counts_all_together(tmp_path):
    chain = chain_of(tmp_path, pruning={"scope": "global", "rates": {"fc": 0.2}, "rounds": 3})
    for round in (1, 2, 3, 9):
        rung = chain.rung(round)
        assert rung.keep == {"": left(TOTAL, *["0.2"] * round)} and set(rung.ranked) == set(SIZES)
        assert (rung.weights, rung.density) == (rung.keep[""], rung.keep[""] / TOTAL)


@pytest.mark.parametrize(
    ("pruning", "rates"),
    [
        ({"output_rate": 0.1}, ("0.2", "0.2", "0.1")),
        ({"output_rate": 0}, ("0.2", "0.2", "0")),
        ({"output_factor": 0.5}, ("0.2", "0.2", "0.1")),
        ({"layer_rates": {"fc1": 0.5}}, ("0.5", "0.2", "0.2")),
        ({"layer_rates": {"fc*": 0.5}}, ("0.5", "0.5", "0.2")),
        ({"layer_rates": {"fc?": 0, "output": 0.3}}, ("0", "0", "0.3")),
        ({"layer_rates": {"[!o]*": 0.5}, "output_factor": 0.25}, ("0.5", "0.5", "0.05")),
        ({"leave_out": ["fc2"]}, ("0.2", "0", "0.2")),
        ({"leave_out": ["fc*"]}, ("0", "0", "0.2")),
    ],
)
def test_rates_of_single_layers(tmp_path, pruning, rates):
    every = "output" in pruning.get("layer_rates", {})  # each layer has its own rate then
    chain = chain_of(tmp_path, pruning={**pruning, "rates": None if every else {"fc": 0.2}, "rounds": 4})
    for round in (1, 2, 4):
        by_name = zip(SIZES.items(), rates, strict=True)
        assert keeps(chain, round) == [{name: left(size, *[rate] * round) for (name, size), rate in by_name}]


def test_rates_by_kind(tmp_path):
    chain = chain_of(tmp_path, model=RESNET, pruning={"rates": {"fc": None, "conv": 0.3, "shortcut": 0.1}})
    by_kind = {"conv": "0.3", "shortcut": "0.1", "fc": "0"}
    layers = chain.model(0).layers
    assert {layer.kind for layer in layers} == set(by_kind)
    assert keeps(chain, 2) == [{layer.weight: left(layer.size, *[by_kind[layer.kind]] * 2) for layer in layers}]


@pytest.mark.parametrize(
    ("pruning", "ranked"),
    [
        ({"rates": {"fc": None, "conv": 0.3}}, lambda layer: layer.kind == "conv"),
        ({"rates": {"fc": None, "conv": 0.3, "shortcut": 0.3}}, lambda layer: layer.kind != "fc"),
        ({"rates": {"fc": 0.3, "conv": 0.3}, "leave_out": ["stage2.*"]}, lambda layer: "stage2" not in layer.name),
        ({"rates": {"fc": 0.3, "conv": 0.3}, "leave_out": ["conv1"]}, lambda layer: layer.name != "conv1"),
    ],
    ids=["one kind", "two kinds", "but for a stage", "but for a layer"],
)
def test_a_global_ranking_leaves_whole_what_it_does_not_rank(tmp_path, pruning, ranked):
    """It counts in the density all the same."""
    chain = chain_of(tmp_path, model=RESNET, pruning={"scope": "global", **pruning})
    layers = [layer for layer in chain.model(0).layers if layer.kind in chain.owner(1).pruning.rates and ranked(layer)]
    whole = sum(layer.size for layer in chain.model(0).layers if layer not in layers)
    rung = chain.rung(2)
    assert set(rung.ranked) == {layer.weight for layer in layers} and whole > 0
    assert rung.keep == {"": left(sum(layer.size for layer in layers), "0.3", "0.3")}
    assert rung.weights == rung.keep[""] + whole


def test_an_output_rate_of_0_takes_the_output_out_of_a_global_ranking(tmp_path):
    rung = chain_of(tmp_path, pruning={"scope": "global", "output_rate": 0}).rung(1)
    assert rung.ranked == ("fc1.weight", "fc2.weight")
    assert rung.keep == {"": left(TOTAL - SIZES["output.weight"], "0.4")}


def asked_for(densities: list[str], round: int) -> Fraction:
    """Below the last of the list, the last step again and again."""
    given = [Fraction(1), *map(Fraction, densities)]
    while len(given) <= round:
        given.append(given[-1] * given[-1] / given[-2])
    return given[round]


@pytest.mark.parametrize("mode", ["iterative", "one_shot"])
@pytest.mark.parametrize("scope", ["layerwise", "global"])
def test_densities_and_beyond_their_end(tmp_path, scope, mode):
    densities = ["0.5", "0.211", "0.1"]
    pruning = {"scope": scope, "mode": mode, "rates": None, "rounds": None, "densities": [float(d) for d in densities]}
    chain = chain_of(tmp_path, pruning=pruning)
    assert chain.owner(1).pruning.rounds == 3
    for round in range(1, 7):
        density = asked_for(densities, round)
        if scope == "global":
            assert keeps(chain, round) == [{"": round_half_even(density * TOTAL)}]
        else:
            assert keeps(chain, round) == [{name: round_half_even(density * size) for name, size in SIZES.items()}]
    assert asked_for(densities, 4) == Fraction("0.1") * Fraction("0.1") / Fraction("0.211")


def round_half_even(value: Fraction) -> int:
    whole, rest = divmod(value, 1)
    return int(whole) + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1))


def test_densities_with_an_output_factor_meet_the_density_of_the_whole(tmp_path):
    """The output is pruned by half the share of the others, which are pruned the more for it."""
    densities = ["0.6", "0.3"]
    pruning = {"rates": None, "rounds": None, "densities": [0.6, 0.3], "output_factor": 0.5, "leave_out": ["fc2"]}
    chain = chain_of(tmp_path, pruning=pruning)
    fc1, fc2, output = SIZES.values()
    for round, density in enumerate(densities, 1):
        # fc1 · (1 − p) + fc2 + output · (1 − p / 2) = density · all
        p = (TOTAL - Fraction(density) * TOTAL) / (fc1 + Fraction(output, 2))
        expected = [round_half_even(fc1 * (1 - p)), fc2, round_half_even(output * (1 - p / 2))]
        assert list(chain.rung(round).keep.values()) == expected
        assert abs(chain.rung(round).weights - Fraction(density) * TOTAL) <= 1


def test_global_densities_count_what_is_left_out(tmp_path):
    pruning = {"scope": "global", "rates": None, "rounds": None, "densities": [0.6, 0.3], "leave_out": ["output"]}
    chain = chain_of(tmp_path, pruning=pruning)
    for round, density in ((1, "0.6"), (2, "0.3")):
        assert chain.rung(round).weights == round_half_even(Fraction(density) * TOTAL)
        assert chain.rung(round).keep == {"": chain.rung(round).weights - SIZES["output.weight"]}


def test_units_are_counted_layer_by_layer(tmp_path):
    chain = chain_of(tmp_path, pruning={"structure": "units", "rates": {"fc": 0.3}})
    for round in (1, 2, 5):
        fc1, fc2 = left(16, *["0.3"] * round), left(12, *["0.3"] * round)
        assert keeps(chain, round) == [{"fc1.weight": fc1, "fc2.weight": fc2, "output.weight": 10}]
        assert chain.rung(round).weights == 64 * fc1 + 16 * fc2 + SIZES["output.weight"]


def test_units_are_counted_all_together(tmp_path):
    """How many weights that leaves is only known once they are ranked."""
    chain = chain_of(tmp_path, pruning={"scope": "global", "structure": "units", "rates": {"fc": 0.3}})
    for round in (1, 2, 3):
        rung = chain.rung(round)
        assert rung.keep == {"": left(16 + 12, *["0.3"] * round)} and rung.ranked == ("fc1.weight", "fc2.weight")
        assert (rung.weights, rung.density) == (None, None)


@given(
    size=st.integers(1, 10**7),
    rates=st.lists(st.integers(0, 999).map(lambda thousandths: f"0.{thousandths:03}"), min_size=1, max_size=30),
)
def test_no_rounding_adds_up(size, rates):
    """Never more than half a weight off the formula, and never more weights than the round before."""
    exact = list(accumulate((1 - Fraction(rate) for rate in rates), lambda a, b: a * b, initial=Fraction(size)))
    counts = [kept(size, map(float, rates[:round])) for round in range(len(rates) + 1)]
    assert counts == [round_half_even(each) for each in exact]
    assert all(after <= before for before, after in pairwise(counts))


WIDTH = st.integers(1, 9)
DENSITY = st.integers(1, 99).map(lambda percent: percent / 100)


@given(
    widths=st.lists(WIDTH, min_size=1, max_size=3),
    scope=st.sampled_from(["layerwise", "global"]),
    structure=st.sampled_from(["weights", "units"]),
    rates=st.none() | st.sampled_from([0.1, 0.25, 0.5, 0.9]),
    densities=st.lists(DENSITY, min_size=1, max_size=4, unique=True),
    empty=st.sampled_from(["allow", "refuse"]),
)
def test_whatever_is_accepted_can_be_pruned_round_by_round(widths, scope, structure, rates, densities, empty):
    """Counts fall, no layer is asked for more than it has or, unless the card allows it, for nothing; each promised
    density is met to a weight a layer."""
    given = {"rates": {"fc": rates}, "rounds": 3} if rates else {"densities": sorted(densities, reverse=True)}
    settings = card(model={"widths": widths}, pruning={"rates": None, "rounds": None})
    settings["pruning"] = {"scope": scope, "structure": structure, "empty_layers": empty, **given}
    experiment = Experiment.model_validate({**settings, "name": "mine"})
    cards = {"mine": experiment}
    assume(not faults(experiment, cards))
    chain = Chain(cards, "mine", 0)
    sizes = {layer.weight: layer.shape[0] if structure == "units" else layer.size for layer in chain.model(0).layers}
    before = sum(sizes.values())
    for round in range(1, experiment.pruning.rounds + 1):
        rung = chain.rung(round)
        now = sum(rung.keep.values())
        assert now < before and now > 0
        before = now
        least = 0 if empty == "allow" else 1
        if scope == "layerwise":
            assert all(least <= count <= sizes[name] for name, count in rung.keep.items())
        else:
            assert now >= least * len(rung.ranked)
        if not rates and structure == "weights":
            asked = asked_for([str(density) for density in experiment.pruning.densities], round)
            off = abs(rung.weights - asked * chain.model(0).prunable)
            assert off <= Fraction(len(sizes), 2)


@pytest.mark.parametrize("structure", ["weights", "units"])
@pytest.mark.parametrize("scope", ["layerwise", "global"])
def test_ties_take_no_weight_too_many(tmp_path, scope, structure):
    """Where all scores are equal a threshold would take all or none; counts are what the ladder says."""
    chain = chain_of(tmp_path, pruning={"scope": scope, "structure": structure, "rates": {"fc": 0.15}})
    mask = masks.ones(chain.model(0))
    for round in (1, 2):
        rung = chain.rung(round)
        flat = {name: torch.full(tensor.shape, 0.25) for name, tensor in mask.items()}
        mask = prune(mask, lambda alive, flat=flat: flat, rung.keep, rung.ranked, structure=structure, allow_empty=True)
        counts = units(mask) if structure == "units" else weights_left(mask)
        if scope == "layerwise":
            assert counts == rung.keep
        else:
            assert sum(counts[name] for name in rung.ranked) == rung.keep[""]


@pytest.mark.parametrize("empty", ["refuse", "allow"])
def test_layers_of_one_to_three_weights(tmp_path, empty):
    """A layer of one weight falls to none where a half is rounded to the even number: refused, or allowed."""
    text = card(model={"widths": [1, 1]}, pruning={"rates": {"fc": 0.5}, "rounds": 1, "empty_layers": empty})
    if empty == "refuse":
        with pytest.raises(CardError, match=r"prunes fc2\.weight away whole in round 1; give at most 0 rounds"):
            load(tmp_path, mine=text)
        return
    chain = Chain(load(tmp_path, mine=text), "mine", 0)
    assert keeps(chain, 1) == [{"fc1.weight": 32, "fc2.weight": 0, "output.weight": 5}]
    text["model"]["widths"], text["pruning"]["rates"] = [1, 3], {"fc": 0.4}
    chain = Chain(load(tmp_path, mine=text), "mine", 0)
    assert keeps(chain, 1) == [{"fc1.weight": 38, "fc2.weight": 2, "output.weight": 18}]
