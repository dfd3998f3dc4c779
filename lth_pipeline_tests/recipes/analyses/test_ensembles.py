"""Ensembles of networks that lie in a real store."""

import pytest

from lth_pipeline.recipes.analyses import ensembles
from lth_pipeline.recipes.analyses.analysis import Subject, make
from lth_pipeline_tests.recipes.making import card, load, workshop_in

REPLICATES = 3


@pytest.fixture(scope="module")
def subject(tmp_path_factory) -> Subject:
    folder = tmp_path_factory.mktemp("ensembles")
    arms = ["ticket", "reinit", "dense_small"]
    cards = load(folder / "cards", tiny=card(arms=arms, replicates=REPLICATES))
    workshop = workshop_in(folder / "store")
    chains = [workshop.chain(cards, "tiny", replicate) for replicate in range(REPLICATES)]
    for chain in chains:
        for round in range(3):
            for step in chain.trainings(round):
                workshop.make(chain, step)
    return Subject(workshop, chains)


@pytest.fixture(scope="module")
def tables(subject):
    (part,) = ensembles.parts(subject)
    return make(subject.workshop, part).found.tables


def test_there_is_an_ensemble_of_every_size_of_every_arm_and_of_the_rounds(tables):
    over = [(row["round"], row["arm"], row["members"]) for row in tables["ensembles"] if row["of"] == "replicates"]
    of_rounds = [("dense",), *((arm,) for arm in ("ticket", "reinit", "dense_small"))]
    assert over == [
        (round, arm, size)
        for round, arms in ((0, of_rounds[:1]), (1, of_rounds[1:]), (2, of_rounds[1:]))
        for (arm,) in arms
        for size in (1, 2, 3)
    ]
    others = [row for row in tables["ensembles"] if row["of"] != "replicates"]
    assert [(row["of"], row["replicate"], row["rounds"], row["members"]) for row in others] == [
        found
        for replicate in range(REPLICATES)
        for found in (("rounds", replicate, "1, 2", 2), ("rounds_and_dense", replicate, "0, 1, 2", 3))
    ]


def test_one_member_alone_is_the_network_that_is_recorded(subject, tables):
    recorded: dict = {}
    for row in subject.rows():
        recorded.setdefault((row["round"], row["arm"]), []).append(row["test_accuracy_at_end"])
    for row in (row for row in tables["ensembles"] if row["members"] == 1):
        accuracies = recorded[row["round"], row["arm"]]
        assert row["accuracy"] == row["member_accuracy"] == pytest.approx(sum(accuracies) / REPLICATES)
        assert (row["accuracy_least"], row["accuracy_greatest"]) == (min(accuracies), max(accuracies))
        assert row["gain"] == 0 and row["disagreement"] is None


def test_parameters_are_those_that_are_left_in_all_members(subject, tables):
    model = subject.chains[0].model(0)
    rows = {(row["round"], row["arm"], row["members"]): row for row in tables["ensembles"] if row["of"] == "replicates"}
    biases = 16 + 12 + 10
    assert rows[0, "dense", 2]["parameters"] == 2 * model.parameters and not rows[0, "dense", 2]["within_dense"]
    left = subject.chains[0].rung(2).weights
    assert rows[2, "ticket", 3]["parameters"] == 3 * (left + biases)
    assert rows[2, "ticket", 1]["within_dense"] and rows[2, "ticket", 1]["share_of_dense"] < 1


def test_every_pair_stands_there_once(tables):
    pairs = [(row["first"], row["second"]) for row in tables["pairs"]]
    assert len(set(pairs)) == len(pairs)
    over = [row for row in tables["pairs"] if row["of"] == "replicates"]
    assert len(over) == 3 * (1 + 2 * 3) and len(pairs) - len(over) == 3 * REPLICATES


def test_one_replicate_alone_still_has_its_rounds(subject):
    (part,) = ensembles.parts(Subject(subject.workshop, subject.chains[:1]))
    rows = make(subject.workshop, part).found.tables["ensembles"]
    assert {row["members"] for row in rows if row["of"] == "replicates"} == {1}
    assert [row["of"] for row in rows if row["members"] > 1] == ["rounds", "rounds_and_dense"]


def test_computed_again_it_is_the_same_to_the_bit(subject):
    (part,) = ensembles.parts(subject)
    first = make(subject.workshop, part).record["version"]
    assert make(subject.workshop, part, fresh=True).record["version"] == first


def test_nothing_trained_is_nothing_to_do(subject, tmp_path):
    elsewhere = workshop_in(tmp_path)
    assert ensembles.parts(Subject(elsewhere, subject.chains)) == []
