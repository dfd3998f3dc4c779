"""Ladders that go on from another's rounds: branches that prune differently, and tickets found elsewhere."""

from fractions import Fraction

import pytest

from lth_pipeline.experiments import CardError
from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.recipes import Chain, Step
from lth_pipeline_tests.recipes.making import card, left, load, made, units, weights_left, workshop_in

SIZES = {"fc1.weight": 64 * 16, "fc2.weight": 16 * 12, "output.weight": 12 * 10}
TOTAL = sum(SIZES.values())
WIDER = {"widths": [16, 12, 20]}  # fc1 and fc2 as in card(), then fc3 and another output


def in_each(*rates: str, of: dict[str, int] = SIZES) -> dict[str, int]:
    return {name: left(size, *rates) for name, size in of.items()}


def branch(round: int, **settings) -> dict:
    return {"branch_of": {"experiment": "mine", "round": round}, **settings}


def taking(round: int, weights: str = "source", **settings) -> dict:
    return card(seed=1, ticket_from={"experiment": "mine", "round": round, "weights": weights}, **settings)


def refusal(folder, **cards) -> str:
    with pytest.raises(CardError) as caught:
        load(folder, **cards)
    return str(caught.value)


def test_a_branch_with_other_rates(tmp_path):
    cards = load(tmp_path, mine=card(pruning={"rounds": 3}), other=branch(2, pruning={"rates": {"fc": 0.1}}))
    chain = Chain(cards, "other", 0)
    assert chain.rung(1).keep == in_each("0.4")
    assert chain.rung(3).keep == in_each("0.4", "0.1", "0.1")


def test_a_branch_that_turns_global(tmp_path):
    cards = load(tmp_path, mine=card(pruning={"rounds": 3}), other=branch(3, pruning={"scope": "global"}))
    chain = Chain(cards, "other", 0)
    before = sum(in_each("0.4", "0.4").values())
    assert chain.rung(3).keep == {"": left(before, "0.4")}
    assert chain.rung(5).keep == {"": left(before, "0.4", "0.4", "0.4")}


def test_a_branch_that_turns_global_and_leaves_a_layer_as_it_is(tmp_path):
    turned = branch(2, pruning={"scope": "global", "leave_out": ["fc2"]})
    chain = Chain(load(tmp_path, mine=card(), other=turned), "other", 0)
    once = in_each("0.4")
    ranked = once["fc1.weight"] + once["output.weight"]
    assert chain.rung(2).keep == {"": left(ranked, "0.4")}
    assert chain.rung(2).weights == left(ranked, "0.4") + once["fc2.weight"]


def test_a_branch_of_units_that_turns_global_counts_the_units_that_are_left(tmp_path):
    """Not those of the dense network: the ranking can keep no unit that is gone."""
    mine = card(pruning={"structure": "units", "rates": {"fc": 0.5}})
    other = branch(2, pruning={"scope": "global", "rates": {"fc": 0.2}})
    cards = load(tmp_path / "cards", mine=mine, other=other)
    chain = made(workshop_in(tmp_path / "store"), cards, "other")
    assert chain.chain.rung(2).keep == {"": left(8 + 6, "0.2")}
    counts = units(chain.mask(2))
    assert counts["fc1.weight"] + counts["fc2.weight"] == left(8 + 6, "0.2")


def test_a_branch_to_densities_cannot_bring_weights_back(tmp_path):
    """The parent has pruned fc1 alone, to half: no later round can have 55 % of it."""
    mine = card(pruning={"rates": None, "layer_rates": {"fc1": 0.5}, "rounds": 3})
    nulled = "{layer_rates: null, rounds: null, densities: [0.9, 0.55]}"
    said = refusal(tmp_path, mine=mine, other=f"branch_of: {{experiment: mine, round: 2}}\npruning: {nulled}\n")
    assert "line 2: pruning.densities = [0.9, 0.55]: cannot keep 563 weights of fc1.weight in round 2" in said
    assert "only 512 are left in the round before" in said


def test_a_branch_to_densities(tmp_path):
    text = "branch_of: {experiment: mine, round: 2}\npruning: {rates: null, rounds: null, densities: [0.9, 0.3, 0.2]}\n"
    chain = Chain(load(tmp_path, mine=card(), other=text), "other", 0)
    assert chain.rung(1).keep == in_each("0.4")
    for round, density in ((2, "0.3"), (3, "0.2")):
        assert chain.rung(round).keep == {name: round_half_even(Fraction(density) * n) for name, n in SIZES.items()}


def round_half_even(value: Fraction) -> int:
    return round(value)


def test_one_shot_may_follow_rounds_that_were_pruned_one_by_one(tmp_path):
    other = branch(2, pruning={"mode": "one_shot"})
    cards = load(tmp_path / "cards", mine=card(), other=other)
    chain = made(workshop_in(tmp_path / "store"), cards, "other")
    assert weights_left(chain.mask(2)) == dict(chain.chain.rung(2).keep) == in_each("0.4", "0.4")
    assert "mask" not in chain.chain.inputs(Step("mask", 2))


def test_one_shot_leaves_whole_what_it_does_not_rank(tmp_path):
    """Though rounds above had pruned it: the dense network is pruned anew."""
    other = branch(2, pruning={"mode": "one_shot", "scope": "global", "leave_out": ["fc2"]})
    cards = load(tmp_path / "cards", mine=card(), other=other)
    chain = made(workshop_in(tmp_path / "store"), cards, "other")
    ranked = in_each("0.4")["fc1.weight"] + in_each("0.4")["output.weight"]
    assert chain.chain.rung(2).weights == left(ranked, "0.4") + SIZES["fc2.weight"]
    assert sum(weights_left(chain.mask(2)).values()) == chain.chain.rung(2).weights


def test_layerwise_cannot_follow_global(tmp_path):
    mine = card(pruning={"scope": "global"})
    said = refusal(tmp_path, mine=mine, other=branch(2, pruning={"scope": "layerwise"}))
    assert "pruning.scope = 'layerwise': cannot follow the global rounds of mine" in said


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{leave_out: [fc1]}", "pruning.leave_out = ['fc1']"),
        ("{output_rate: 0}", "pruning.output_rate = 0.0"),
    ],
)
def test_a_branch_of_global_rounds_names_what_makes_it_rank_others(tmp_path, text, field):
    other = f"branch_of: {{experiment: mine, round: 2}}\npruning: {text}\n"
    said = refusal(tmp_path, mine=card(pruning={"scope": "global"}), other=other)
    assert f"{field}: must rank the layers that mine ranks" in said


def test_units_cannot_follow_weights(tmp_path):
    said = refusal(tmp_path, mine=card(), other=branch(2, pruning={"structure": "units"}))
    assert "pruning.structure = 'units': must be that of the rounds of mine" in said


# tickets from elsewhere


@pytest.mark.parametrize("weights", ["source", "own"])
def test_round_1_has_the_sources_counts_and_deeper_rounds_go_on_from_them(tmp_path, weights):
    taker = taking(2, weights, pruning={"rates": {"fc": 0.25}, "rounds": 3})
    chain = Chain(load(tmp_path, mine=card(), taker=taker), "taker", 0)
    taken = in_each("0.4", "0.4")
    assert chain.rung(0).keep == SIZES and chain.rung(1).keep == taken
    assert chain.rung(2).keep == in_each("0.25", of=taken)
    assert chain.rung(3).keep == in_each("0.25", "0.25", of=taken)


def test_layers_that_are_fresh_begin_whole(tmp_path):
    cards = load(tmp_path, mine=card(), taker=taking(2, model=WIDER, pruning={"rates": {"fc": 0.25}}))
    chain = Chain(cards, "taker", 0)
    taken = in_each("0.4", "0.4")
    whole = {"fc3.weight": 12 * 20, "output.weight": 20 * 10}
    first = {name: taken[name] for name in ("fc1.weight", "fc2.weight")} | whole
    assert chain.rung(1).keep == first
    assert chain.rung(2).keep == in_each("0.25", of=first)
    assert chain.rung(1).density == sum(first.values()) / chain.model(1).prunable


@pytest.mark.parametrize("model", [{}, WIDER], ids=["same network", "with fresh layers"])
def test_a_source_pruned_by_units_is_counted_in_weights(tmp_path, model):
    mine = card(pruning={"structure": "units", "rates": {"fc": 0.25}})
    cards = load(tmp_path / "cards", mine=mine, taker=taking(1, model=model, pruning={"rates": {"fc": 0.5}}))
    chain = made(workshop_in(tmp_path / "store"), cards, "taker")
    fc1, fc2 = 64 * left(16, "0.25"), 16 * left(12, "0.25")
    rest = {"output.weight": 120} if not model else {"fc3.weight": 240, "output.weight": 200}
    first = {"fc1.weight": fc1, "fc2.weight": fc2, **rest}
    for round, expected in ((1, first), (2, in_each("0.5", of=first))):
        assert chain.chain.rung(round).keep == expected == weights_left(chain.mask(round))


def test_a_source_pruned_globally_goes_on_globally(tmp_path):
    mine = card(pruning={"scope": "global"})
    taker = taking(2, pruning={"scope": "global", "rates": {"fc": 0.5}})
    cards = load(tmp_path / "cards", mine=mine, taker=taker)
    chain = made(workshop_in(tmp_path / "store"), cards, "taker")
    taken = left(TOTAL, "0.4", "0.4")
    expected = [taken, left(taken, "0.5"), left(taken, "0.5", "0.5")]
    assert [chain.chain.rung(round).weights for round in (1, 2, 3)] == expected
    assert sum(weights_left(chain.mask(2)).values()) == left(taken, "0.5")


@pytest.mark.parametrize(
    ("source", "taker"),
    [
        pytest.param({"scope": "global"}, {"pruning": {"scope": "layerwise"}}, id="layerwise after global"),
        pytest.param(
            {"scope": "global"}, {"pruning": {"scope": "global", "leave_out": ["fc1"]}}, id="another global ranking"
        ),
        pytest.param(
            {"scope": "global"},
            {"pruning": {"scope": "global"}, "model": WIDER},
            id="a global ranking with fresh layers",
        ),
        pytest.param(
            {"scope": "global", "structure": "units"}, {"pruning": {"scope": "global"}}, id="units ranked globally"
        ),
        pytest.param({"structure": "units"}, {"pruning": {"structure": "units"}}, id="units after a ticket"),
    ],
)
def test_what_cannot_be_counted_is_refused_below_round_1(tmp_path, source, taker):
    mine = card(pruning={"rates": {"fc": 0.2}, **source})
    settings = taking(1, **taker)
    said = refusal(tmp_path, mine=mine, taker=settings)
    assert "pruning.rounds = 2: round 2 of taker cannot be counted" in said and "give at most 1 rounds" in said
    settings["pruning"]["rounds"] = 1
    if settings["pruning"].get("structure") == "units":
        assert "pruning.structure = 'units': has no effect" in refusal(tmp_path, mine=mine, taker=settings)
        return
    chain = Chain(load(tmp_path, mine=mine, taker=settings), "taker", 0)
    assert chain.recipe(Step("mask", 1), lambda source: "0" * 64) is not None
    with pytest.raises(PruningError, match="cannot be counted"):
        chain.rung(2)
    assert chain.recipe(Step("mask", 2), lambda source: "0" * 64) is None


def test_a_ticket_from_a_round_that_has_nothing_left_is_refused_by_its_round(tmp_path):
    said = refusal(tmp_path, mine=card(), taker=taking(200))
    assert "ticket_from.round = 200: " in said and "away whole" in said


def test_a_ticket_may_be_deeper_than_its_experiment_goes(tmp_path):
    chain = Chain(load(tmp_path, mine=card(), taker=taking(5)), "taker", 0)
    assert chain.rung(1).keep == in_each(*["0.4"] * 5)
