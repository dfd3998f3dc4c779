"""The path of training of a small card's networks, from the workshop to the check."""

import pytest

from lth_pipeline.recipes.analyses import training_path
from lth_pipeline.recipes.analyses.analysis import Found, joined, make
from lth_pipeline_tests.recipes.analyses.test_loss_landscape import ANALYSIS, subject_in


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    return subject_in(tmp_path_factory.mktemp("path"))


@pytest.fixture(scope="module")
def found(subject):
    return joined(make(subject.workshop, part).found for part in training_path.parts(subject))


def rows_of(found: Found, table: str, arm: str) -> list[dict]:
    return [row for row in found.tables[table] if row["arm"] == arm]


def test_dense_and_those_at_the_sparsest_round_are_followed(subject, found):
    assert [(row["round"], row["arm"]) for row in found.tables["training"]] == [
        (0, "dense"), (2, "ticket"), (2, "reinit"),
    ]  # fmt: skip
    for row in found.tables["training"]:
        assert row["same_bits"] and row["same_route"]
        assert row["test_accuracy"] == row["recorded_accuracy"] and row["first_loss"] == row["recorded_first_loss"]
        assert row["images"] == ANALYSIS["examples"]
    (check,) = training_path.checks(found, subject.experiment)
    assert check.name == "same_training" and check.passed and "the same bits" in check.why


@pytest.mark.parametrize("arm", ["dense", "ticket", "reinit"])
def test_a_path_leads_from_its_start_to_its_end(found, arm):
    path = rows_of(found, "path", arm)
    assert [row["iteration"] for row in path] == list(range(11))  # few enough: every one
    assert path[0]["distance_from_start"] == path[-1]["distance_to_end"] == 0.0
    assert path[-1]["distance_from_start"] == pytest.approx(path[0]["distance_to_end"]) and path[-1]["x"] == 0.0
    for row in path:  # on its plane it is no farther from the end than it is
        assert row["x"] ** 2 + row["y"] ** 2 <= row["distance_to_end"] ** 2 * 1.001
    (training,) = rows_of(found, "training", arm)
    assert 0.5 < training["explained_1"] + training["explained_2"] <= 1.0001
    assert training["parameters"] == path[0]["weights"] + 16 + 12 + 10


def test_gradients_by_layer_are_part_of_the_whole(found):
    for arm in ("dense", "ticket", "reinit"):
        path, layers = rows_of(found, "path", arm), rows_of(found, "gradients", arm)
        assert [row["layer"] for row in layers] == ["fc1", "fc2", "output"] * 2
        for at in (0, -1):
            own = [row for row in layers if row["iteration"] == path[at]["iteration"]]
            assert 0 < sum(row["gradient_norm"] ** 2 for row in own) < path[at]["gradient_norm"] ** 2
        assert sum(row["layer_weights"] for row in layers[:3]) == path[0]["weights"]


def test_the_plane_goes_around_the_path(found):
    for row in found.tables["training"]:
        key = f"replicate0/round0{row['round']}/{row['arm']}"
        path = rows_of(found, "path", row["arm"])
        for name in ("x", "y"):
            at = found.arrays[f"{key}/plane_{name}"].tolist()
            assert at[0] < min(point[name] for point in path) and at[-1] > max(point[name] for point in path)
        assert found.arrays[f"{key}/plane"].shape == (5, 5)


def test_the_same_bits_again(subject):
    part = training_path.parts(subject)[1]
    known, again = make(subject.workshop, part), make(subject.workshop, part, fresh=True)
    assert again.record["version"] == known.record["version"]


def test_a_rewound_ticket_begins_at_its_rewind_point(tmp_path):
    subject = subject_in(tmp_path, 1, rewind={"iteration": 3}, arms=["ticket"])
    dense, ticket = training_path.parts(subject)
    path = make(subject.workshop, ticket).found.tables["path"]
    assert [row["iteration"] for row in path] == list(range(3, 11))
    assert make(subject.workshop, dense).found.tables["path"][0]["iteration"] == 0


def test_a_training_that_ended_early_is_followed_to_its_end(tmp_path):
    training = {"patience": 1, "evaluate_every": 1, "learning_rate": 1.5}
    subject = subject_in(tmp_path, 0, training=training, arms=["ticket"])
    found = make(subject.workshop, training_path.parts(subject)[0]).found
    assert found.tables["path"][-1]["iteration"] < 10 and found.tables["training"][0]["same_bits"]


def test_another_route_may_come_out_near_and_the_same_may_not(subject, found):
    row = found.tables["training"][0]
    near = {"same_bits": False, "first_loss": row["recorded_first_loss"] + 1e-4, "test_accuracy": 0.0}

    def judged(**changes) -> bool:
        (check,) = training_path.checks(Found({"training": [{**row, **changes}]}), subject.experiment)
        return check.passed

    assert judged(**near, same_route=False)
    assert not judged(**near, same_route=True)
    assert not judged(same_bits=False, same_route=False, first_loss=row["recorded_first_loss"] + 0.01)
    assert not judged(same_bits=False, same_route=False, first_loss=None)
    assert training_path.checks(Found(), subject.experiment) == []
