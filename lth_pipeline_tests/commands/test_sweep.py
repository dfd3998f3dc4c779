"""A sweep of six experiments from the card to its comparison, through `lth`, Dagster and MLflow."""

import csv
import json

import pytest
from click.testing import CliRunner
from dagster import AssetKey
from mlflow import MlflowClient

from lth_pipeline.cli import lth
from lth_pipeline.experiments.lineups import lineup_of
from lth_pipeline.experiments.sweeps import sweeps
from lth_pipeline.home import find_home
from lth_pipeline.orchestration import comparisons as any_comparison
from lth_pipeline.orchestration import sweeps as comparisons
from lth_pipeline.orchestration.plan import Asked, plan, tasks
from lth_pipeline.orchestration.status import experiment_status, read_records
from lth_pipeline.recipes import Store, Workshop, load_cards
from lth_pipeline.tracking.runs import run_ids
from lth_pipeline.tracking.tracker import open_tracker
from lth_pipeline_tests.orchestration.running import opened
from lth_pipeline_tests.places import Place

CARD = """\
description: six lotteries
data: {name: digits, validation_size: 200}
model: {name: mlp, widths: [24, 12]}
training: {optimiser: adam, batch_size: 32, iterations: 60, evaluate_every: 30}
pruning: {scope: layerwise, rates: {fc: 0.4}, output_rate: 0.2, rounds: 1}
arms: [ticket]
replicates: 1
matrix:
  training.learning_rate: [2.0e-3, 1.0e-2, 0.03]
  rewind: {start: {iteration: 0}, late: {iteration: 30}}
"""
MEMBERS = [f"six_learning_rate_{rate}_{rewind}" for rate in ("0p002", "0p01", "0p03") for rewind in ("start", "late")]


@pytest.mark.servers  # minutes
def test_six_experiments_from_the_card_to_their_comparison(place, inside):
    """One test, not one for each line: the run is what takes the time."""
    place.card("six", CARD)
    said = place.lth("run", "six").stdout
    it_ends_with_the_comparison_and_where_the_files_are(place, said)
    every_experiment_has_its_own_rounds_and_results(place)
    the_table_holds_all_rows_with_what_is_varied(place)
    mlflow_has_a_run_of_the_comparison(place)
    assert state(place) == ("fresh", "")
    what_is_there_is_printed(place)
    assert still_to_do(place) == []
    two_of_them_and_another_are_compared(place)
    a_change_of_the_card_makes_it_stale(place)


def client(place: Place) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{place.folder}/mlflow/mlflow.db")


def it_ends_with_the_comparison_and_where_the_files_are(place: Place, said: str) -> None:
    assert "six: digits (scikit-learn) · 60 iterations · n = 1 · seed 0" in said
    table = [line.split() for line in said.splitlines() if " ticket " in line]
    assert [line[:2] for line in table] == [
        [rate, rewind] for rate in ("0.002", "0.01", "0.03") for rewind in ("start", "late")
    ]
    for file in ("accuracy_by_density.png", "report.html", "comparison.csv"):
        path = place.folder / "reports" / "six" / file
        assert str(path) in said and path.stat().st_size > 1000


def every_experiment_has_its_own_rounds_and_results(place: Place) -> None:
    cards = load_cards([place.folder / "experiments"])
    shop = Workshop(Store(place.store), find_home().data)
    with opened() as (_, instance):
        recorded = read_records(instance, 1)
    for member in MEMBERS:
        found = experiment_status(cards, member, shop, recorded, 1)
        assert "results" in [entry.asset for entry in found][7:]  # after the assets of two rounds
        assert {entry.state for entry in found} == {"fresh"}
        assert (place.folder / "reports" / member / "results.csv").is_file()


def the_table_holds_all_rows_with_what_is_varied(place: Place) -> None:
    rows = list(csv.DictReader((place.folder / "reports" / "six" / "comparison.csv").open()))
    assert list(rows[0])[:5] == ["sweep", "training.learning_rate", "rewind", "experiment", "replicate"]
    assert [(row["experiment"], row["round"], row["arm"]) for row in rows] == [
        (member, *point) for member in MEMBERS for point in (("0", "dense"), ("1", "ticket"))
    ]
    assert [row["training.learning_rate"] for row in rows[::4]] == ["0.002", "0.01", "0.03"]
    assert all(len(row["mlflow_run_id"]) == 32 for row in rows)
    dense = [row["test_accuracy_at_end"] for row in rows if row["arm"] == "dense"]
    assert dense[0::2] == dense[1::2] and len(set(dense)) == 3  # two rewind points share a dense network


def two_of_them_and_another_are_compared(place: Place) -> None:
    """`small` is not run yet: it is left out, and said to be."""
    pair, name = (MEMBERS[5], MEMBERS[0]), "+".join((MEMBERS[5], MEMBERS[0], "small"))
    said = place.lth("compare", *pair, "small").stdout
    folder = place.folder / "reports" / name
    assert f"{name}: digits (scikit-learn)" in said and "Not run yet: small." in said
    assert "rewind.iteration" in said and str(folder / "report.html") in said
    rows = list(csv.DictReader((folder / "comparison.csv").open()))
    assert [row["experiment"] for row in rows] == [MEMBERS[5]] * 2 + [MEMBERS[0]] * 2
    assert (rows[0]["comparison"], rows[0]["rewind.iteration"], rows[2]["rewind.iteration"]) == (name, "30", "0")
    page = (folder / "report.html").read_text()
    assert all(f"{member}: at 6" in page for member in pair) and f"../{MEMBERS[0]}/report.html" in page
    runs = client(place)
    (run,) = runs.search_runs([runs.get_experiment_by_name(name).experiment_id])
    assert (run.data.tags["lth.kind"], run.data.tags["lth.status"]) == ("comparison", "current")
    for member in pair:
        assert runs.get_run(run.data.tags[f"lth.results_of.{member}"]).data.tags["lth.experiment"] == member
    cards = load_cards([place.folder / "experiments"])
    with opened() as (_, instance):
        assert instance.get_dynamic_partitions("comparisons") == [name]
        lineup = lineup_of(cards, name.split("+"))
        shop = Workshop(Store(place.store), find_home().data)
        assert any_comparison.state(cards, lineup, shop, instance) == ("fresh", "")
        (made,) = instance.fetch_materializations(AssetKey("comparison"), limit=9).records
        shown = made.asset_materialization.metadata
        assert shown["experiments"].value == 2 and shown["not run yet"].value == 1
        assert {"table", "accuracy by density", "learning curves", "report", "CSV", "MLflow run"} <= shown.keys()
        assert instance.get_run_by_id(made.run_id).tags["lth/comparison"] == name
    before = (folder / "report.html").stat().st_mtime_ns
    again = place.here("compare", *pair, "small").stdout
    assert (folder / "report.html").stat().st_mtime_ns == before and "Not run yet: small." in again  # nothing new
    assert "nothing to remove" in place.here("gc", "--dry-run", "--everything").stdout.lower()


def what_is_there_is_printed(place: Place) -> None:
    written = (place.folder / "reports" / "six" / "comparison.csv").read_text()
    assert printed("results", "six", "--format", "csv") == written
    assert len(json.loads(printed("results", "six", "--format", "json"))) == 12
    assert "0.002          start   ticket" in printed("results", "six")
    said = printed("status", "six")
    assert [line.split()[0] for line in said.splitlines()[1:8]] == [*MEMBERS, "six"]
    assert "comparison" in said and "lth status --stale" not in said


def printed(*arguments: str) -> str:
    """What `lth` prints, in this process: its imports are here already."""
    return CliRunner(env={"COLUMNS": "160"}).invoke(lth, arguments, catch_exceptions=False).output


def mlflow_has_a_run_of_the_comparison(place: Place) -> None:
    found = client(place)
    experiment = found.get_experiment_by_name("six")
    assert experiment.tags["mlflow.note.content"] == "six lotteries"
    (run,) = found.search_runs([experiment.experiment_id])
    tags = run.data.tags
    assert (tags["lth.kind"], tags["lth.status"], run.info.run_name) == ("sweep", "current", "sweep")
    artifacts = {artifact.path for artifact in found.list_artifacts(run.info.run_id)}
    pictures = {"accuracy_by_density.png", "early_stop_by_density.png", "learning_curves.png"}  # no control, no gap
    assert artifacts == {*pictures, "report.html", "comparison.csv"}
    for member in MEMBERS:
        of_member = found.get_run(tags[f"lth.results_of.{member}"]).data.tags
        assert (of_member["lth.kind"], of_member["lth.experiment"]) == ("results", member)


def state(place: Place) -> tuple[str, str]:
    cards = load_cards([place.folder / "experiments"])
    shop = Workshop(Store(place.store), find_home().data)
    with opened() as (_, instance):
        return comparisons.state(cards, sweeps(cards)["six"], shop, instance)


def still_to_do(place: Place) -> list:
    """The tasks of another `lth run six`."""
    home, cards = find_home(), load_cards([place.folder / "experiments"])
    shop, tracker = Workshop(Store(place.store), home.data), open_tracker(home.tracking_uri, home.mlflow, "")
    with opened() as (_, instance):
        recorded = read_records(instance, 1)
        todo = {name: plan(cards, name, shop, recorded, run_ids(tracker, name), 1) for name in MEMBERS}
        return tasks(Asked(home, cards, sweeps(cards)["six"], shop, place.folder / "log"), todo, {}, recorded, instance)


def a_change_of_the_card_makes_it_stale(place: Place) -> None:
    place.card("six", CARD.replace("iterations: 60", "iterations: 90"))
    assert state(place)[0] == "stale"
    said = printed("status", "six", "--stale")
    assert "six\tsweep_results\tnot made of what its experiments have shown now" in said
    assert f"{MEMBERS[0]}|0\tr00_trained\ttraining.iterations: 60 → 90" in said


def test_list_and_show_tell_of_the_sweep(place, inside):
    place.card("six", CARD)
    listed = printed("list")
    assert "sweep of 6 experiments: six lotteries" in listed
    assert all(f"  …{member.removeprefix('six')} " in listed for member in MEMBERS)
    shown = printed("show", "six")
    assert "training.learning_rate: 0.002 | 0.01 | 0.03" in shown and "rewind: start | late" in shown
    assert "Cost in all: 12 trainings = 720 iterations" in shown
    one = printed("show", MEMBERS[3])
    assert "six lotteries · learning_rate 0.01, rewind late" in one and "sweep." not in one
    for command in ("run", "show", "status", "results"):
        assert "no experiment 'sixx'. Did you mean six?" in CliRunner().invoke(lth, [command, "sixx"]).output


@pytest.mark.servers  # half a minute
def test_what_fails_is_told_and_the_others_are_compared(tmp_path):
    place = Place(tmp_path)
    one = CARD.replace("batch_size: 32,", "batch_size: 32, learning_rate: 0.01,")
    place.card("two", one.partition("matrix:")[0] + "matrix:\n  variants: {here: {}, gone: {data: {name: mnist}}}\n")
    done = place.lth("run", "two", "--through", "0", check=False, LTH_DATA_DIR=str(tmp_path / "empty"))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "two_gone|0: " in done.stderr and str(tmp_path / "empty" / "MNIST" / "raw") in done.stderr
    assert "two_gone has no trained round" not in done.stderr  # it follows
    assert "Not run yet: two_gone." in done.stdout and "Done" not in done.stdout
    rows = list(csv.DictReader((place.folder / "reports" / "two" / "comparison.csv").open()))
    assert {row["experiment"] for row in rows} == {"two_here"}
