"""All arms, drawn twice, through Dagster's API, with the dense training followed for its early-bird mask."""

import json

import pytest

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline_tests.orchestration.running import RECOMPUTE, gather, materialisations, materialise, opened, versions
from lth_pipeline_tests.places import Place

CONTROLS = ("reinit", "reinit_same_sign", "random_mask", "shuffled_mask", "dense_small", "ticket_distilled")
DRAWN = CONTROLS[:4]
CARD = """\
description: every arm
data: {name: digits, validation_size: 200}
model: {name: mlp, widths: [24, 12]}
training: {optimiser: adam, learning_rate: 2e-3, batch_size: 32, iterations: 120, evaluate_every: 20}
pruning: {scope: layerwise, rates: {fc: 0.4}, output_factor: 0.5, rounds: 2}
arms: [ticket, reinit, reinit_same_sign, random_mask, shuffled_mask, dense_small, ticket_distilled]
draws: 2
replicates: 1
find_early: true
early_bird: {distance: 0.5, checks: 2, every: 20}
"""


@pytest.fixture(scope="module")
def lottery(tmp_path_factory):
    """(definitions, instance, result, folder) of the card `every`, run once for this file."""
    patch = pytest.MonkeyPatch()
    made = Place(tmp_path_factory.mktemp("arms"))
    made.card("every", CARD)
    patch.setenv("LTH_HOME", str(made.folder))
    with opened() as (definitions, instance):
        result = materialise(definitions, instance, "every", 0)
        assert result.success
        assert gather(definitions, instance, "every").success
        yield definitions, instance, result, made.folder
    patch.undo()


@pytest.fixture
def runs(lottery):
    """Every current run of a round in MLflow."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{lottery[3]}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("every").experiment_id
    where = "tags.`lth.kind` = 'round' and tags.`lth.status` = 'current'"
    return client.search_runs([experiment], where, max_results=99)


def test_every_invariant_holds_for_every_arm(lottery):
    checks = {(e.asset_key.to_user_string(), e.check_name): e.passed for e in lottery[2].get_asset_check_evaluations()}
    assert all(checks.values())
    assert {("r02_control", "densities_are_the_tickets"), ("r02_control", "starts_from_other_weights")} <= checks.keys()


def test_each_draw_is_a_run_of_its_own(runs):
    found = sorted((int(r.data.tags["lth.round"]), r.data.tags["lth.arm"], int(r.data.tags["lth.draw"])) for r in runs)
    arms = [("ticket", 0), *((arm, draw) for arm in CONTROLS for draw in range(2 if arm in DRAWN else 1))]
    assert found == sorted([(0, "dense", 0), *((r, arm, draw) for r in (1, 2) for arm, draw in arms)])
    assert len({r.data.tags["lth.data_version"] for r in runs}) == len(runs)
    assert "round 02 · reinit 2 · replicate 0" in {r.info.run_name for r in runs}


def test_each_draw_has_a_series_of_its_own(lottery):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{lottery[3]}/mlflow/mlflow.db")
    experiment = client.get_experiment_by_name("every").experiment_id
    series = client.search_runs([experiment], "tags.`lth.kind` = 'series'", max_results=99)
    names = sorted(run.info.run_name for run in series)
    titles = [ARMS[arm].title for arm in ("ticket", *CONTROLS)] + [f"{ARMS[arm].title} 2" for arm in DRAWN]
    assert names == sorted(f"{title} · replicate 0" for title in titles)
    for run in series:
        points = client.get_metric_history(run.info.run_id, "by_round/test_accuracy_at_end")
        assert [point.step for point in points] == [0, 1, 2]


def test_the_results_have_a_row_for_each_draw_and_a_mean_over_them(lottery):
    from lth_pipeline.reports.table import by_round, read_results

    frame = read_results(lottery[3] / "reports" / "every" / "results.csv")
    assert len(frame) == 1 + 2 * (1 + 2 * 4 + 2)
    last = frame[(frame["round"] == 2) & (frame["arm"] == "reinit")]
    assert list(last["draw"]) == [0, 1] and last["test_accuracy_at_end"].nunique() == 2
    line = by_round(frame).set_index(["round", "arm"]).loc[2, "reinit"]
    assert line["n"] == 1 and line["test_accuracy_at_end"] == pytest.approx(last["test_accuracy_at_end"].mean())
    small = frame[(frame["round"] == 2) & (frame["arm"] == "dense_small")].iloc[0]
    ticket = frame[(frame["round"] == 2) & (frame["arm"] == "ticket")].iloc[0]
    assert abs(small["weights"] - ticket["weights"]) / ticket["weights"] < 0.2


def test_the_report_names_every_arm(lottery):
    text = (lottery[3] / "reports" / "every" / "report.html").read_text()
    assert all(ARMS[arm].title in text for arm in ("ticket", *CONTROLS))
    assert "mean of 2 draws in each replicate" in text


def test_a_dense_training_that_was_followed_shows_where_its_mask_settled(lottery, runs):
    shown = materialisations(lottery[2])["r00_trained"].metadata
    settled = int(shown["mask settled"].value.split()[1].rstrip(":"))
    assert 0 < settled < 120 and f"{120 - settled} iterations" in shown["mask settled"].value
    assert shown["mask distance"].value.startswith("![mask distance](data:image/png;base64,iVBOR")
    (dense,) = (run for run in runs if run.data.tags["lth.arm"] == "dense")
    told = dense.data.metrics
    assert (told["early_bird_iteration"], told["early_bird_saves"]) == (settled, 120 - settled)
    assert [r.data.metrics.get("early_bird_iteration") for r in runs if r is not dense] == [None] * (len(runs) - 1)


def test_a_recompute_gives_the_same_bits_for_every_arm(lottery):
    definitions, instance, result, _ = lottery
    again = materialise(definitions, instance, "every", 0, ["r02_control"], RECOMPUTE)
    assert again.success
    assert versions(again)["r02_control"] == versions(result)["r02_control"]
    assert "again, with the same bits" in materialisations(again)["r02_control"].metadata["came from"].value


def test_the_masks_say_what_they_were_made_from(lottery):
    shown = materialisations(lottery[2])
    assert shown["r02_mask"].metadata["made from"].value == "round 1 mask; round 1 ticket trained"
    assert "round 0 dense trained" in shown["r02_control"].metadata["made from"].value  # the teacher
    assert json.dumps(shown["r01_ticket"].metadata["made from"].value) == '"round 0 initial weights; round 1 mask"'
