"""The code location: quick, without warnings, through both doors; and what it holds."""

import subprocess
import sys

import pytest
from dagster import AssetKey, MultiPartitionsDefinition

from lth_pipeline.definitions import build_definitions
from lth_pipeline.home import find_home
from lth_pipeline_tests.places import PROJECT


def test_definitions_load_without_warnings_and_without_torch(place):
    program = """
import sys, time
started = time.perf_counter()
import lth_pipeline.definitions
assert lth_pipeline.definitions.defs.resolve_asset_graph()
heavy = {"torch", "mlflow", "pandas", "matplotlib", "sklearn"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=PROJECT, env=place.env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        [sys.executable, "-c", "from dagster_dg_cli.cli import main; main()", "check", "defs"],
    ],
    ids=["workspace.yaml", "tool.dg"],
)
def test_both_doors_open(command, place):
    activated = {**place.env, "VIRTUAL_ENV": sys.prefix}  # dg asks for it
    done = subprocess.run(command, cwd=PROJECT, env=activated, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    warnings = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if "arning" in line and "SupersessionWarning" not in line
    ]
    assert not warnings  # Dagster's own about `dagster definitions` aside


def test_a_wrong_card_is_one_message_where_dagster_loads_the_location(place):
    place.card("mine", "branch_of: {experiment: small, round: 1}\npruning: {rates: {fc: -0.2}}\n")
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"]
    done = subprocess.run(command, cwd=PROJECT, env=place.env, capture_output=True, text=True)
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "mine.yaml, line 2: pruning.rates.fc = -0.2: must be at least 0" in said


def test_the_rounds_are_one_graph_over_one_partitions_definition(inside):
    graph = build_definitions(find_home()).resolve_asset_graph()
    names = {key.to_user_string() for key in graph.get_all_asset_keys()}
    of_rounds = [name for name in names if name[1:3].isdigit()]
    assert len(of_rounds) == 3 + 20 * 4  # 20 rounds: the deepest built-in card
    assert names >= {"results", "report", "sweep_results", "comparison"}
    assert {"r00_initial_weights", "r00_trained", "r20_mask", "r20_control", "results"} <= names
    rounds = [graph.get(AssetKey(name)) for name in of_rounds]
    assert len({id(node.partitions_def) for node in rounds} | {node.partitions_def for node in rounds}) <= 2
    partitions = graph.get(AssetKey("r03_mask")).partitions_def
    assert isinstance(partitions, MultiPartitionsDefinition)
    assert {"digits|0", "small|9", "lenet_mnist|4"} <= set(partitions.get_partition_keys())
    parents = {key.to_user_string() for key in graph.get(AssetKey("r03_mask")).parent_keys}
    assert parents == {"r02_trained", "r02_mask"}
    assert {key.to_user_string() for key in graph.get(AssetKey("r03_ticket")).parent_keys} == {
        "r03_mask",
        "r00_rewind_weights",
    }
    assert {graph.get(AssetKey(f"r03_{stage}")).group_name for stage in ("mask", "ticket", "trained", "control")} == {
        "round_03"
    }


def test_the_deepest_round_and_the_replicates_can_be_raised(inside, monkeypatch):
    monkeypatch.setenv("LTH_DEEPEST_ROUND", "22")
    monkeypatch.setenv("LTH_REPLICATES", "12")
    graph = build_definitions(find_home()).resolve_asset_graph()
    assert graph.has(AssetKey("r22_control"))
    assert "small|11" in graph.get(AssetKey("r22_mask")).partitions_def.get_partition_keys()


def test_every_card_has_a_job_through_its_own_rounds(inside):
    definitions = build_definitions(find_home())
    keys = definitions.resolve_job_def("small").asset_layer.executable_asset_keys
    assert {key.to_user_string()[:3] for key in keys} == {"r00", "r01", "r02"}
    assert {"digits", "lenet_mnist", "every_round", "gather_results"} <= {
        job.name for job in definitions.resolve_all_job_defs()
    }


def test_a_run_goes_on_without_a_card_that_has_a_mistake(place):
    """A card that somebody is writing must not end all that runs: the location refuses it, a run's process leaves it
    out, and what builds on it."""
    place.card("wrong", "model: {}\n")
    place.card("child", "based_on: wrong\n")
    program = """
import sys
from lth_pipeline.definitions import defs
keys = defs.resolve_asset_graph().get(next(iter(defs.resolve_asset_graph().get_all_asset_keys()))).partitions_def
names = {key.split("|")[0] for key in keys.get_partition_keys()}
print("small" in names, "wrong" in names, "child" in names)
"""
    worker = [sys.executable, "-c", program, "api", "execute_run"]
    done = subprocess.run(worker, cwd=PROJECT, env=place.env, capture_output=True, text=True)
    assert done.stdout == "True False False\n", done.stderr
    assert "left out: " in done.stderr and "wrong.yaml" in done.stderr and "child.yaml" in done.stderr
    done = subprocess.run(worker[:-2], cwd=PROJECT, env=place.env, capture_output=True, text=True)
    assert done.returncode and "wrong.yaml" in done.stderr
