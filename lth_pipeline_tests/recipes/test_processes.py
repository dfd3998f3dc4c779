"""A workshop whose trainings several processes make: the same artifacts up to rounding, nothing half-done in them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lth_pipeline.lottery.data import DataError
from lth_pipeline.recipes import DeviceError, Step, distributed
from lth_pipeline.recipes.artifacts import near
from lth_pipeline.recipes.route import in_words
from lth_pipeline_tests.commands.reading import store_versions
from lth_pipeline_tests.places import PROJECT, free_port
from lth_pipeline_tests.recipes.making import card, load, made, workshop_in

DENSE = Step("trained", 0, "dense")
LOSSES = ("train_loss", "validation_loss", "test_loss")
#: long enough to be killed in, with a batch that two cannot share evenly
LONG = card(training={"iterations": 300, "step_at": [200], "evaluate_every": 100, "batch_size": 15})


@pytest.fixture
def cards(tmp_path):
    return load(tmp_path / "cards", long=LONG)


@pytest.fixture
def started(monkeypatch):
    """The processes that were started, in the order of their ranks."""
    found, real = [], subprocess.Popen
    monkeypatch.setattr(distributed.subprocess, "Popen", lambda *a, **k: found.append(real(*a, **k)) or found[-1])
    return found


def test_a_killed_process_ends_the_training_which_then_goes_on(cards, tmp_path, started):
    alone = made(workshop_in(tmp_path / "alone"), cards, "long")
    together = made(workshop_in(tmp_path / "s", processes=2, checkpoint_seconds=0), cards, "long")
    seen = []

    def kill(step, row, total):
        seen.append(row["iteration"])
        if row["iteration"] == 100:
            started[1].kill()

    together.workshop.on_row = kill
    with pytest.raises(DeviceError, match=r"round 0 dense trained: process 2 of 2 was killed \(SIGKILL.*run again"):
        together.product(DENSE)
    assert [process.poll() for process in started] != [None, None]
    assert together.workshop.look_up(together.chain, DENSE) is None
    assert seen == [0, 100]

    again = made(workshop_in(tmp_path / "s", processes=2), cards, "long")
    again.workshop.on_row = lambda step, row, total: seen.append((step, row["iteration"], total))
    product = again.product(DENSE)
    assert seen[2:] == [(DENSE, 200, 300), (DENSE, 300, 300)]  # not from the beginning
    assert product.recipe.id == alone.product(DENSE).recipe.id
    assert near(again.tensors(DENSE), alone.tensors(DENSE))
    for loss in LOSSES:  # rounding grows over 300 steps
        expected = [row[loss] for row in alone.rows(DENSE)]
        assert [row[loss] for row in again.rows(DENSE)] == pytest.approx(expected, rel=0.01, nan_ok=True)
    assert product.record["route"].items() >= {"way": "distributed", "processes": 2}.items()
    assert in_words(product.record["route"]) == "cpu, 2 processes"
    assert "processes" not in alone.product(DENSE).record["route"]
    assert not list((tmp_path / "s" / "checkpoints").iterdir())


def test_what_cannot_be_is_refused_before_anything_is_started(cards, tmp_path, started):
    with pytest.raises(DeviceError, match=r"processes: 16: more than a batch of long .*batch_size: 15"):
        made(workshop_in(tmp_path / "s", processes=16), cards, "long").product(DENSE)
    with pytest.raises(DeviceError, match=r"processes: 2, together: 5: .*set one of them to 1"):
        workshop_in(tmp_path / "s", processes=2, together=5)
    assert workshop_in(tmp_path / "s", processes=2, together=1).processes == 2
    assert not started


@pytest.mark.servers
def test_a_resumed_training_and_one_more_have_the_same_bits(cards, tmp_path):
    whole = made(workshop_in(tmp_path / "whole", processes=2), cards, "long")
    broken = made(workshop_in(tmp_path / "s", processes=2, checkpoint_seconds=0), cards, "long")
    others = set(children(os.getpid()))

    def stop(step, row, total):
        if row["iteration"] == 100:
            raise KeyboardInterrupt

    broken.workshop.on_row = stop
    with pytest.raises(KeyboardInterrupt):
        broken.product(DENSE)
    assert not set(children(os.getpid())) - others
    version = whole.product(DENSE).version
    broken.workshop.on_row = None
    assert broken.product(DENSE).version == version
    again = broken.workshop.make(broken.chain, DENSE, fresh=True)
    assert (again.computed, again.same_bits) == (True, True)


@pytest.mark.servers
def test_every_arm_and_rewinding_goes_through_it(tmp_path):
    """A rewind point, a network of its own (dense_small), a loss of its own (ticket_distilled), an early-bird mask."""
    early = {"find_early": True, "early_bird": {"every": 2, "checks": 2}, "training": {"evaluate_every": 2}}
    arms = ["ticket", "dense_small", "ticket_distilled"]
    cards = load(tmp_path / "cards", all=card(arms=arms, rewind={"iteration": 3}, pruning={"rounds": 1}, **early))
    alone, two = (made(workshop_in(tmp_path / str(n), processes=n), cards, "all") for n in (1, 2))
    for step in two.chain.trainings(1):
        assert near(alone.tensors(step), two.tensors(step))
        assert two.product(step).record["route"]["processes"] == 2
    assert two.product(two.chain.rewind_weights(1)).record["route"]["processes"] == 2
    assert alone.product(DENSE).facts.keys() == two.product(DENSE).facts.keys()
    assert "early_bird_iteration" in two.product(DENSE).facts


@pytest.mark.servers
def test_an_error_of_a_process_is_the_error(tmp_path):
    cards = load(tmp_path / "cards", absent=card(data={"name": "mnist", "validation_size": 100}))
    workshop = workshop_in(tmp_path / "s", processes=2)
    workshop.dirs = type(workshop.dirs)(tmp_path / "nothing", tmp_path / "cache")
    with pytest.raises(DataError, match="lth data get mnist"):
        made(workshop, cards, "absent").product(DENSE)


PARENT = """
import sys
from pathlib import Path
from lth_pipeline_tests.recipes.making import load, made, workshop_in
from lth_pipeline_tests.recipes.test_processes import DENSE, card
settings = card(training={"iterations": 10**6, "step_at": [6], "evaluate_every": 100})
folder = Path(sys.argv[1])
endless = made(workshop_in(folder / "s", processes=2), load(folder / "cards", endless=settings), "endless")
endless.workshop.on_row = lambda step, row, total: print(row["iteration"], flush=True)
endless.product(DENSE)
"""


@pytest.mark.servers
def test_the_processes_end_with_a_parent_that_is_killed(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert parent.stdout.readline() == "0\n"
        workers = children(parent.pid)
        assert len(workers) == 2
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        ends = time.monotonic() + 60
        while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < ends:
            time.sleep(0.1)
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()


def children(process: int) -> list[int]:
    """The processes that `process` has started and that have not been waited for."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, fields = path.read_text().rpartition(")")
        except OSError:
            continue
        if int(fields.split()[1]) == process:
            found.append(int(name.split()[0]))
    return found


@pytest.mark.servers
def test_two_nodes_under_torchrun_fill_the_store_that_a_run_then_finds(place):
    """Two agents of one process each on the loopback interface stand for two nodes."""
    endpoint = f"127.0.0.1:{free_port()}"
    nodes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"),
                *("--rdzv-backend", "c10d", "--rdzv-id", "test", "--rdzv-endpoint", endpoint),
                *("--local-addr", "127.0.0.1", "-m", "lth_pipeline.commands.distributed", "small", "--through", "1"),
            ],
            cwd=PROJECT,
            env={**place.env, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "LTH_DEVICE": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        said = [node.communicate(timeout=250)[0] for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert [node.returncode for node in nodes] == [0, 0], said
    assert any("small, replicate 0, round 1 reinit trained: trained" in text for text in said)
    done = place.lth("status", "small")
    assert done.returncode == 0
    kept = store_versions(place)
    place.lth("run", "small", "--replicates", "0", "--through", "1")
    assert store_versions(place) == kept, "it trained what was there"
