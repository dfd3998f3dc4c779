"""Robustness of small networks, through a real store."""

import copy
import sys

import pytest
import torch

from lth_pipeline.lottery.analysis import corruptions
from lth_pipeline.recipes.analyses import robustness
from lth_pipeline.recipes.analyses.analysis import Subject, joined, look_up, make
from lth_pipeline_tests.recipes.making import card, load, workshop_in

ANALYSIS = {"examples": 12, "severities": [1, 5], "radii": [0.05, 0.2]}
FEW = ["shot_noise", "zoom_blur", "fog"]
NORMED = {
    "model": {"name": "resnet_cifar", "depth": 8, "filters": 4, "widths": None},
    "training": {"iterations": 4, "step_at": [2]},
    "pruning": {"rates": {"fc": None, "conv": 0.4}, "rounds": 1},
}


@pytest.fixture(autouse=True)
def few_families(monkeypatch):
    monkeypatch.setattr(corruptions, "FAMILIES", {family: corruptions.FAMILIES[family] for family in FEW})


def trained(folder, **changes) -> Subject:
    cards = load(folder / "cards", tiny=card(**{"analysis": ANALYSIS, "pruning": {"rounds": 1}, **changes}))
    workshop = workshop_in(folder / "store")
    chains = [workshop.chain(cards, "tiny", replicate) for replicate in range(cards["tiny"].replicates)]
    for chain in chains:
        for round in range(cards["tiny"].pruning.rounds + 1):
            for step in chain.trainings(round):
                workshop.make(chain, step)
    return Subject(workshop, chains)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Subject:
    arms = ["ticket", "reinit", "dense_small"]
    return trained(tmp_path_factory.mktemp("plain"), arms=arms, replicates=2, draws=2)


@pytest.fixture(scope="module")
def normed(tmp_path_factory) -> Subject:
    return trained(tmp_path_factory.mktemp("normed"), **NORMED)


def found_of(subject: Subject):
    return joined(make(subject.workshop, part).found for part in robustness.parts(subject))


def unanalysed(subject: Subject) -> Subject:
    """The same of a store in which no analysis is found."""
    bare = copy.copy(subject.workshop)
    bare.store = copy.copy(bare.store)
    find, known = bare.store.find, {part.recipe.id for part in robustness.parts(subject)}
    bare.store.find = lambda recipe: None if recipe in known else find(recipe)
    return Subject(bare, subject.chains)


def needs_opencv():
    pytest.importorskip("cv2", reason="OpenCV does not load here", exc_type=ImportError)


def test_dense_and_the_first_draw_of_every_arm_are_looked_at(plain):
    needs_opencv()
    found = found_of(plain)
    networks = [("dense", 0), ("ticket", 1), ("reinit", 1), ("dense_small", 1)]
    per_network = {"calibration": 1, "reliability": 15, "attacks": 1 + 2 * 2, "corruptions": 1 + 3 * 2}
    for table, count in per_network.items():
        rows = found.tables[table]
        assert len(rows) == 2 * 4 * count
        assert {(row["arm"], row["round"]) for row in rows} == set(networks)
        assert {row["draw"] for row in rows} == {0}
    assert {row["images"] for row in found.tables["calibration"]} == {40}
    assert {row["images"] for row in found.tables["attacks"] + found.tables["corruptions"]} == {12}


def test_clean_accuracies_agree_with_training_and_with_each_other(plain, normed):
    needs_opencv()
    for subject in (plain, normed):
        found = found_of(subject)
        assert [(check.name, check.passed) for check in robustness.checks(found, subject.experiment)] == [
            ("clean_accuracy", True)
        ]
        assert all(row["accuracy"] == row["recorded_accuracy"] for row in found.tables["calibration"])
        clean = [
            {(row["replicate"], row["arm"]): row["accuracy"] for row in found.tables[table] if row[column] == "clean"}
            for table, column in (("attacks", "attack"), ("corruptions", "family"))
        ]
        assert clean[0] == clean[1]  # the digits have 17 levels of grey: as bytes they are the same digits


def test_the_check_sees_other_images_or_other_weights(plain):
    found = found_of(plain)
    row = found.tables["calibration"][3]
    for distance, passed in ((0.0, True), (1 / 40, True), (2 / 40, False)):
        row["accuracy"] = row["recorded_accuracy"] - distance
        [check] = robustness.checks(found, plain.experiment)
        assert check.passed == passed
    assert f"round {row['round']}, {row['arm']}" in check.why and "1 of 8" in check.why
    for same, passed in ((True, False), (False, True)):  # of 10,000 images five may turn on another device
        row |= {"images": 10_000, "same_device": same, "accuracy": row["recorded_accuracy"] - 0.0005}
        assert robustness.checks(found, plain.experiment)[0].passed == passed


@pytest.mark.parametrize("which", ["plain", "normed"])
def test_computed_again_it_is_the_same_to_the_bit(which, request):
    subject = request.getfixturevalue(which)
    for part in robustness.parts(subject):
        first = make(subject.workshop, part)
        assert look_up(subject.workshop, part).record["version"] == first.record["version"]
        robustness._corrupted.cache_clear()
        torch.rand(3)  # what else draws from torch's own generator has no say
        assert make(subject.workshop, part, fresh=True).record["version"] == first.record["version"]


def test_every_replicate_sees_the_same_corrupted_images(plain):
    needs_opencv()
    images = found_of(plain).arrays
    assert sorted(images) == ["replicate0/round00/corrupted_images", "replicate1/round00/corrupted_images"]
    one, other = images.values()
    assert torch.equal(one, other) and one.shape == (1 + 3 * 2, 8, 8)
    assert len({bytes(image.numpy()) for image in one}) == 7


def test_without_the_package_all_else_is_as_it_was(plain, monkeypatch):
    with_it = {part.recipe.id for part in robustness.parts(plain)}
    monkeypatch.setitem(sys.modules, "imagecorruptions", None)  # cannot be imported
    parts = robustness.parts(unanalysed(plain))
    assert len(parts) == 2 * 2 * 2 and {part.recipe.id for part in parts} <= with_it
    assert sorted(joined(make(plain.workshop, part).found for part in parts).tables) == [
        *("attacks", "calibration", "reliability"),
    ]


def test_without_the_package_what_was_corrupted_before_is_still_there(plain, monkeypatch):
    needs_opencv()
    before = found_of(plain).tables["corruptions"]
    monkeypatch.setitem(sys.modules, "imagecorruptions", None)
    assert found_of(plain).tables["corruptions"] == before


def test_clean_images_are_kept_once_for_all_their_corruptions(monkeypatch):
    seen = []
    monkeypatch.setattr(corruptions, "corrupted", lambda images, *_: seen.append(images) or images.clone())
    robustness._corrupted.cache_clear()
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    for clean in (images, images.clone()):
        for family in FEW:
            robustness._corrupted(robustness.clean_images(clean), family, 1, 0)
    robustness._corrupted(robustness.clean_images(images + 1), FEW[0], 1, 0)
    robustness._corrupted.cache_clear()
    assert len(seen) == len(FEW) + 1


def test_settings_recompute_what_depends_on_them_alone(plain, tmp_path):
    needs_opencv()
    changes = {
        "before": {},
        "other_radii": {"radii": [0.1]},
        "other_severities": {"severities": [3]},
        "fewer": {"examples": 10},
        "other_statistics": {"resamples": 200},
    }
    cards = load(
        tmp_path, **{name: card(arms=["ticket"], analysis=ANALYSIS | changed) for name, changed in changes.items()}
    )

    def recipes(name: str) -> dict[str, str]:
        parts = robustness.parts(Subject(plain.workshop, [plain.workshop.chain(cards, name, 0)]))
        return {part.about: part.recipe.id for part in parts}

    before = recipes("before")
    assert len(before) == 6
    moved = {
        name: {about.split(": ")[1] for about, recipe in recipes(name).items() if before[about] != recipe}
        for name in changes
    }
    assert moved == {
        "before": set(),
        "other_radii": {"attacks"},
        "other_severities": {"corruptions"},
        "fewer": {"attacks", "corruptions"},
        "other_statistics": set(),
    }


def test_what_is_no_picture_is_not_corrupted(plain, monkeypatch):
    monkeypatch.setattr(corruptions, "LEAST_SIDE", 9)  # the digits have 8
    assert {part.about.split(": ")[1] for part in robustness.parts(plain)} == {"calibration", "attacks"}


@pytest.mark.servers  # for the time that the package takes to make its signals
def test_signals_are_attacked_within_their_range_and_not_corrupted(tmp_path):
    pytest.importorskip("mnist1d")
    tables = found_of(trained(tmp_path, data={"name": "mnist1d"})).tables
    assert "corruptions" not in tables and len(tables["attacks"]) == 2 * 5
