"""Size and speed of small networks, through a real store."""

import copy

import numpy as np
import pytest
import torch

from lth_pipeline.lottery.small import measure
from lth_pipeline.lottery.small.onnx_file import session
from lth_pipeline.recipes.analyses import small_network
from lth_pipeline.recipes.analyses.analysis import Subject, joined, make
from lth_pipeline.recipes.exported import Form, content_of
from lth_pipeline.recipes.small import ticket_of
from lth_pipeline_tests.recipes.making import card, load, workshop_in

TORCH = ["as trained", "compact", "sparse"]
ONNX = ["as trained", "compact", "int8"]
TIMED = ("latency_", "images_per_second", "peak_bytes")
CONVOLUTIONS = {
    "model": {"name": "resnet_cifar", "depth": 8, "filters": 4, "widths": None},
    "training": {"iterations": 4, "step_at": [2]},
    "pruning": {"rates": {"fc": None, "conv": 0.3}, "rounds": 5},
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Each turn is a call; what a test looks at is not how long it took."""
    monkeypatch.setattr(measure, "SECONDS", 0.0)


def trained(folder, **changes) -> Subject:
    cards = load(folder / "cards", tiny=card(**changes))
    workshop = workshop_in(folder / "store")
    chains = [workshop.chain(cards, "tiny", replicate) for replicate in range(cards["tiny"].replicates)]
    for chain in chains:
        for round in range(cards["tiny"].pruning.rounds + 1):
            workshop.make(chain, chain.main(round))
    return Subject(workshop, chains)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Subject:
    """The test set is smaller than a batch of 64."""
    return trained(tmp_path_factory.mktemp("plain"), replicates=2)


@pytest.fixture(scope="module")
def of_convolutions(tmp_path_factory) -> Subject:
    return trained(tmp_path_factory.mktemp("convolutions"), **CONVOLUTIONS)


def asked(subject: Subject, **analysis) -> Subject:
    """The same with other settings of the analyses."""
    chains = []
    for chain in subject.chains:
        experiment = chain.cards["tiny"]
        settings = experiment.analysis.model_copy(update=analysis)
        chains.append(copy.copy(chain))
        cards = {"tiny": experiment.model_copy(update={"analysis": settings})}
        object.__setattr__(chains[-1], "cards", cards)
    return Subject(subject.workshop, chains)


def found_of(subject: Subject):
    return joined(make(subject.workshop, part).found for part in small_network.parts(subject))


def without_onnxruntime(monkeypatch):
    monkeypatch.setattr(small_network, "find_spec", lambda name: None)


def test_every_round_is_measured_in_every_form(plain):
    pytest.importorskip("onnxruntime")
    found = found_of(plain)
    rows = found.tables["forms"]
    assert [(row["replicate"], row["round"], row["arm"], row["runtime"], row["form"]) for row in rows] == [
        (replicate, round, "ticket" if round else "dense", runtime, form)
        for replicate in (0, 1)
        for round in (0, 1, 2)
        for runtime, forms in (("torch", TORCH), ("onnxruntime", ONNX))
        for form in forms
    ]
    for row in rows:
        assert 0 < row["latency_1_low_ms"] <= row["latency_1_ms"] <= row["latency_1_high_ms"]
        assert 0 < row["latency_64_low_ms"] <= row["latency_64_ms"] <= row["latency_64_high_ms"]
        assert row["images_per_second"] == pytest.approx(64_000 / row["latency_64_ms"])
        assert 0 < row["bytes_compressed"] < row["bytes"]
        assert row["peak_bytes"] >= 0
    assert [(row["device"], row["threads"], row["left_out"]) for row in found.tables["machine"]] == [
        ("cpu", 1, None)
    ] * 2


def test_forms_that_are_exact_have_the_accuracy_that_training_recorded(plain):
    found = found_of(plain)
    assert [check.name for check in small_network.checks(found, plain.experiment) if check.passed] == ["same_outputs"]
    recorded = {(r["replicate"], r["round"]): r["test_accuracy_at_end"] for r in plain.rows() if r["arm"] != "reinit"}
    exact = [row for row in found.tables["forms"] if row["exact"]]
    assert len(exact) >= 2 * 3 * 3
    assert all(row["accuracy"] == recorded[row["replicate"], row["round"]] for row in exact)


def test_a_pruned_network_is_smaller_and_says_where(plain):
    found = found_of(plain)
    forms = {(row["round"], row["runtime"], row["form"]): row for row in found.tables["forms"] if not row["replicate"]}
    dense, last = forms[0, "torch", "as trained"], forms[2, "torch", "sparse"]
    assert last["weights"] < forms[2, "torch", "as trained"]["weights"] == dense["weights"]
    assert last["bytes"] < forms[2, "torch", "compact"]["bytes"] <= forms[2, "torch", "as trained"]["bytes"]
    layers = [row for row in found.tables["layers"] if (row["replicate"], row["round"]) == (0, 2)]
    assert [row["layer"] for row in layers] == ["fc1", "fc2", "output"]
    assert layers[0]["inputs"] == 64 and layers[-1]["outputs_left"] == layers[-1]["outputs"] == 10
    assert {row["stored_as"] for row in layers} <= {"dense", "csr", "bsr"} and all(row["bytes"] > 0 for row in layers)


def test_computed_anew_only_what_was_timed_is_another(plain):
    """Sizes, accuracies and differences come out the same."""
    part = small_network.parts(plain)[0]
    one, other = make(plain.workshop, part).found, make(plain.workshop, part, fresh=True).found

    def untimed(found):
        return [
            {name: value for name, value in row.items() if not name.startswith(TIMED)} for row in found.tables["forms"]
        ]

    assert untimed(one) == untimed(other) and one.tables["layers"] == other.tables["layers"]


def test_of_a_network_with_convolutions_the_chosen_rounds(of_convolutions):
    found = found_of(of_convolutions)
    assert sorted({row["round"] for row in found.tables["forms"]}) == [0, 2, 3, 5]
    assert all(check.passed for check in small_network.checks(found, of_convolutions.experiment))
    assert torch.get_num_threads() == of_convolutions.workshop.threads


def test_the_card_says_which_rounds(plain):
    parts = small_network.parts(asked(plain, rounds=(2,)))
    assert [[network["round"] for network in part.settings["networks"]] for part in parts] == [[0, 2], [0, 2]]


def test_without_onnxruntime_the_rest_is_measured_and_it_is_said(plain, monkeypatch):
    """What was measured with it is not lost where the package is gone."""
    with_both = found_of(plain)
    without_onnxruntime(monkeypatch)
    assert {row["runtime"] for row in found_of(plain).tables["forms"]} == {"torch", "onnxruntime"}
    some = asked(plain, rounds=(1,))
    found = found_of(some)
    assert {row["form"] for row in found.tables["forms"]} == set(TORCH) < {r["form"] for r in with_both.tables["forms"]}
    assert {row["onnxruntime"] for row in found.tables["machine"]} == {None}
    [check] = small_network.checks(found, plain.experiment)
    assert check.passed and "pip install --editable '.[export]'" in check.why


@pytest.mark.skipif(torch.cuda.is_available(), reason="of machines without a GPU")
def test_where_there_is_no_gpu_for_two_of_four_it_is_said(plain):
    found = found_of(asked(plain, rounds=(1,), semi_structured=True))
    assert "2:4" not in {row["form"] for row in found.tables["forms"]}
    assert "compute capability 8.0" in small_network.checks(found, plain.experiment)[0].why


def test_two_of_four_is_measured_once_there_is_a_gpu_for_it(plain, monkeypatch):
    """What a machine without one has measured does not stand for it, nor is anything lost on such a machine."""
    wanted, store = asked(plain, rounds=(1,), semi_structured=True), plain.workshop.store
    without, full = (part_where(wanted, can, monkeypatch) for can in (False, True))
    assert full.recipe.id != without.recipe.id
    monkeypatch.setattr(type(store), "find", lambda store, recipe: recipe == full.recipe.id)
    assert part_where(wanted, False, monkeypatch).recipe.id == full.recipe.id


def part_where(subject: Subject, two_four: bool, monkeypatch):
    """What is measured of the first replicate on a machine with, or without, a GPU for 2:4."""
    monkeypatch.setattr(small_network, "_multiplies_two_four", lambda subject: two_four)
    return small_network.parts(subject)[0]


def test_an_image_is_asked_alone_of_eight_bits(plain):
    """So that its answers do not depend on which others are asked in one call."""
    pytest.importorskip("onnxruntime")
    ticket = ticket_of(plain.workshop, plain.chains[0], 2)
    row = next(
        row
        for row in found_of(plain).tables["forms"]
        if (row["replicate"], row["round"], row["form"]) == (0, 2, "int8")
    )
    running = session(content_of(ticket, Form(".onnx", int8=True)))
    alone = [running.run(["logits"], {"image": image[None].numpy()})[0] for image in ticket.data.test.images]
    assert row["max_difference"] == pytest.approx(abs(np.concatenate(alone) - ticket.logits).max(), abs=0)


def test_a_form_that_says_something_else_is_named(plain):
    found = found_of(plain)
    found.tables["forms"][1] |= {"same": False, "max_difference": None, "changed": 3}
    [check] = small_network.checks(found, plain.experiment)
    assert not check.passed
    assert "replicate 0, round 0, compact in torch" in check.why and "3 predictions changed" in check.why


def test_nothing_is_measured_of_an_experiment_that_is_not_trained(tmp_path):
    cards = load(tmp_path / "cards", tiny=card())
    workshop = workshop_in(tmp_path / "store")
    subject = Subject(workshop, [workshop.chain(cards, "tiny", 0)])
    assert small_network.parts(subject) == []
    assert small_network.checks(joined([]), subject.experiment) == []
