"""The schedule, the sensor and the automation condition, each evaluated as Dagster's daemon does.

With the daemon itself: test_unattended.py.
"""

import json
from datetime import UTC, datetime

import pytest
from dagster import (
    AssetKey,
    AssetSelection,
    DagsterRunStatus,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    RunRequest,
    SkipReason,
    build_schedule_context,
    build_sensor_context,
    evaluate_automation_conditions,
)

from lth_pipeline.definitions import build_definitions
from lth_pipeline.experiments import Experiment
from lth_pipeline.home import HomeError, find_home
from lth_pipeline_tests.orchestration.running import gather, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD

AT = datetime(2026, 5, 1, 2, tzinfo=UTC)


def look(definitions, instance, cursor=None, on_since=1.0):
    context = build_sensor_context(instance=instance, cursor=cursor, last_sensor_start_time=on_since)
    return definitions.get_repository_def().get_sensor_def("new_cards")(context)


def said(result) -> str:
    return (result if isinstance(result, SkipReason) else result.skip_reason).skip_message


def test_all_are_off_until_they_are_switched_on(inside):
    definitions = build_definitions(find_home())
    assert definitions.get_repository_def().get_schedule_def("nightly").default_status == DefaultScheduleStatus.STOPPED
    for name in ("new_cards", "follow_changes"):
        assert definitions.get_repository_def().get_sensor_def(name).default_status == DefaultSensorStatus.STOPPED
    repository = definitions.get_repository_def()
    others = {sensor.name for sensor in repository.sensor_defs} - {"new_cards", "follow_changes"}
    assert others == {"gather_queued"}, "which only gathers what was queued"


def test_the_nightly_schedule_runs_what_is_scheduled(inside):
    def evaluated():
        with opened() as (definitions, instance):
            nightly = definitions.get_repository_def().get_schedule_def("nightly")
            return nightly(build_schedule_context(instance=instance, scheduled_execution_time=AT))

    assert evaluated().skip_message == "no card says `scheduled: true`"
    inside.card("mine", SMALL_CARD + "scheduled: true\n")
    request = evaluated()
    assert isinstance(request, RunRequest)
    assert request.run_config == {"ops": {"queue_what_is_missing": {"config": {"cards": []}}}}
    assert request.tags["lth/started_by"] == "schedule nightly" and request.tags["lth/why"] == "scheduled: mine"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LTH_NIGHTLY", "at night", "must be five fields"),
        ("LTH_NIGHTLY", "0 99 * * *", "is no time that cron knows"),
        ("LTH_TIMEZONE", "Berlin", "must be a time zone"),
    ],
)
def test_a_time_that_cannot_be_is_refused(inside, monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    with pytest.raises(HomeError, match=message):
        build_definitions(find_home())


def test_the_hour_can_be_chosen(inside, monkeypatch):
    monkeypatch.setenv("LTH_NIGHTLY", "30 4 * * 1-5")
    monkeypatch.setenv("LTH_TIMEZONE", "Europe/Berlin")
    nightly = build_definitions(find_home()).get_repository_def().get_schedule_def("nightly")
    assert (nightly.cron_schedule, nightly.execution_timezone) == ("30 4 * * 1-5", "Europe/Berlin")


def test_a_new_card_is_run_once_and_what_was_there_is_not(inside):
    with opened() as (definitions, instance):
        first = look(definitions, instance)
        assert "there already: small" in said(first) and not first.run_requests
        inside.card("fresh", SMALL_CARD)
        before_reload = look(definitions, instance, first.cursor)
        assert "reload the code location for fresh" in said(before_reload) and not before_reload.run_requests
    with opened() as (definitions, instance):
        found = look(definitions, instance, before_reload.cursor)
        (request,) = found.run_requests
        assert request.run_config == {"ops": {"queue_what_is_missing": {"config": {"cards": ["fresh"]}}}}
        assert request.tags["lth/why"].startswith("new card fresh: 2 replicates, rounds 0 to 2")
        assert set(json.loads(found.cursor)["seen"]) == {"small", "fresh"}
        assert "nothing new among fresh, small" in said(look(definitions, instance, found.cursor))
    inside.card("fresh", SMALL_CARD.replace("a lottery", "the same lottery") + "scheduled: true\n")
    with opened() as (definitions, instance):
        assert not look(definitions, instance, found.cursor).run_requests, "nothing that is run has changed"
    inside.card("fresh", SMALL_CARD.replace("2e-3", "3e-3"))
    with opened() as (definitions, instance):
        changed = look(definitions, instance, found.cursor)
        (other,) = changed.run_requests
        assert other.tags["lth/why"].startswith("changed card fresh")
    inside.card("fresh", SMALL_CARD)
    with opened() as (definitions, instance):
        (back,) = look(definitions, instance, changed.cursor).run_requests
    assert back.run_key is None, "Dagster starts nothing for a key that it has seen, and this content was there before"


def test_what_came_while_it_was_off_is_not_run(inside):
    with opened() as (definitions, instance):
        first = look(definitions, instance)
    inside.card("fresh", SMALL_CARD)
    with opened() as (definitions, instance):
        again = look(definitions, instance, first.cursor, on_since=2.0)
        assert "there already: fresh, small" in said(again) and not again.run_requests
        assert "nothing new" in said(look(definitions, instance, again.cursor, on_since=2.0))


def test_a_setting_that_a_new_version_brings_is_no_change(inside, monkeypatch):
    with opened() as (definitions, instance):
        first = look(definitions, instance)
    dump = Experiment.model_dump

    def with_another(card, **how):
        return dump(card, **how) | ({} if how.get("exclude_defaults") else {"brand_new": 0})

    monkeypatch.setattr(Experiment, "model_dump", with_another)
    with opened() as (definitions, instance):
        assert "nothing new" in said(look(definitions, instance, first.cursor))


def test_a_night_that_is_not_over_is_not_begun_again(inside):
    inside.card("mine", SMALL_CARD + "scheduled: true\n")
    with opened() as (definitions, instance):
        nightly = definitions.get_repository_def().get_schedule_def("nightly")
        waiting = instance.create_run_for_job(
            definitions.resolve_job_def("run_sweep"),
            status=DagsterRunStatus.STARTED,
            tags={"lth/started_by": "schedule nightly"},
        )
        skipped = nightly(build_schedule_context(instance=instance, scheduled_execution_time=AT))
    assert skipped.skip_message == f"run {waiting.run_id[:8]}, of an earlier night, is still under way"


def test_a_card_that_changes_while_it_runs_is_not_forgotten(inside):
    with opened() as (definitions, instance):
        first = look(definitions, instance)
    inside.card("small", SMALL_CARD.replace("2e-3", "3e-3"))
    assert inside.here("run", "small", "--queue").returncode == 0
    with opened() as (definitions, instance):
        waiting = look(definitions, instance, first.cursor)
        (backfill,) = instance.get_backfills()
        assert f"small has changed, and waits for backfill {backfill.backfill_id}" in said(waiting)
        assert waiting.cursor == first.cursor


def test_a_card_with_a_mistake_is_told_of_and_nothing_is_lost(inside):
    with opened() as (definitions, instance):
        first = look(definitions, instance)
        inside.card("wrong", SMALL_CARD.replace("fc: 0.4", "fc: -0.4"))
        wrong = look(definitions, instance, first.cursor)
    assert isinstance(wrong, SkipReason)
    assert "wrong.yaml, line 5: pruning.rates.fc = -0.4" in said(wrong)


@pytest.mark.servers  # half a minute
def test_what_lies_below_follows_changed_content_and_nothing_else(inside):
    """One recomputed asset with other content: all that was made below it comes into one run, then the results."""
    with opened() as (definitions, instance):
        for replicate in (0, 1):
            assert materialise(
                definitions, instance, "small", replicate, ["r00_initial_weights", "r00_trained"]
            ).success
        assert materialise(definitions, instance, "small", 0).success
        assert gather(definitions, instance, "small").success

        def asked(cursor):
            result = evaluate_automation_conditions(
                definitions, instance, asset_selection=AssetSelection.assets(*FEW), cursor=cursor
            )
            found = {key.to_user_string(): result.get_requested_partitions(key) for key in FEW}
            return result.cursor, {name: partitions for name, partitions in found.items() if partitions}

        cursor, requested = asked(None)
        assert not requested, "what was there when it was switched on stays as it is"
        recompute = {"resources": {"compute": {"config": {"recompute": True}}}}
        assert materialise(definitions, instance, "small", 0, ["r00_trained"], recompute).success
        cursor, requested = asked(cursor)
        assert not requested, "the same bits"
    inside.card("small", SMALL_CARD.replace("2e-3", "3e-3"))
    with opened() as (definitions, instance):
        for replicate in (0, 1):
            assert materialise(definitions, instance, "small", replicate, ["r00_trained"]).success
        cursor, requested = asked(cursor)
        below = {"r01_mask", "r01_ticket", "r01_trained", "r01_control"}
        below |= {"r02_mask", "r02_ticket", "r02_trained", "r02_control"}
        assert requested == {name: {"small|0"} for name in below}, "of replicate 1 nothing was made below; results wait"
        assert materialise(definitions, instance, "small", 0, sorted(below)).success
        cursor, requested = asked(cursor)
        assert not requested, "a look later"
        cursor, requested = asked(cursor)
        assert requested == {"results": {"small"}}
        assert gather(definitions, instance, "small").success
        cursor, requested = asked(cursor)
        assert not requested


STAGES = ("mask", "ticket", "trained", "control")
#: the rounds of the card, and one that it does not have; of all twenty it takes minutes
FEW = [
    *(AssetKey(name) for name in ("r00_initial_weights", "r00_rewind_weights", "r00_trained", "results")),
    *(AssetKey(f"r{round:02d}_{stage}") for round in (1, 2, 3) for stage in STAGES),
]
