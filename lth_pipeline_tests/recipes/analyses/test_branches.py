"""Branches: tickets of other data are not held against the parent's dense network, those of the same data are."""

from importlib import import_module

import pytest

from lth_pipeline.recipes.analyses.analysis import Subject, make
from lth_pipeline.recipes.analyses.catalog import ANALYSES
from lth_pipeline_tests.recipes.making import card, load, workshop_in

HELD_AGAINST_DENSE = ("loss_landscape", "training_path", "connectivity", "robustness", "label_noise", "paper_figures")
BRANCH = {"branch_of": {"experiment": "parent", "round": 1}}


@pytest.fixture(scope="module")
def subjects(tmp_path_factory) -> dict[str, Subject]:
    """Of a branch that has other data than its parent, and of one that trains otherwise."""
    folder = tmp_path_factory.mktemp("branches")
    first = {"arms": ["ticket", "reinit"], "pruning": {"rounds": 1}}
    cards = load(
        folder / "cards",
        parent=card(**first),
        other_data=card(**first, **BRANCH, data={"train_size": 48}),
        other_training=card(**first, **BRANCH, training={"learning_rate": 0.05}),
    )
    workshop = workshop_in(folder / "store")
    found = {}
    for name in ("other_data", "other_training"):
        chain = workshop.chain(cards, name, 0)
        for step in (chain.main(0), *chain.trainings(1)):
            workshop.make(chain, step)
        found[name] = Subject(workshop, [chain])
    return found


def parts(name: str, subject: Subject):
    return import_module(f"lth_pipeline.recipes.analyses.{name}").parts(subject)


@pytest.mark.parametrize("name", HELD_AGAINST_DENSE)
def test_dense_is_looked_at_only_where_it_learned_the_same(subjects, name):
    def of_round_0(subject: Subject) -> bool:
        every = parts(name, subject)
        return any("round 0" in part.about or any("round00" in key for key in part.inputs) for part in every)

    assert parts(name, subjects["other_data"]) and name in ANALYSES
    assert not of_round_0(subjects["other_data"]) and of_round_0(subjects["other_training"])


def test_the_verdict_holds_nothing_against_a_dense_network_of_other_data(subjects):
    against = {}
    for which, subject in subjects.items():
        (part,) = parts("verdict", subject)
        tables = make(subject.workshop, part).found.tables
        against[which] = {row["against"] for table in ("differences", "speed") for row in tables[table]}
        assert {row["key"]: row["value"] for row in tables["summary"]}["other_data"] == (which == "other_data")
    assert against == {"other_data": {"reinit"}, "other_training": {"dense", "reinit"}}


def test_the_search_is_counted_and_no_payback_told(subjects):
    (part,) = parts("cost", subjects["other_data"])
    _, ticket = make(subjects["other_data"].workshop, part).found.tables["cost"]
    assert ticket["never"] == "other data" and ticket["search_iterations"] == 10
    assert {value for name, value in ticket.items() if name.startswith(("payback", "dense_"))} == {None}
    (part,) = parts("cost", subjects["other_training"])
    _, ticket = make(subjects["other_training"].workshop, part).found.tables["cost"]
    assert ticket["never"] is None and ticket["payback_flops"] > 0
