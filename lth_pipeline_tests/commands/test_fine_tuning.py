"""A published ticket, fine-tuned on other data, from the CLI: fetched, trained, and lineage in both stores."""

import json
import os

import pytest

from lth_pipeline.orchestration.registry import TICKETS
from lth_pipeline.recipes import Store, Workshop, load_cards
from lth_pipeline.recipes.published import published_bytes
from lth_pipeline_tests.orchestration.running import materialisations, materialise, opened
from lth_pipeline_tests.places import free_port
from lth_pipeline_tests.publishing import register

VERSION_1 = '{"lottery@best": "1"}'
PAGE = "/#/models/lottery/versions/1?workflowType=machine_learning"
TUNED = """\
based_on: small
description: fine-tuning
data: {name: mnist1d, validation_size: 500, train_size: 1000, test_size: 500}
ticket_from: {registry: lottery@best, weights: trained}
pruning: {rounds: 1}
replicates: 1
"""
ASSETS = ["r00_initial_weights", "r00_rewind_weights", "r00_trained", "r01_mask", "r01_ticket", "r01_trained"]


@pytest.fixture
def client(inside):
    """Of the home's MLflow, in which two rounds of `small` are published: version 1 is the best."""
    from mlflow import MlflowClient

    inside.card("tuned", TUNED)
    found = MlflowClient(tracking_uri=f"sqlite:///{inside.folder}/mlflow/mlflow.db")
    workshop = Workshop(Store(inside.store), os.environ.get("LTH_DATA_DIR", "data"))
    small = workshop.chain(load_cards([inside.folder / "experiments"]), "small", 0)
    artifacts = (inside.folder / "mlflow" / "artifacts" / "lottery").as_uri()
    found.create_experiment("lottery", artifact_location=artifacts)
    register(found, "lottery", published_bytes(workshop, small, 1), "best")
    register(found, "lottery", published_bytes(workshop, small, 2))
    return found


def test_a_published_ticket_is_fine_tuned(inside, client):
    assert "fine-tuning (ticket from registry:lottery@best, not fetched yet)" in inside.here("list").stdout
    with opened() as (definitions, instance):
        made = materialisations(materialise(definitions, instance, "tuned", 0, ASSETS))
    for metadata in (made[name].metadata for name in ("r01_mask", "r00_rewind_weights")):
        assert metadata["ticket from"].value == "registry:lottery@best (version 1: small, replicate 0, round 1)"
        assert metadata["ticket from, its page"].value.endswith(PAGE)
        assert metadata["layers that are fresh here"].value == "fc1"  # 40 inputs in place of 64
    both_sides_say_so(client)
    it_is_current_without_a_server(inside)
    an_alias_that_moves_makes_it_stale(inside, client)


def test_who_may_not_write_to_the_model_trains_all_the_same(inside, client, monkeypatch):
    from mlflow.exceptions import MlflowException

    def refused(*args):
        raise MlflowException("Permission denied", error_code=7)

    monkeypatch.setattr("lth_pipeline.tracking.registered.set_tag", refused)
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "tuned", 0, ASSETS).success
    assert client.get_model_version("lottery", "1").tags == {}
    experiment = client.get_experiment_by_name("tuned").experiment_id
    assert client.search_runs([experiment], "tags.`lth.ticket_from` = 'registry:lottery@best (version 1)'")


def both_sides_say_so(client):
    experiment = client.get_experiment_by_name("tuned").experiment_id
    (run,) = client.search_runs([experiment], "tags.`lth.arm` = 'ticket' and tags.`lth.kind` = 'round'")
    version = client.get_model_version("lottery", "1")
    assert run.data.tags["lth.ticket_from"] == "registry:lottery@best (version 1)"
    assert run.data.tags["lth.ticket_from_run"] == version.run_id and run.data.tags["lth.ticket_weights"] == "trained"
    assert f"{PAGE}), found by small" in run.data.tags["mlflow.note.content"]
    assert version.tags == {"lth.ticket_taken_by.tuned": "registry:lottery@best, weights: trained"}


@pytest.mark.servers
def test_the_same_from_the_command_line_to_the_report(inside, client):
    inside.lth("run", "tuned")
    both_sides_say_so(client)
    report = (inside.folder / "reports" / "tuned" / "report.html").read_text()
    assert "Round 1 is the ticket of registry:lottery@best (version 1: small, replicate 0, round 1), with the" in report
    client.set_registered_model_alias("lottery", "best", "2")
    inside.lth("run", "tuned")
    assert client.get_model_version("lottery", "2").tags.keys() == {"lth.ticket_taken_by.tuned"}
    inside.lth("gc", "tuned", "--yes")
    assert "up to date" in inside.lth("run", "tuned").stdout, "what the ticket that is taken now came with is kept"


def it_is_current_without_a_server(inside):
    away = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"}
    assert "version 1: small" in inside.here("show", "tuned", **away).stdout.replace("\n", " ")
    assert "Nothing is stale." in inside.here("status", "tuned", "--stale").stdout


def an_alias_that_moves_makes_it_stale(inside, client):
    client.set_registered_model_alias("lottery", "best", "2")
    assert "version 1: small" in inside.here("show", "tuned").stdout.replace("\n", " "), "a look asks nobody"
    assert "Nothing is stale." in inside.here("status", "tuned", "--stale").stdout, "nobody has asked yet"
    assert "Queued as backfill" in inside.here("run", "tuned", "--queue").stdout
    with opened() as (definitions, instance):
        (backfill,) = instance.get_backfills()
        assert json.loads(backfill.tags[TICKETS]) == {"lottery@best": "2"}
        planned_before = materialise(definitions, instance, "tuned", 1, ASSETS[:4], tags={TICKETS: VERSION_1})
        assert "(version 1:" in materialisations(planned_before)["r01_mask"].metadata["ticket from"].value
    assert "version 2: small, replicate 0, round 2" in inside.here("show", "tuned").stdout.replace("\n", " ")
    stale = dict(line.split("\t")[1:] for line in inside.here("status", "tuned", "--stale").stdout.splitlines())
    assert stale["r01_mask"] == "its ticket is another: registry:lottery@best is version 2 now"
    assert "r01_trained" in stale and "r00_trained" not in stale
    assert "ticket from registry:lottery@best, version 2" in inside.here("list").stdout


def test_a_look_makes_no_registry(place):
    place.card("tuned", "based_on: digits\nticket_from: registry:lottery@best\n")
    path = place.folder / "new" / "mlflow.db"
    done = place.here("show", "tuned", check=False, MLFLOW_TRACKING_URI=f"sqlite:///{path}")
    assert done.returncode and f"there is no registry yet, {path} is not there; `lth publish` makes one" in done.stderr
    assert not path.parent.exists()


def test_what_the_registry_does_not_have_is_the_cards_error(inside, client):
    inside.card("tuned", TUNED.replace("lottery@best", "lottery@first"))
    done = inside.here("show", "tuned", check=False)
    assert (
        done.returncode
        and "tuned.yaml, line 4: ticket_from.registry = 'lottery@first': model 'lottery' has no" in done.stderr
    )
    assert "alias 'first'; there are: best (version 1)" in done.stderr
    register(client, "lottery", None, "first")
    done = inside.here("show", "tuned", check=False)
    assert done.returncode and "line 4: ticket_from.registry = 'lottery@first': version 3: MLflow run" in done.stderr
    assert "has no file 'ticket.safetensors', which a published ticket has; there are: none" in done.stderr
