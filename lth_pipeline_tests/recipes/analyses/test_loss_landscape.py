"""The loss landscape of a small card's networks, from the workshop to the check."""

import pytest

from lth_pipeline.recipes.analyses import loss_landscape, training_path
from lth_pipeline.recipes.analyses.analysis import Found, Subject, joined, make
from lth_pipeline_tests.recipes.making import card, load, workshop_in

ANALYSIS = {"examples": 30, "landscape_points": 5}


def subject_in(folder, rounds=2, **changes) -> Subject:
    """A card's first replicate, trained."""
    workshop = workshop_in(folder / "store")
    cards = load(folder / "cards", small=card(**{"analysis": ANALYSIS, "arms": ["ticket", "reinit"]} | changes))
    chain = workshop.chain(cards, "small", 0)
    for round in range(rounds + 1):
        for step in chain.trainings(round):
            workshop.make(chain, step)
    return Subject(workshop, [chain])


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    return subject_in(tmp_path_factory.mktemp("landscape"))


@pytest.fixture(scope="module")
def found(subject):
    return joined(make(subject.workshop, part).found for part in loss_landscape.parts(subject))


def test_there_is_a_part_for_each_round_and_a_row_for_each_network(subject, found):
    assert [part.about for part in loss_landscape.parts(subject)] == [f"replicate 0, round {n}" for n in (0, 1, 2)]
    rows = found.tables["sharpness"]
    assert [(row["round"], row["arm"]) for row in rows] == [
        (0, "dense"), (1, "ticket"), (1, "reinit"), (2, "ticket"), (2, "reinit"),
    ]  # fmt: skip
    assert all(
        row["images"] == 30 and row["eigenvalue_1"] >= row["eigenvalue_2"] >= row["eigenvalue_3"] for row in rows
    )
    assert rows[0]["parameters"] == rows[0]["weights"] + 16 + 12 + 10
    assert rows[1]["parameters"] == rows[1]["weights"] + 16 + 12 + 10 < rows[0]["parameters"]


def test_a_surface_has_the_network_in_its_middle(found):
    for row in found.tables["sharpness"]:
        key = f"replicate0/round0{row['round']}/{row['arm']}"
        surface, at = found.arrays[f"{key}/surface"], found.arrays[f"{key}/at"]
        assert surface.shape == (5, 5) and at.tolist() == [-1, -0.5, 0, 0.5, 1]
        assert float(surface[2, 2]) == pytest.approx(row["loss"], rel=1e-5)
        assert row["lowest"] == float(surface.min())


def test_the_same_bits_again(subject):
    for part in loss_landscape.parts(subject):
        known, again = make(subject.workshop, part), make(subject.workshop, part, fresh=True)
        assert again.computed and again.record["version"] == known.record["version"]


def test_other_images_are_other_losses(found, tmp_path):
    subject = subject_in(tmp_path, 0, seed=1, analysis=ANALYSIS)
    other = make(subject.workshop, loss_landscape.parts(subject)[0]).found
    assert other.tables["sharpness"][0]["loss"] != found.tables["sharpness"][0]["loss"]


def test_a_network_with_batch_norm_is_looked_at_as_training_left_it(tmp_path):
    """Both analyses: its statistics are no parameters, and the path's last loss is the landscape's centre."""
    subject = subject_in(
        tmp_path,
        1,
        model={"name": "resnet_cifar", "depth": 8, "filters": 2, "widths": None},
        training={"iterations": 3, "evaluate_every": 2, "step_at": [1]},
        pruning={"scope": "global", "rates": {"conv": 0.3, "shortcut": 0.3, "fc": 0.3}, "rounds": 1},
        arms=["ticket"],
    )
    around, ways = (
        joined(make(subject.workshop, part).found for part in analysis.parts(subject)).tables
        for analysis in (loss_landscape, training_path)
    )
    for row, training in zip(around["sharpness"], ways["training"], strict=True):
        gone = subject.chains[0].model(0).prunable - row["weights"]
        assert row["parameters"] == training["parameters"] == subject.chains[0].model(0).parameters - gone
        assert training["same_bits"]
        last = [point["loss"] for point in ways["path"] if point["arm"] == row["arm"]][-1]
        assert last == pytest.approx(row["loss"], rel=1e-4)


def test_the_check_says_which_surface_has_a_point_below_its_centre(subject, found):
    (check,) = loss_landscape.checks(found, subject.experiment)
    rows = [dict(row, loss=1.0, lowest=0.99) for row in found.tables["sharpness"]]
    (good,) = loss_landscape.checks(Found({"sharpness": rows}), subject.experiment)
    assert good.passed and check.name == good.name == "landscape_minimum"
    rows[3]["lowest"] = 0.5
    (bad,) = loss_landscape.checks(Found({"sharpness": rows}), subject.experiment)
    assert not bad.passed and "round 2, ticket: 0.5" in bad.why
    assert loss_landscape.checks(Found(), subject.experiment) == []


def test_nothing_trained_is_nothing_to_look_at(tmp_path):
    workshop = workshop_in(tmp_path / "store")
    chain = workshop.chain(load(tmp_path / "cards", small=card()), "small", 0)
    assert loss_landscape.parts(Subject(workshop, [chain])) == []
