"""The verdict of results in which it is known, and of trainings in a store."""

import random

import pytest

from lth_pipeline.recipes import load_cards
from lth_pipeline.recipes.analyses.analysis import Found, Subject, make
from lth_pipeline.recipes.analyses.verdict import checks, judged, parts
from lth_pipeline_tests.recipes.analyses.made_up_rows import row, rows_of
from lth_pipeline_tests.recipes.making import card, load, workshop_in

DIGITS = load_cards([])["digits"]


def found_in(rows) -> Found:
    return judged(rows, margin=0.005, resamples=1000, seed=0)


def summary(found: Found) -> dict:
    return {row["key"]: row["value"] for row in found.tables["summary"]}


def differences(found: Found, against: str, measure: str = "test_accuracy_at_early_stop") -> list[dict]:
    return [row for row in found.tables["differences"] if (row["against"], row["measure"]) == (against, measure)]


def words(found: Found, against: str) -> list[str]:
    return [row["verdict"] for row in differences(found, against)]


def said(found: Found) -> dict[str, tuple[bool, str]]:
    return {check.name: (check.passed, check.why) for check in checks(found, DIGITS)}


def test_a_ticket_that_wins_in_every_round():
    found = found_in(rows_of())
    assert [row["matching"] for row in differences(found, "dense")] == [True] * 3
    assert words(found, "reinit") == ["better"] * 3
    totals = summary(found)
    for measure in ("early_stop", "end"):
        assert totals[f"{measure}.dense.matching.sparsest"] == 0.04
        assert totals[f"{measure}.reinit.better.densest"] == 0.4
        assert (totals[f"{measure}.winning"], totals[f"{measure}.winning.sparsest"]) == (3, 0.04)
        assert totals[f"{measure}.winning.speedup.ratio"] == 2.0
    first = differences(found, "reinit")[0]
    assert first["mean"] == pytest.approx(0.006, abs=2e-4)
    assert first["low"] <= first["mean"] <= first["high"] and first["p"] <= first["p_holm"] < 0.05
    assert {name: passed for name, (passed, _) in said(found).items()} == {
        "ticket_beats_reinit": True,
        "ticket_matches_dense": True,
    }


def test_pairs_take_out_what_a_seed_does_to_both():
    """Accuracies spread over 0.7 points, their differences over a tenth of that."""
    found = found_in(rows_of())
    ticket = next(row for row in found.tables["arms"] if row["arm"] == "ticket")
    assert ticket["sd"] > 5 * differences(found, "reinit")[0]["sd"]


def test_two_replicates_tell_nothing_and_the_checks_say_so():
    found = found_in(rows_of(replicates=2))
    assert words(found, "reinit") == ["too few replicates"] * 3
    assert [row["p_holm"] for row in differences(found, "dense")] == [None] * 3
    assert summary(found)["early_stop.dense.tested"] == 0
    for passed, why in said(found).values():
        assert not passed and "2 pairs in a round, and at least 3 are needed" in why


def test_one_replicate_has_no_interval():
    found = found_in(rows_of(replicates=1))
    assert {row["low"] for row in found.tables["arms"]} == {row["sd"] for row in found.tables["arms"]} == {None}
    assert "1 pair in" in said(found)["ticket_matches_dense"][1]


def test_what_fails_in_a_denser_round_ends_the_sequence():
    found = found_in(rows_of(gains={"ticket": (0.002, -0.02, 0.002)}))
    rows = differences(found, "dense")
    assert [row["within_margin"] for row in rows] == [True, False, True]
    assert [row["matching"] for row in rows] == [True, False, False]
    assert [row["verdict"] for row in rows] == ["better", "worse", "better"]
    assert summary(found)["early_stop.dense.matching.sparsest"] == 0.4
    passed, why = said(found)["ticket_matches_dense"]
    assert not passed and "4.0 % would pass, but a denser round did not" in why


def test_a_ticket_that_is_later_than_dense_does_not_win():
    totals = summary(found_in(rows_of(stops={"ticket": 1001})))
    assert totals["early_stop.dense.matching"] == totals["early_stop.reinit.better"] == 3
    assert totals["early_stop.winning"] == 0


def test_without_the_control_or_so_sparse_a_round_there_is_nothing_to_check():
    assert set(said(found_in(rows_of(gains={"ticket": (0.0, 0.0, 0.0)})))) == {"ticket_matches_dense"}
    assert said(found_in(rows_of(densities=(1.0, 0.5, 0.25, 0.21)))) == {}
    dense_alone = found_in([row(0, 0, "dense", 1.0, 0.97)])
    assert dense_alone.tables["differences"] == [] and said(dense_alone) == {}
    assert summary(dense_alone)["rounds"] == 0


def test_whole_weights_leave_a_little_more_than_the_share_that_is_asked_for():
    found = found_in(rows_of(densities=(1.0, 0.4, 0.2000001, 0.0500000930)))
    assert "4.0" not in said(found)["ticket_beats_reinit"][1] and said(found)["ticket_beats_reinit"][0]
    assert "At 5.0 %" in said(found)["ticket_matches_dense"][1]


def test_what_goes_on_from_trained_weights_does_not_win_and_is_not_faster():
    rows = rows_of()
    found = judged(rows, margin=0.005, resamples=1000, seed=0, modes=["weights", *["fine_tuning"] * 3])
    assert found.tables["speed"] == [] and found.tables["differences"] == found_in(rows).tables["differences"]
    totals = summary(found)
    assert (totals["not_rewound"], totals["rewind_mode"], totals["early_stop.winning"]) == (3, "fine_tuning", 0)
    some = summary(judged(rows, margin=0.005, resamples=1000, seed=0, modes=["weights"] * 3 + ["fine_tuning"]))
    assert some["early_stop.winning"] == 2 and some["not_rewound"] == 1


def test_a_control_that_is_as_good_fails_its_check():
    passed, why = said(found_in(rows_of(gains={"ticket": (0.0,) * 3, "reinit": (0.0,) * 3})))["ticket_beats_reinit"]
    assert not passed and "No ticket at 5 % of the weights or fewer is told apart as better" in why and "n = 5" in why


def test_several_draws_are_one_replicate():
    rows = rows_of(replicates=3, gains={"ticket": (0.0,) * 3, "reinit": (-0.01,) * 3})
    first = next(one for one in rows if one["arm"] == "reinit")
    rows.append(first | {"draw": 1, "test_accuracy_at_early_stop": first["test_accuracy_at_early_stop"] + 0.02})
    arm = next(one for one in found_in(rows).tables["arms"] if one["arm"] == "reinit")
    assert arm["n"] == 3
    assert arm["mean"] == pytest.approx(found_in(rows[:-1]).tables["arms"][8]["mean"] + 0.01 / 3)


def test_what_diverged_is_left_out_and_named():
    rows = rows_of(replicates=4)
    lost = [one | {"diverged_at": 30, "test_accuracy_at_early_stop": 0.1} for one in rows if one["replicate"] == 3]
    found = found_in([one for one in rows if one["replicate"] != 3] + lost)
    assert {row["n"] for row in found.tables["arms"]} == {3}
    assert found.tables["diverged"][0] == {"replicate": 3, "round": 0, "arm": "dense", "draw": 0, "diverged_at": 30}
    without = found_in(rows_of(replicates=3))
    assert found.tables["differences"] == without.tables["differences"]


def test_the_order_of_the_rows_does_not_count():
    rows = rows_of()
    mixed = random.Random(3).sample(rows, len(rows))
    assert found_in(mixed).tables == found_in(rows).tables


def test_of_trainings_in_a_store(tmp_path):
    """Its inputs are the trainings, found in the store the second time, and the same bits when it is made again."""
    cards = load(tmp_path / "cards", one=card(arms=["ticket", "reinit"], draws=2, replicates=2, pruning={"rounds": 1}))
    workshop = workshop_in(tmp_path / "store")
    subject = Subject(workshop, [workshop.chain(cards, "one", number) for number in range(2)])
    assert parts(subject) == []
    for chain in subject.chains:
        for round in range(2):
            for step in chain.trainings(round):
                workshop.make(chain, step)
    (part,) = parts(subject)
    assert part.settings["modes"] == ["weights"] * 2 and part.settings["other_data"] == []
    assert len(part.inputs) == 8 and set(part.inputs.values()) == {row["data_version"] for row in subject.rows()}
    assert part.inputs["r01.reinit.1.replicate1"] != part.inputs["r01.reinit.0.replicate1"]
    done = make(workshop, part)
    assert done.computed and not make(workshop, parts(subject)[0]).computed
    assert make(workshop, part, fresh=True).record["version"] == done.record["version"]
    assert {row["n"] for row in done.found.tables["arms"]} == {2}


def test_a_ticket_that_is_fine_tuned_is_none_that_was_rewound(tmp_path):
    taken = {"experiment": "one", "round": 1, "weights": "trained"}
    cards = load(tmp_path / "cards", one=card(), two=card(ticket_from=taken, seed=1))
    workshop = workshop_in(tmp_path / "store")
    chain = workshop.chain(cards, "two", 0)
    for round in range(3):
        workshop.make(chain, chain.main(round))
    (part,) = parts(Subject(workshop, [chain]))
    assert part.settings["modes"] == ["weights", "trained", "trained"]
    assert summary(part.compute())["not_rewound"] == 2
