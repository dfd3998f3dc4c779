"""The asset that compares a sweep's experiments, its lineage, and the order of the tasks of `lth run`."""

from pathlib import Path

import pytest
from dagster import AssetKey

from lth_pipeline.definitions import build_definitions
from lth_pipeline.experiments.sweeps import sweeps
from lth_pipeline.home import find_home
from lth_pipeline.orchestration import jobs
from lth_pipeline.orchestration.launch import Task, _next
from lth_pipeline.orchestration.plan import Asked, plan, tasks
from lth_pipeline.orchestration.status import read_records
from lth_pipeline.orchestration.sweeps import sweep_assets
from lth_pipeline.recipes import Store, Workshop, load_cards
from lth_pipeline_tests.orchestration.running import opened
from lth_pipeline_tests.places import SMALL_CARD

SWEEP = SMALL_CARD.replace("replicates: 2", "replicates: 1") + "matrix:\n  pruning.rounds: [1, 2]\n  seed: [5, 6]\n"
SWEEP = SWEEP.replace(", rounds: 2}", "}")
MEMBERS = tuple(f"many_rounds_{rounds}_seed_{seed}" for rounds in (1, 2) for seed in (5, 6))


@pytest.fixture
def cards(inside):
    inside.card("many", SWEEP)
    return load_cards([inside.folder / "experiments"])


def test_the_comparison_is_below_the_results_of_its_experiments(inside, cards):
    graph = build_definitions(find_home()).resolve_asset_graph()
    node = graph.get(AssetKey("sweep_results"))
    assert {key.to_user_string() for key in node.parent_keys} == {"results"}
    assert "many" in node.partitions_def.get_partition_keys()
    mapping = node.partition_mappings[AssetKey("results")]
    upstream = graph.get(AssetKey("results")).partitions_def
    below = node.partitions_def.subset_with_partition_keys(["many"])
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(below, node.partitions_def, upstream)
    assert set(found.partitions_subset.get_partition_keys()) == set(MEMBERS)


def test_without_sweeps_there_is_neither_asset_nor_job(cards):
    alone = {name: card for name, card in cards.items() if card.sweep is None}
    assert sweep_assets(alone, Path("reports")) == []
    assert "compare_sweeps" not in {job.name for job in jobs.jobs(alone, 2)}
    assert "compare_sweeps" in {job.name for job in jobs.jobs(cards, 2)}


def test_a_sweep_has_one_job_for_all_its_experiments(inside, cards):
    definitions = build_definitions(find_home())
    names = {job.name for job in definitions.resolve_all_job_defs()}
    assert {"many", "small", "compare_sweeps"} <= names and not names & set(MEMBERS)
    keys = definitions.resolve_job_def("many").asset_layer.executable_asset_keys
    assert {key.to_user_string()[:3] for key in keys} == {"r00", "r01", "r02"}  # through the deepest of them
    assert jobs.job_of(cards, MEMBERS[0], 2) == "many" and jobs.job_of(cards, MEMBERS[0], 3) == "every_round"
    assert jobs.job_of(cards, "small", 2) == "small" and jobs.job_of(cards, "small", 3) == "every_round"


def test_results_are_gathered_as_soon_as_they_can_be_and_the_sweeps_last(inside, cards):
    home, sweep = find_home(), sweeps(cards)["many"]
    shop = Workshop(Store(home.store), home.data)
    with opened() as (_, instance):
        recorded = read_records(instance, 2)
        todo = {name: plan(cards, name, shop, recorded, (), 2) for name in sweep.members}
        queue = tasks(Asked(home, cards, sweep, shop, home.dagster / "log"), todo, {}, recorded, instance)
    assert [task.job for task in queue] == ["many", "gather_results"] * 4 + ["compare_sweeps"]
    assert queue[1].after == ("many_rounds_1_seed_5|0",) and queue[-1].after == MEMBERS
    assert {task.tags["lth/sweep"] for task in queue} == {"many"}
    of = {task.partition.partition("|")[0]: task.begins for task in queue if task.begins}
    assert of[MEMBERS[0]] == of[MEMBERS[2]] != of[MEMBERS[1]]  # the same dense network, and another seed's


def task(partition: str, after=(), begins: str = "") -> Task:
    return Task("module", "job", partition, (), Path(), Path(), after=after, begins=begins)


def test_a_task_waits_for_those_that_it_follows():
    first, second, last = task("a|0"), task("b|0"), task("a", after=("a|0",))
    assert _next([first, last, second], []) is first
    assert _next([last, second], [first]) is second
    assert _next([last], [first]) is None
    assert _next([last, second], []) is last


def test_tasks_that_begin_alike_do_so_one_after_the_other_where_there_is_another():
    one, same, other = task("a|0", begins="x"), task("b|0", begins="x"), task("c|0", begins="y")
    assert _next([same, other], [one]) is other
    assert _next([same], [one]) is same  # a free core is not left idle
