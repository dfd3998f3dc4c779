"""The assets of the analyses and the report, through Dagster's API: what they leave in the store, in MLflow, on disk.

One place for all, as analysing takes a while; what changes it comes last.
"""

import csv
import json

import pytest
from dagster import AssetKey

from lth_pipeline.orchestration.analyses import SHOWN, WORDS
from lth_pipeline.orchestration.jobs import OF_EXPERIMENTS, OF_REPLICATES
from lth_pipeline.orchestration.partitions import partition_key
from lth_pipeline.recipes.analyses.catalog import ANALYSES
from lth_pipeline.tracking.runs import search
from lth_pipeline.tracking.tracker import open_tracker
from lth_pipeline_tests.orchestration.running import RECOMPUTE, materialisations, materialise, opened, versions
from lth_pipeline_tests.places import SMALL_CARD, Place

CARD = SMALL_CARD + (
    "analysis: {examples: 20, landscape_points: 5, line_points: 3, rewind_points: [0, 0.4], severities: [3], "
    "radii: [0.1], noisy_labels: [0.3], rounds: [0, 2], resamples: 200}\n"
)
OF_A_REPLICATE = {name for name, analysis in ANALYSES.items() if analysis.scope == "replicate"}
OF_ALL = set(ANALYSES) - OF_A_REPLICATE


def analyse(definitions, instance, job, partition, assets=None, run_config=None):
    return definitions.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition,
        asset_selection=[AssetKey(name) for name in assets] if assets else None,
        run_config=run_config,
        raise_on_error=False,
    )


@pytest.fixture(scope="module")
def analysed(tmp_path_factory, furnished):
    """A place where everything has been trained and analysed once: (place, results of the runs by partition)."""
    place = furnished(tmp_path_factory.mktemp("analysed"))
    place.card("small", CARD)
    with pytest.MonkeyPatch.context() as patch:
        point_to(place, patch)
        with opened() as (definitions, instance):
            for replicate in (0, 1):
                assert materialise(definitions, instance, "small", replicate).success
            found = {0: analyse(definitions, instance, OF_REPLICATES, partition_key("small", 0))}
            found["all"] = analyse(definitions, instance, OF_EXPERIMENTS, "small")
    return place, found


def point_to(place: Place, patch) -> None:
    for name in ("DAGSTER_HOME", "MLFLOW_TRACKING_URI", "LTH_STORE_DIR", "LTH_EXPERIMENTS_DIR", "LTH_DEVICE"):
        patch.delenv(name, raising=False)
    patch.setenv("LTH_HOME", str(place.folder))
    patch.setattr("lth_pipeline.lottery.small.measure.SECONDS", 0.0)  # how long anything took is not looked at


@pytest.fixture
def again(analysed, monkeypatch) -> Place:
    """The same place, and this process in it."""
    point_to(analysed[0], monkeypatch)
    return analysed[0]


def test_every_analysis_is_made_with_its_files_its_checks_and_its_run(analysed):
    place, found = analysed
    assert all(result.success for result in found.values())
    assert set(materialisations(found["all"])) == {*OF_ALL, "results", "report"}
    assert set(materialisations(found[0])) == OF_A_REPLICATE
    for name, analysis in ANALYSES.items():
        folder = place.folder / "reports" / "small" / name
        folder = folder / "replicate_0" if analysis.scope == "replicate" else folder
        tables = {path: list(csv.reader(path.open())) for path in folder.glob("*.csv")}
        assert tables and all(len(rows) > 1 for rows in tables.values()), name
        pictures = list(folder.glob("*.png"))
        assert pictures and all(path.read_bytes().startswith(b"\x89PNG") for path in pictures), name
        result = found[0 if analysis.scope == "replicate" else "all"]
        metadata = materialisations(result)[name].metadata
        shown = [value.value for value in metadata.values() if "data:image/png;base64," in str(value.value)]
        assert len(shown) == min(len(pictures), SHOWN), name
        assert (folder / WORDS).read_text().strip(), name
        evaluated = {
            each.check_name: each for each in result.get_asset_check_evaluations() if each.asset_key.path == [name]
        }
        assert set(evaluated) == set(analysis.checks)
        assert all(each.description for each in evaluated.values())


def test_mlflow_has_a_run_of_each_with_tables_and_pictures(analysed):
    place, _ = analysed
    tracker = open_tracker(f"sqlite:///{place.folder}/mlflow/mlflow.db", place.folder / "mlflow", "")
    for name, analysis in ANALYSES.items():
        runs = search(tracker, "small", {"lth.kind": name, "lth.status": "current"})
        replicates = {run.data.tags.get("lth.replicate") for run in runs}
        assert replicates == ({"0"} if analysis.scope == "replicate" else {None}), name
        kinds = {file.path.rpartition(".")[2] for file in tracker.client.list_artifacts(runs[0].info.run_id)}
        assert kinds == {"csv", "png", "txt"}, name
    (report,) = search(tracker, "small", {"lth.kind": "report", "lth.status": "current"})
    assert [file.path for file in tracker.client.list_artifacts(report.info.run_id)] == ["report.html"]


def test_what_was_analysed_is_looked_up_and_from_scratch_comes_out_the_same(analysed, again):
    before = versions(analysed[1][0])
    with opened() as (definitions, instance):
        key = partition_key("small", 0)
        looked_up = analyse(definitions, instance, OF_REPLICATES, key)
        anew = analyse(definitions, instance, OF_REPLICATES, key, run_config=RECOMPUTE)
    for made in materialisations(looked_up).values():
        assert made.metadata["computed"].value.startswith("0 of ")
    for name, made in materialisations(anew).items():
        total = made.metadata["computed"].value.split()[2]
        assert made.metadata["computed"].value.startswith(f"{total} of {total} "), name
    assert versions(looked_up) == before
    made_anew = versions(anew)
    assert {name for name in before if made_anew[name] != before[name]} <= {"small_network"}  # it measures times


def test_status_counts_analyses_with_what_they_are_of(again):
    lines = again.here("status", "small").stdout.splitlines()
    rows = {line.split()[1]: line.split() for line in lines if line.startswith("small")}
    assert int(rows["0"][3]) == 3 + 2 * 4 + len(OF_A_REPLICATE) and int(rows["1"][3]) == 3 + 2 * 4
    assert int(rows["results"][3]) == 2 + len(OF_ALL)


def test_a_changed_setting_of_analyses_makes_no_training_stale(again):
    again.card("small", CARD.replace("radii: [0.1]", "radii: [0.2]"))
    stale = [line.split("\t")[:2] for line in again.here("status", "small", "--stale").stdout.splitlines()]
    assert sorted(stale) == [["small", "report"], ["small|0", "robustness"]]


def test_what_is_lost_from_the_store_is_found_missing_and_made_again(again):
    again.card("small", CARD)
    with opened() as (definitions, instance):  # the settings as they were
        assert analyse(definitions, instance, OF_EXPERIMENTS, "small", ["report"]).success
    assert again.here("status", "small", "--stale").stdout == "Nothing is stale.\n"
    for path in (again.store / "recipes").rglob("*.json"):
        record = json.loads(path.read_text())["record"]
        if record["recipe"]["kind"] == "connectivity":
            (again.store / "objects" / record["version"][:2] / f"{record['version']}.safetensors").unlink()
            break
    lost = [line.split("\t") for line in again.here("status", "small", "--stale").stdout.splitlines()]
    assert ["small|0", "connectivity", "what it found is gone from the store"] in lost
    with opened() as (definitions, instance):
        anew = analyse(definitions, instance, OF_REPLICATES, partition_key("small", 0), ["connectivity"])
    assert materialisations(anew)["connectivity"].metadata["computed"].value.startswith("1 of ")


def test_analyses_stay_as_long_as_what_they_are_of(again):
    assert "loss_landscape" in kinds_in(again)
    again.here("gc", "--yes")
    assert "loss_landscape" in kinds_in(again) and "verdict" in kinds_in(again)
    (again.folder / "experiments" / "small.yaml").unlink()
    again.here("gc", "--yes", "--everything")
    assert not kinds_in(again)


def kinds_in(place: Place) -> set[str]:
    """The kinds of the recipes in its store."""
    from lth_pipeline.recipes import Store
    from lth_pipeline.recipes.inventory import take_inventory

    return {record["recipe"]["kind"] for record in take_inventory(Store(place.store)).records.values()}


def test_without_anything_trained_it_says_what_to_do(inside):
    with opened() as (definitions, instance):
        result = analyse(definitions, instance, OF_EXPERIMENTS, "small", ["verdict"])
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "lth run small" in failure.step_failure_data.error.message
