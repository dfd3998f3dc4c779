"""No ratio is told of two sides that do not do the same work."""

import pytest

from benchmarks import agreement, command, convolutions, floor, lenet
from benchmarks.peer import Peer
from benchmarks.results import figure
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.benchmarks.tiny import WORK

BATCH = WORK.data.train.images[: lenet.BATCH]


@pytest.mark.parametrize("density", [None, 0.2, 0.05])
def test_ours_and_the_peer_s_learn_the_same(density):
    mask = density and lenet.random_mask(WORK.model, density)
    ours, peers = agreement.same_training(WORK, mask, steps=25, images=100)  # past the end of an epoch of 10 batches
    assert ours == pytest.approx(peers, abs=1e-4) and ours > 0


def test_a_peer_that_learns_nothing_is_found_out(monkeypatch):
    monkeypatch.setattr(Peer, "step", lambda *_: None)
    with pytest.raises(agreement.Disagreement, match="after 25 steps our loss is"):
        agreement.same_training(WORK, None, steps=25, images=100)


def test_the_floor_of_a_fully_connected_network_has_its_products():
    products = floor.step(WORK.model, WORK.weights, BATCH)
    first, *others = [layer.size for layer in WORK.model.layers]
    assert agreement.same_step(WORK.model, WORK.weights, BATCH, products) == 2 * len(BATCH) * (
        2 * first + 3 * sum(others)
    )
    images = WORK.data.test.images[:250]
    products = floor.evaluation(WORK.model, WORK.weights, images, chunk=100)
    assert agreement.same_evaluation(WORK.model, WORK.weights, images, products) == 500 * (first + sum(others))


@pytest.mark.parametrize("name", ["conv2", "resnet20"])
def test_the_floor_of_a_convolutional_network_has_its_convolutions(name):
    case = convolutions.CASES[name]
    model = build(case.network, (3, 8, 8), 10, initialisation="glorot_normal", **case.settings)
    weights, images = model.initialise(generator(0)), BATCH[:2].new_ones(2, 3, 8, 8)
    assert agreement.same_step(model, weights, images, convolutions.floor(model, weights, images)) > 0


def test_a_floor_that_lacks_something_is_found_out():
    products = floor.evaluation(WORK.model, WORK.weights, BATCH)  # forward only
    with pytest.raises(agreement.Disagreement, match="the floor has"):
        agreement.same_step(WORK.model, WORK.weights, BATCH, products)


def test_a_command_ends_with_status_1_and_says_why(monkeypatch, capsys):
    def figures():
        raise agreement.Disagreement("our loss is 1 and the peer's 2")

    monkeypatch.setattr("benchmarks.processes.figures", figures)
    with pytest.raises(SystemExit, match="processes: our loss is 1 and the peer's 2"):
        command.command("processes", ["--dry-run"])


def test_a_dry_run_prints_and_writes_nothing(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.processes.figures", lambda: {"a": figure(1.25, "×", 1.8), "b": figure(2, "s")})
    monkeypatch.setattr("benchmarks.command.record", None)
    command.command("processes", ["--dry-run"])
    assert capsys.readouterr().out == "a: 1.25 ×  (target 1.8: NOT met)\nb: 2 s\n"
