"""Dagster's event log over connections that stay open: what is written is the same, and others read it meanwhile."""

import subprocess
import sys
from collections import Counter

import pytest
from dagster import DagsterInstance
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from lth_pipeline.orchestration.event_log import kept_open
from lth_pipeline.recipes import Store
from lth_pipeline_tests.orchestration.running import materialise, opened
from lth_pipeline_tests.places import SMALL_CARD


def openings(monkeypatch) -> Counter:
    """Counts the databases that are opened from now on, by the name of their file."""
    opened_so_far: Counter = Counter()
    connect = SQLiteDialect_pysqlite.connect

    def counted(dialect, *arguments, **options):
        opened_so_far[str(arguments[0]).rpartition("/")[2]] += 1
        return connect(dialect, *arguments, **options)

    monkeypatch.setattr(SQLiteDialect_pysqlite, "connect", counted)
    return opened_so_far


def test_a_run_opens_the_log_once_and_what_it_writes_can_be_read(inside, monkeypatch):
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0, ["r00_initial_weights"]).success
        counted = openings(monkeypatch)
        with kept_open(instance):
            before = Counter(counted)
            result = materialise(definitions, instance, "small", 0, ["r00_initial_weights", "r00_rewind_weights"])
            spent = counted - before
            assert result.success
            # one more of the index: whether it has the table of checks is asked over another connection, once
            assert spent[f"{result.run_id}.db"] == 1 and spent["index.db"] <= 2
        # over connections of Dagster's own again
        logged = [
            entry.dagster_event_type.value for entry in instance.all_logs(result.run_id) if entry.is_dagster_event
        ]
        assert logged.count("ASSET_MATERIALIZATION") == 2 and logged[-1] == "PIPELINE_SUCCESS"


def test_another_process_reads_what_is_written_while_the_connection_is_open(inside):
    program = """
import sys
from dagster import AssetKey, DagsterInstance
with DagsterInstance.from_config(sys.argv[1]) as instance:
    print(instance.get_materialized_partitions(AssetKey("r00_initial_weights")))
"""
    with opened() as (definitions, instance), kept_open(instance):
        assert materialise(definitions, instance, "small", 1, ["r00_initial_weights"]).success
        folder = str(inside.folder / ".lth" / "dagster")
        done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'small|1'}"


def test_the_log_is_as_before_after_an_error_and_other_storage_stays_as_it_is(inside):
    with opened() as (_, instance):
        storage = instance.event_log_storage
        with pytest.raises(KeyboardInterrupt), kept_open(instance):
            assert "_connect" in vars(storage)
            with kept_open(instance):  # of a resource, inside that of a worker
                pass
            assert "_connect" in vars(storage)
            raise KeyboardInterrupt
        assert not {"_connect", "has_table"} & set(vars(storage))
    with DagsterInstance.ephemeral() as instance, kept_open(instance):
        assert "_connect" not in vars(instance.event_log_storage)


def test_a_run_that_finds_all_in_the_store_reads_little(inside, monkeypatch):
    """Of each of its steps one record; of the artifacts no more than its checks and MLflow's files need."""
    inside.card(
        "several", SMALL_CARD.replace("arms: [ticket, reinit]", "arms: [ticket, reinit, random_mask]\ndraws: 3")
    )
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "several", 0).success
        records, artifacts = Counter(), Counter()
        find, load = Store.find, Store.load
        monkeypatch.setattr(Store, "find", lambda self, recipe: records.update([recipe]) or find(self, recipe))
        monkeypatch.setattr(Store, "load", lambda self, version: artifacts.update([version]) or load(self, version))
        assert materialise(definitions, instance, "several", 0).success
    assert max(records.values()) == 1
    # a training: its curve and its check; a mask: of the asset's own checks and the next round's, of each stage's, and
    # of nothing that grows with the number of draws
    assert max(artifacts.values()) <= 6
