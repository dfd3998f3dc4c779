"""Runs that hold devices, and runs whose device has no memory left, through Dagster's API. The devices are made up."""

from contextlib import ExitStack
from types import SimpleNamespace

import pytest
import torch

from lth_pipeline.commands.run import suitable_workers
from lth_pipeline.home import find_home
from lth_pipeline.recipes import Step, Store, Workshop, devices, load_cards, together
from lth_pipeline.recipes.devices import Device, held
from lth_pipeline.tracking.tracker import open_tracker
from lth_pipeline_tests.orchestration.running import materialisations, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD

#: they compute on the CPU, and are two things to hold
MADE_UP = [Device("cpu", f"GPU-{number}", "made up") for number in range(2)]
FIRST = ["r00_initial_weights", "r00_rewind_weights", "r00_trained"]


@pytest.fixture
def two(inside, monkeypatch, tmp_path) -> list[Device]:
    """A machine with two devices, in this process."""
    monkeypatch.setenv("LTH_DEVICES_DIR", str(tmp_path / "claims"))
    monkeypatch.setattr(devices, "gpus", lambda: MADE_UP)
    return MADE_UP


def said(instance, result) -> list[str]:
    return [entry.user_message for entry in instance.all_logs(result.run_id)]


def tag(instance, result) -> str | None:
    return instance.get_run_by_id(result.run_id).tags.get("lth/device")


def test_a_run_holds_the_first_device_that_is_free_and_says_so(two):
    with opened() as (definitions, instance):
        with held(two, find_home().devices, "run abc"):
            result = materialise(definitions, instance, "small", 0, FIRST)
            assert result.success and tag(instance, result) == "cpu (made up, GPU-1)"
            assert "This run holds cpu (made up, GPU-1)" in said(instance, result)
        assert not list(find_home().devices.iterdir())  # given back


def test_a_run_waits_where_all_are_held_and_says_by_whom(two, monkeypatch):
    with opened() as (definitions, instance), ExitStack() as others:
        for holder in ("run abc", "run def"):
            others.enter_context(held(two, find_home().devices, holder))
        monkeypatch.setattr(devices, "time", SimpleNamespace(sleep=lambda seconds: others.close()))
        result = materialise(definitions, instance, "small", 0, FIRST)
        assert result.success and tag(instance, result) == "cpu (made up, GPU-0)"
        waiting = "cpu (made up, GPU-0) is held by run abc; cpu (made up, GPU-1) is held by run def"
        assert f"Waiting for a device: {waiting}" in said(instance, result)


def test_a_run_that_trains_nothing_waits_for_no_device(two, monkeypatch):
    with opened() as (definitions, instance), ExitStack() as others:
        assert materialise(definitions, instance, "small", 0, FIRST).success
        for holder in ("run abc", "run def"):
            others.enter_context(held(two, find_home().devices, holder))
        monkeypatch.setattr(devices, "time", None)  # it would fail if it waited
        result = materialise(definitions, instance, "small", 0, FIRST)
        assert result.success and tag(instance, result) is None


def test_a_run_that_fails_gives_its_device_back(two, monkeypatch):
    def out_of_memory(*given, **more):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr("lth_pipeline.recipes.training.train", out_of_memory)
    with opened() as (definitions, instance):
        result = materialise(definitions, instance, "small", 0, FIRST)
        assert not result.success and not list(find_home().devices.iterdir())
        (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
        shown = failure.user_failure_data.description
        assert "small, round 0 dense trained" in shown and "batch_size under 32" in shown and "bfloat16" in shown


def test_as_many_runs_are_queued_on_as_there_are_devices(inside, monkeypatch):
    import yaml

    settings = find_home().dagster / "dagster.yaml"
    settings.unlink()
    monkeypatch.setattr("lth_pipeline.orchestration.instance.at_once", lambda device, processes: 7)
    with opened():
        assert yaml.safe_load(settings.read_text())["concurrency"]["runs"]["max_concurrent_runs"] == 8
    assert "a killed worker frees its slot" in settings.read_text()  # it stays readable


@pytest.mark.parametrize(("tasks", "gpus", "workers"), [(1, 4, 1), (3, 4, 3), (9, 4, 4), (9, 1, 1), (3, 0, 3)])
def test_lth_run_has_no_more_processes_than_there_are_gpus(tasks, gpus, workers):
    assert suitable_workers(tasks, cores=16, gpus=gpus) == workers


def test_out_of_memory_halves_the_networks_that_train_together_and_is_told(inside, monkeypatch):
    card = SMALL_CARD.replace("replicates: 2", "replicates: 4").replace("iterations: 90", "iterations: 30")
    inside.card("small", card)
    monkeypatch.setenv("LTH_TOGETHER", "8")
    train, steps = together.train_together, [Step("trained", 1, arm) for arm in ("ticket", "reinit")]

    def short_of_memory(model, networks, *more, **settings):
        if len(networks) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return train(model, networks, *more, **settings)

    monkeypatch.setattr(together, "train_together", short_of_memory)
    with opened() as (definitions, instance):
        assets = [*FIRST, "r01_mask", "r01_ticket", "r01_trained", "r01_control"]
        results = [materialise(definitions, instance, "small", replicate, assets) for replicate in (0, 3)]
        assert all(result.success for result in results)
        (warning,) = [message for message in said(instance, results[0]) if "not enough memory" in message]
    assert "8 networks side by side" in warning and "4 train at a time" in warning
    assert all(
        "4 together" in materialisations(result)["r01_trained"].metadata["computed on"].value for result in results
    )
    home = find_home()
    client = open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui).client
    runs = client.search_runs([client.get_experiment_by_name("small").experiment_id], max_results=1000)
    assert warning in {run.data.tags.get("lth.note") for run in runs}

    monkeypatch.undo()
    cards = load_cards([inside.folder / "experiments"])
    halved, never_more = (
        Workshop(Store(folder), home.data, together=most)
        for folder, most in ((home.store, 8), (inside.folder / "another store", 4))
    )
    for chain in (halved.chain(cards, "small", replicate) for replicate in range(4)):
        for step in steps:
            assert halved.look_up(chain, step).version == never_more.make(chain, step).version
