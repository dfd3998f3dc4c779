"""Copies of networks that saw their data in another order, compared through a real store."""

import copy

import pytest

from lth_pipeline.recipes.analyses import connectivity
from lth_pipeline.recipes.analyses.analysis import Subject, joined, look_up, make
from lth_pipeline_tests.recipes.making import card, load, workshop_in

ANALYSIS = {"line_points": 3, "rewind_points": [0.0, 0.3, 0.301]}
ARMS = ["ticket", "reinit", "random_mask", "dense_small"]
RESNET = {
    "model": {"name": "resnet_cifar", "depth": 8, "filters": 4, "widths": None},
    "training": {"iterations": 4, "step_at": [2]},
    "pruning": {"rates": {"fc": None, "conv": 0.4}, "rounds": 1},
}


def trained(folder, **changes) -> Subject:
    cards = load(folder / "cards", tiny=card(**{"analysis": ANALYSIS, "pruning": {"rounds": 1}, **changes}))
    workshop = workshop_in(folder / "store")
    chain = workshop.chain(cards, "tiny", 0)
    for round in range(cards["tiny"].pruning.rounds + 1):
        for step in chain.trainings(round):
            workshop.make(chain, step)
    return Subject(workshop, [chain])


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Subject:
    return trained(tmp_path_factory.mktemp("plain"), arms=ARMS)


@pytest.fixture(scope="module")
def normed(tmp_path_factory) -> Subject:
    return trained(tmp_path_factory.mktemp("normed"), **RESNET)


def found_of(subject):
    return joined(make(subject.workshop, part).found for part in connectivity.parts(subject))


def test_every_network_is_compared_with_a_copy(plain):
    """The dense one from each place of training once, however many shares of it come to the same iteration."""
    found = found_of(plain)
    rows = found.tables["instability"]
    assert [(row["arm"], row["start_iteration"]) for row in rows] == [
        *(("dense", 0), ("dense", 3)),
        *((arm, 0) for arm in ("ticket", "reinit", "random_mask")),
    ]
    assert len(found.tables["lines"]) == 3 * len(rows)
    assert all(row["l2_distance"] > 0 and -1 <= row["cosine"] < 1 for row in rows)
    assert [check.passed for check in connectivity.checks(found, plain.experiment)] == [True]


def test_the_dense_network_parts_where_tickets_are_rewound_to(plain):
    def starts(**rewind) -> list[int]:
        card = plain.experiment
        cards = {"tiny": card.model_copy(update={"rewind": card.rewind.model_copy(update=rewind)})}
        chain = plain.workshop.chain(cards, "tiny", 0)
        parts = connectivity.parts(Subject(plain.workshop, [chain]))
        return [part.settings["of"]["start_iteration"] for part in parts if part.settings["of"]["arm"] == "dense"]

    assert starts() == [0, 3]
    assert starts(iteration=7) == [0, 3, 7]
    assert starts(iteration=7, mode="learning_rate") == [0, 3]  # they go on from trained weights


def test_copy_a_is_the_training_that_is_recorded(plain):
    recorded = {row["arm"]: row["test_accuracy_at_end"] for row in plain.rows()}
    lines = [row for row in found_of(plain).tables["lines"] if row["alpha"] == 0 and row["start_iteration"] == 0]
    assert {row["arm"]: row["test_error"] for row in lines} == {
        arm: pytest.approx(1 - accuracy) for arm, accuracy in recorded.items() if arm != "dense_small"
    }


@pytest.mark.parametrize("which", ["plain", "normed"])
def test_computed_again_it_is_the_same_to_the_bit(which, request):
    subject = request.getfixturevalue(which)
    for part in connectivity.parts(subject):
        first = make(subject.workshop, part)
        assert look_up(subject.workshop, part).record["version"] == first.record["version"]
        assert make(subject.workshop, part, fresh=True).record["version"] == first.record["version"]


def test_with_batch_norm_statistics_come_from_training_images(normed):
    found = found_of(normed)
    assert {row["batch_norm_images"] for row in found.tables["instability"]} == {1000}
    assert all(row["test_loss"] is not None for row in found.tables["lines"])


def test_the_check_sees_an_end_that_is_not_the_training(plain):
    found = copy.deepcopy(found_of(plain))
    found.tables["instability"][2]["recorded_b_test_error"] += 0.1
    (check,) = connectivity.checks(found, plain.experiment)
    assert not check.passed and "ticket from iteration 0, copy B" in check.why


def test_what_does_not_count_moves_no_recipe(plain):
    def ids(**analysis):
        changed = plain.experiment.analysis.model_copy(update=analysis)
        cards = {"tiny": plain.experiment.model_copy(update={"analysis": changed})}
        chain = plain.workshop.chain(cards, "tiny", 0)
        return [part.recipe.id for part in connectivity.parts(Subject(plain.workshop, [chain]))]

    assert ids(resamples=500, examples=20) == ids()  # no batch norm: no images are drawn
    assert not set(ids(line_points=5)) & set(ids())
