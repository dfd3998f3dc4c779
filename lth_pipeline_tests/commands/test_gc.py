"""`lth gc` after a change of card: what goes, and what stays."""

import json

from click.testing import CliRunner

from lth_pipeline.cli import lth
from lth_pipeline_tests.orchestration.running import gather, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD

SMALL = SMALL_CARD.replace("arms: [ticket, reinit]\nreplicates: 2", "arms: [ticket]\nreplicates: 1").replace(
    "rounds: 2", "rounds: 1"
)
TAKER = """\
based_on: small
data: {name: mnist1d, validation_size: 500, train_size: 1000, test_size: 500}
training: {iterations: 90}
ticket_from: {experiment: small, round: 1}
pruning: {rounds: 1}
"""


def call(*arguments: str, answer: str = "", code: int = 0) -> str:
    """What a command says, in this process."""
    done = CliRunner().invoke(lth, [*arguments], input=answer)
    if code != 2:  # our own errors, which main() makes a message of
        assert done.exit_code == code, (done.output, done.exception)
        return done.output
    assert done.exception and done.exit_code, done.output
    return str(done.exception)


def files(place) -> dict[str, int]:
    folders = (place.store, place.folder / "mlflow" / "artifacts")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path): path.stat().st_size for path in paths if path.name != ".lock"}


def trainings(place) -> set[str]:
    """What is in the store, with its iterations."""
    found = set()
    for path in (place.store / "recipes").rglob("*.json"):
        record = json.loads(path.read_text())["record"]
        if record["recipe"]["kind"] == "trained":
            about = record["made_by"]
            found.add(f"{about['experiment']}: {about['step']}, {record['facts']['iterations']}")
    return found


def runs(place) -> dict[str, dict[str, str]]:
    """Tags of every run in MLflow, by its id."""
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client = MlflowClient(tracking_uri=f"sqlite:///{place.folder}/mlflow/mlflow.db")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    return {run.info.run_id: run.data.tags for run in client.search_runs(ids, run_view_type=ViewType.ALL)}


def to_do(name: str) -> dict:
    """What `lth run` would plan."""
    from lth_pipeline.commands.common import places, workshop
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.plan import plan
    from lth_pipeline.orchestration.status import read_records
    from lth_pipeline.tracking.runs import run_ids
    from lth_pipeline.tracking.tracker import open_tracker

    home, cards = places()
    tracker, deepest = open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui), deepest_round(cards)
    with opened() as (_, instance):
        recorded = read_records(instance, deepest)
    return plan(cards, name, workshop(home), recorded, run_ids(tracker, name), deepest)


def run(name: str) -> None:
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, name, 0).success


def test_after_a_change_what_was_replaced_goes_and_what_others_use_stays(inside):
    inside.card("small", SMALL)
    inside.card("taker", TAKER)
    for name in ("small", "taker"):
        run(name)
    inside.card("small", SMALL.replace("iterations: 90", "iterations: 120"))
    assert "Nothing to remove" in call("gc", "--yes"), "what Dagster and MLflow hold as current went"
    run("small")
    with opened() as (definitions, instance):
        assert gather(definitions, instance, "small").success
    before, whole, stale = files(inside), trainings(inside), call("status", "--stale")
    told = call("gc", "--yes")
    assert "MLflow runs" in told and "small" in told and "taker" not in told
    left, tags = files(inside), runs(inside)
    # the taker's mask was made from round 0, and its runs name that of round 0
    assert whole - trainings(inside) == {"small: round 1 ticket trained, 90"}
    assert "Freed" in told and left.keys() < before.keys() and left.items() <= before.items()
    old = [(tag["lth.kind"], tag.get("lth.round")) for tag in tags.values() if tag["lth.status"] == "superseded"]
    assert old == [("round", "0")]
    named = {tag[key] for tag in tags.values() for key in POINTERS if key in tag}
    assert named and named <= tags.keys()
    assert {path.parent.name for path in (inside.folder / "mlflow" / "artifacts").glob("*/*/artifacts")} <= tags.keys()

    assert call("status", "--stale") == stale
    assert to_do("small") == {}
    takes_so_much_disk(inside)


def takes_so_much_disk(place) -> None:
    """What `lth status` says of it: artifacts that two share count for each, and once in the whole."""
    from lth_pipeline.commands.disk import in_words
    from lth_pipeline.orchestration.disk import below

    told = call("status").splitlines()
    (whole,) = (line for line in told if line.startswith("Disk: "))
    for name, folder in {"store": place.store, "MLflow": "mlflow", "reports": "reports"}.items():
        assert f"{name} {in_words(below(place.folder / folder))}" in whole
    rows = {tuple(line.split()[:2]): " ".join(line.split()[-2:]) for line in told}
    reported = below(place.folder / "reports" / "small") + below(place.folder / "mlflow" / "artifacts" / "small")
    assert rows["small", "results"] == in_words(reported)
    assert rows["small", "0"] == in_words(sum(path.stat().st_size for path in artifacts_of(place, "small")))
    assert rows["taker", "0"] != "0 B"


def artifacts_of(place, name: str) -> set:
    """The files that replicate 0 of an experiment consists of, as Dagster recorded their versions."""
    from lth_pipeline.orchestration.keep import of_dagster, read_dagster

    with opened() as (_, instance):
        _, versions = of_dagster(read_dagster(instance).recorded, [name])
    return {path for path in (place.store / "objects").rglob("*.safetensors") if path.stem in versions}


POINTERS = (
    "lth.mask_from_run",
    "lth.reused_from_run",
    "lth.ticket_from_run",
    "lth.superseded_by",
    "mlflow.parentRunId",
)
