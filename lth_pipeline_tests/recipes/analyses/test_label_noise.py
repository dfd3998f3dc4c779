"""Networks trained again on labels some of which are wrong, through a real store."""

import pytest

from lth_pipeline.recipes.analyses import label_noise
from lth_pipeline.recipes.analyses.analysis import Subject, joined, make
from lth_pipeline.recipes.analyses.networks import data_of, networks
from lth_pipeline_tests.recipes.making import card, load, workshop_in

NONE_IN_WORDS = 0.001  # of 64 images: none


@pytest.fixture(scope="module")
def subject(tmp_path_factory) -> Subject:
    folder = tmp_path_factory.mktemp("noise")
    analysis = {"noisy_labels": [NONE_IN_WORDS, 0.25]}
    cards = load(folder / "cards", tiny=card(arms=["ticket", "reinit"], analysis=analysis, pruning={"rounds": 3}))
    workshop = workshop_in(folder / "store")
    chain = workshop.chain(cards, "tiny", 0)
    for round in range(4):
        for step in chain.trainings(round):
            workshop.make(chain, step)
    return Subject(workshop, [chain])


@pytest.fixture(scope="module")
def found(subject):
    return joined(make(subject.workshop, part).found for part in label_noise.parts(subject))


def test_dense_ticket_and_control_of_two_rounds_at_every_share(found):
    rows = found.tables["label_noise"]
    assert [(row["round"], row["arm"], row["noise"], row["flipped"]) for row in rows] == [
        (round, arm, noise, flipped)
        for round, arms in ((0, ["dense"]), (2, ["ticket", "reinit"]), (3, ["ticket", "reinit"]))
        for arm in arms
        for noise, flipped in ((0.0, 0), (NONE_IN_WORDS, 0), (0.25, 16))
    ]


def test_where_no_label_is_wrong_it_is_the_training_that_is_recorded(found):
    rows = found.tables["label_noise"]
    for recorded, again in zip(rows[::3], rows[1::3], strict=True):
        assert {**again, "noise": 0.0} == recorded
    curves = found.tables["curves"]
    assert [row for row in curves if row["noise"] == 0.0] == [
        {**row, "noise": 0.0} for row in curves if row["noise"] == NONE_IN_WORDS
    ]


def test_validation_labels_are_as_noisy_and_those_of_the_test_part_are_right(found):
    """Before the first step weights are the same, and all that differs is what they are measured by."""
    first = {(row["round"], row["arm"], row["noise"]): row for row in found.tables["curves"] if row["iteration"] == 0}
    for (round, arm, noise), row in first.items():
        clean = first[round, arm, 0.0]
        assert row["test_accuracy"] == clean["test_accuracy"]
        assert (row["validation_loss"] != clean["validation_loss"]) == (noise == 0.25)


def test_wrong_labels_are_learned_or_not(found):
    for row in found.tables["label_noise"][2::3]:
        assert 0 <= row["memorised"] + row["recovered"] <= 1
        assert row["train_accuracy_on_noisy_labels"] * 64 == pytest.approx(
            row["train_accuracy_on_clean_labels"] * 64 + 16 * (row["memorised"] - row["recovered"])
        )


def test_every_network_of_a_replicate_has_the_same_wrong_labels_and_the_data_stays_as_it_is(subject, found):
    part = data_of(subject.workshop, subject.chains[0], 0).train
    before = part.labels.clone()
    taught = [label_noise._noisy(network, part, "train", 0.25)[0] for network in networks(subject, subject.chains[0])]
    assert all(labels.equal(taught[0]) for labels in taught) and not taught[0].equal(before)
    assert part.labels.equal(before)


def test_computed_again_it_is_the_same_to_the_bit(subject):
    part = label_noise.parts(subject)[-1]
    first = make(subject.workshop, part).record["version"]
    assert make(subject.workshop, part, fresh=True).record["version"] == first
