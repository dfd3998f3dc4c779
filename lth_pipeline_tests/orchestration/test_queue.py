"""What is missing or stale goes into Dagster's queue: from `lth run --queue`, and from the job `run_sweep`."""

import json

import pytest
from dagster import DagsterInstance, build_sensor_context
from dagster._core.execution.backfill import BulkActionStatus

from lth_pipeline.orchestration.report import GATHERED
from lth_pipeline.orchestration.sweep_job import chosen_cards, scheduled
from lth_pipeline.recipes import load_cards
from lth_pipeline_tests.orchestration.running import gather, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD

SHORT = SMALL_CARD.replace("rounds: 2", "rounds: 1").replace("replicates: 2", "replicates: 1")
SWEEP = (
    SMALL_CARD.replace("learning_rate: 2e-3, ", "")
    + "scheduled: true\nresources: {cpus: 2}\nmatrix:\n  training.learning_rate: [1e-3, 2e-3]\n"
)


def queued(place) -> list:
    with DagsterInstance.from_config(str(place.folder / ".lth" / "dagster")) as instance:
        return list(instance.get_backfills())


def wanted(backfill) -> dict[str, set[str]]:
    """{asset: partitions} that a backfill is of."""
    subsets = backfill.asset_backfill_data.target_subset.partitions_subsets_by_asset_key
    return {key.to_user_string(): set(subset.get_partition_keys()) for key, subset in subsets.items()}


def run_sweep(definitions, instance, **selection):
    job = definitions.resolve_job_def("run_sweep")
    config = {"ops": {"queue_what_is_missing": {"config": selection}}}
    return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)


def test_lth_run_puts_into_the_queue_what_is_missing_and_once(place):
    place.card("small", SMALL_CARD + "resources: {gpus: 2, memory_gb: 2}\n")
    said = place.here("run", "small", "--queue", "--replicates", "0,2", "--through", "1").stdout
    (backfill,) = queued(place)
    assert f"Queued as backfill {backfill.backfill_id}" in said and "2 replicates: 14 missing" in said
    assert "daemon is not running" in said
    of = wanted(backfill)
    assert of["r00_trained"] == of["r01_control"] == {"small|0", "small|2"}
    assert "results" not in of, "which a single failure would take along"
    assert "r02_mask" not in of and backfill.tags["lth/gather"] == "small"
    assert backfill.tags["lth/started_by"] == "lth run --queue"
    assert backfill.tags["lth/why"] == "2 replicates: 14 missing"
    assert json.loads(backfill.tags["dagster-ray/config"]) == {"num_gpus": 2, "memory": 2 * 2**30}
    assert backfill.run_config == {"resources": {"compute": {"config": {"replicates": [0, 2]}}}}
    again = place.here("run", "small", "--queue").stdout
    assert f"on its way already: backfill {backfill.backfill_id}; nothing was queued" in again
    assert len(queued(place)) == 1


def test_the_queue_and_workers_here_exclude_each_other(place):
    done = place.here("run", "small", "--queue", "--workers", "2", check=False)
    assert done.returncode == 1 and "dagster.yaml" in done.stderr
    assert not queued(place)


def test_the_sweep_job_queues_what_is_stale_and_says_why(inside):
    inside.card("small", SHORT)
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0).success
        assert gather(definitions, instance, "small").success
        assert run_sweep(definitions, instance, cards=["small"]).success
        assert not instance.get_backfills(), "it is up to date"
    inside.card("small", SHORT.replace("2e-3", "3e-3"))
    with opened() as (definitions, instance):
        assert run_sweep(definitions, instance, cards=["smal*"], dry_run=True).success
        assert not instance.get_backfills(), "it was only to be said"
        assert run_sweep(definitions, instance, cards=["small"], replicates="0,1", through=0).success
        (backfill,) = instance.get_backfills()
    of = wanted(backfill)
    assert of["r00_trained"] == {"small|0", "small|1"} and of["r00_initial_weights"] == {"small|1"}
    assert "r01_mask" not in of
    assert backfill.tags["lth/started_by"] == "the launchpad"
    assert backfill.tags["lth/why"] == "2 replicates: 3 missing, 1 stale (training.learning_rate: 0.002 → 0.003)"


def test_a_sweep_is_one_backfill_with_its_comparison(inside):
    inside.card("two", SWEEP)
    with opened() as (definitions, instance):
        assert run_sweep(definitions, instance).success, "without cards: what is scheduled"
        (backfill,) = instance.get_backfills()
    members = {"two_learning_rate_0p001", "two_learning_rate_0p002"}
    of = wanted(backfill)
    assert "results" not in of and backfill.tags["lth/gather"] == "two"
    assert of["r02_trained"] == {f"{member}|{replicate}" for member in members for replicate in (0, 1)}
    assert backfill.tags["lth/sweep"] == "two" and backfill.tags["dagster-ray/config"] == '{"num_cpus": 2.0}'


def test_what_cannot_be_is_said_and_the_others_go_on(inside):
    inside.card("deep", SMALL_CARD)
    with opened() as (definitions, instance):
        result = run_sweep(definitions, instance, cards=["small", "deep"], through=20)
        assert not result.success and not instance.get_backfills()
        messages = [event.message for event in result.all_events if event.is_step_failure]
        said = str(result.failure_data_for_node("queue_what_is_missing").error)
        assert "deep: round 13 would prune fc2.weight away whole" in said, messages
        result = run_sweep(definitions, instance, cards=["smoll", "small"], replicates="0")
        assert "smoll: no experiment or sweep is called that" in str(
            result.failure_data_for_node("queue_what_is_missing").error
        )
        (backfill,) = instance.get_backfills()
        assert wanted(backfill)["r00_trained"] == {"small|0"}, "the others go on"
        result = run_sweep(definitions, instance, cards=["small"], replicates="x")
        assert "is not a list of numbers" in str(result.failure_data_for_node("queue_what_is_missing").error)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["two"], ["two"]),
        (["two_learning_rate_0p001"], ["two_learning_rate_0p001"]),
        (["two*"], ["two"]),
        (["small", "t*", "two"], ["small", "two"]),
        ([], ["two"]),
    ],
)
def test_patterns_choose_cards_and_whole_sweeps(place, patterns, names):
    place.card("two", SWEEP)
    cards = load_cards([place.folder / "experiments"])
    assert chosen_cards(cards, patterns) == (names, {})


def test_what_is_scheduled_is_named_once(place):
    place.card("two", SWEEP)
    place.card("one", SMALL_CARD + "scheduled: true\n")
    place.card("child", "based_on: one\nseed: 3\n")
    place.card("not_that", "based_on: one\nscheduled: false\nseed: 4\n")
    assert scheduled(load_cards([place.folder / "experiments"])) == ["child", "one", "two"]


def test_results_are_gathered_once_the_trainings_have_ended_also_where_some_failed(inside):
    inside.card("two", SWEEP)

    def look(cursor=None):
        with opened() as (definitions, instance):
            sensor = definitions.get_repository_def().get_sensor_def("gather_queued")
            result = sensor(build_sensor_context(instance=instance, cursor=cursor))
            return result.cursor, result.skip_reason.skip_message, list(instance.get_backfills())

    cursor, said, _ = look()
    assert said == "nothing has ended"
    assert inside.here("run", "two", "--queue").returncode == 0
    cursor, said, (trainings,) = look(cursor)
    assert said == "nothing has ended"
    with opened() as (definitions, instance):  # one replicate of one member was trained; the rest failed
        assert materialise(
            definitions,
            instance,
            "two_learning_rate_0p001",
            0,
            ["r00_initial_weights", "r00_rewind_weights", "r00_trained"],
            job="two",
        ).success
        instance.update_backfill(trainings.with_status(BulkActionStatus.COMPLETED_FAILED))
    cursor, said, (gathering, _) = look(cursor)
    assert said == f"results of two are queued: backfill {gathering.backfill_id}"
    gathered = {asset: {"two_learning_rate_0p001"} for asset in GATHERED}
    assert wanted(gathering) == {**gathered, "sweep_results": {"two"}}
    assert gathering.tags["lth/sweep"] == "two"
    assert gathering.tags["lth/started_by"] == "sensor gather_queued" and "dagster-ray/config" not in gathering.tags
    _, said, backfills = look(cursor)
    assert said == "nothing has ended" and len(backfills) == 2, "once"


def test_of_a_ticket_from_elsewhere_the_source_comes_first_and_is_not_recomputed(place):
    place.card(
        "taking",
        SHORT.replace("rates: {fc: 0.4}", "rates: {fc: 0.3}") + "seed: 4\nticket_from: {experiment: small, round: 1}\n",
    )
    assert place.here("run", "taking", "--queue", "--recompute").returncode == 0
    own, source = queued(place)
    assert wanted(source)["r01_ticket"] == {"small|0"} and "lth/gather" not in source.tags
    assert source.run_config == {"resources": {"compute": {"config": {"replicates": [0]}}}}
    assert wanted(own)["r01_trained"] == {"taking|0"} and own.tags["lth/gather"] == "taking"
    assert own.run_config == {"resources": {"compute": {"config": {"recompute": True}}}}
