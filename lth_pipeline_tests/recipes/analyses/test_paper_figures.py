"""What the paper's figures are drawn from, read through a real store."""

from itertools import pairwise

import pytest

from lth_pipeline.recipes.analyses.analysis import Subject, look_up, make
from lth_pipeline.recipes.analyses.paper_figures import MOST_CURVES, parts, rounds_of_curves
from lth_pipeline.recipes.artifacts import rows_of
from lth_pipeline_tests.recipes.making import card, load, workshop_in


@pytest.fixture(scope="module")
def subject(tmp_path_factory) -> Subject:
    folder = tmp_path_factory.mktemp("paper")
    tiny = card(arms=["ticket", "reinit"], draws=2, replicates=2, analysis={"rounds": [2]})
    cards, workshop = load(folder / "cards", tiny=tiny), workshop_in(folder / "store")
    chains = [workshop.chain(cards, "tiny", replicate) for replicate in range(2)]
    for chain in chains:
        for round in range(3):
            for step in chain.trainings(round):
                workshop.make(chain, step)
    return Subject(workshop, chains)


def test_every_training_is_measured_and_the_chosen_densities_have_their_curves(subject):
    (part,) = parts(subject)
    done = make(subject.workshop, part)
    tables = done.found.tables
    rows = [row for row in subject.rows() if row["diverged_at"] is None]
    keys = ("replicate", "round", "arm", "draw", "density", "weights", "early_stop_iteration", "test_accuracy_at_end")
    assert [[row[key] for key in keys] for row in tables["rounds"]] == [[row[key] for key in keys] for row in rows]
    assert len(rows) == 2 * (1 + 2 * 3) and all("seconds" not in row for row in tables["rounds"])
    assert {row["round"] for row in tables["curves"]} == {0, 2}  # what the card asks for, and the dense network
    last = rows[-1]
    drawn = [row for row in tables["curves"] if all(row[key] == last[key] for key in keys[:4])]
    curve = rows_of(subject.workshop.store.load(last["data_version"]))
    assert [row["iteration"] for row in drawn] == [0, 4, 8, 10]
    assert [row["test_accuracy"] for row in drawn] == [row["test_accuracy"] for row in curve]
    assert drawn[0]["train_loss"] is None  # nothing was trained before it


def test_it_is_kept_by_what_it_is_made_of(subject):
    (part,) = parts(subject)
    first = make(subject.workshop, part)
    again = make(subject.workshop, part, fresh=True)
    assert again.computed and again.record["version"] == first.record["version"]
    assert look_up(subject.workshop, part).found == first.found
    (alone,) = parts(Subject(subject.workshop, subject.chains[:1]))
    assert alone.recipe.id != part.recipe.id and alone.about == "replicate 0"


def test_nothing_trained_is_nothing_to_draw(subject, tmp_path):
    assert parts(Subject(workshop_in(tmp_path / "empty"), subject.chains)) == []


@pytest.mark.parametrize("last", [0, 1, 3, 4, 5, 8, 20, 33])
def test_few_rounds_are_chosen_from_the_dense_network_to_the_deepest(last):
    chosen = rounds_of_curves(last)
    assert chosen[0] == 0 and chosen[-1] == last and chosen == sorted(set(chosen))
    assert len(chosen) == min(last + 1, MOST_CURVES)
    steps = [after - before for before, after in pairwise(chosen)]
    assert not steps or max(steps) - min(steps) <= 1


def test_the_card_says_which_rounds():
    assert rounds_of_curves(8, [2, 5, 30]) == [0, 2, 5]
    assert rounds_of_curves(20, list(range(1, 21)))[-1] == 20
