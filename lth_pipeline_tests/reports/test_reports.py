"""Tables and figures, from a table whose means can be worked out by hand."""

import math
from types import SimpleNamespace

import pandas as pd
import pytest

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.recipes import load_cards
from lth_pipeline.reports import bundle
from lth_pipeline.reports.comparison_text import percent
from lth_pipeline.reports.drawing import QUICK
from lth_pipeline.reports.figures import accuracy_by_density, early_stop_by_density
from lth_pipeline.reports.learning_curve import curve_csv, learning_curve
from lth_pipeline.reports.sentence import sentence
from lth_pipeline.reports.table import COLUMNS, by_round, differences, notes, read_results, results_table


def rows(replicates: int = 2, rounds: int = 2) -> list[dict]:
    """Replicate p, round r: the ticket has 0.90 + 0.01 p, the control 0.02 (1 + p) less; density 1/2^r."""
    made = []
    for replicate in range(replicates):
        for round in range(rounds + 1):
            for arm in ("dense",) if round == 0 else ("reinit", "ticket"):  # not in the order of tables
                accuracy = 0.90 + 0.01 * replicate - (0.02 * (1 + replicate) if arm == "reinit" else 0)
                made.append(
                    {
                        "experiment": "mine",
                        "replicate": replicate,
                        "round": round,
                        "arm": arm,
                        "density": 0.5**round,
                        "weights": 1024 >> round,
                        "early_stop_iteration": 100 * (1 + replicate),
                        "test_accuracy_at_early_stop": accuracy,
                        "test_accuracy_at_end": accuracy,
                        "train_accuracy_at_end": 1.0,
                        "validation_loss_min": 0.1,
                        "seconds": 1.0,
                        "protocol": "full",
                        "diverged_at": None,
                        "draw": 0,
                        "data_version": "0",
                    }
                )
    return made


@pytest.fixture
def frame() -> pd.DataFrame:
    return results_table(rows(), {(0, 0, "dense", "0"): "a" * 32, (0, 1, "ticket", "other bits"): "b" * 32})


def test_the_table_has_the_contracts_columns_types_and_order(frame):
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame[frame["replicate"] == 0]["arm"]) == ["dense", "ticket", "reinit", "ticket", "reinit"]
    assert frame["weights"].dtype == "int64" and frame["density"].dtype == "float64"
    assert list(frame["mlflow_run_id"][:2]) == ["a" * 32, ""]
    assert list(results_table([], {}).columns) == list(COLUMNS)


def test_means_and_spreads_are_over_replicates(frame):
    line = by_round(frame).query("round == 1 and arm == 'reinit'").iloc[0]
    assert line["n"] == 2
    assert line["test_accuracy_at_end"] == pytest.approx((0.88 + 0.87) / 2)
    assert line["test_accuracy_at_end_sd"] == pytest.approx(0.01 / math.sqrt(2))
    alone = by_round(results_table(rows(replicates=1), {}))
    assert alone["test_accuracy_at_end_sd"].isna().all()


def test_differences_are_taken_replicate_by_replicate(frame):
    paired = differences(frame, "reinit")
    assert list(paired["round"]) == [1, 2]
    assert list(paired["mean"]) == pytest.approx([0.03, 0.03])
    assert list(paired["sd"]) == pytest.approx([0.02 / math.sqrt(2)] * 2)
    assert differences(frame[frame["arm"] != "reinit"], "reinit").empty
    lame = frame[~((frame["arm"] == "reinit") & (frame["replicate"] == 1))]  # without a partner, no difference
    assert list(differences(lame, "reinit")["n"]) == [1, 1]


def test_the_sentence_says_how_much_of_what_and_n(frame):
    said = sentence(frame, "reinit")
    assert "At 25.0 % of the weights" in said and "+3.00 ± 1.41 percentage points" in said and "n = 2" in said
    assert "No round has both" in sentence(frame[frame["arm"] == "dense"], "reinit")


@pytest.mark.parametrize("draw", [accuracy_by_density, early_stop_by_density])
def test_the_figures_have_density_on_a_log_axis_falling_to_the_right(frame, draw):
    (axes,) = draw(frame, "a title").axes
    left, right = axes.get_xlim()
    assert axes.get_xscale() == "log" and left > 100 and 20 < right < 25 and left > right
    assert [label.get_text() for label in axes.get_xticklabels()] == ["100", "50.0", "25.0"]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [ARMS[arm].title for arm in ("dense", "ticket", "reinit")]
    assert axes.get_legend().get_title().get_text() == "mean of n = 2; band: least to greatest"


def test_the_lines_are_means_and_the_bands_reach_from_least_to_greatest(frame):
    (axes,) = accuracy_by_density(frame, "").axes
    ticket, reinit = (line for line in axes.lines if len(line.get_xdata()) == 3)
    assert list(ticket.get_ydata()) == pytest.approx([90.5, 90.5, 90.5])
    assert list(reinit.get_ydata()) == pytest.approx([90.5, 87.5, 87.5])  # both set out from the dense network
    band = axes.collections[1].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((87.0, 91.0))


def test_the_bundle_holds_table_and_figures(frame):
    card = load_cards([])["digits"]
    files = bundle.results_files(card, "a set of images", frame)
    assert files.keys() == {"results.csv", "accuracy_by_density.png", "early_stop_by_density.png"}
    assert all(content[:4] == b"\x89PNG" for name, content in files.items() if name.endswith("png"))
    again = bundle.results_files(card, "a set of images", frame)
    assert files == again  # the same table, the same bytes


def test_a_learning_curve_marks_its_early_stop():
    nan = float("nan")
    curve = [
        {"iteration": i, "train_loss": nan if i == 0 else 0.5, "validation_loss": 1 / (1 + i), "test_accuracy": 0.9}
        for i in (0, 10, 20)
    ]
    losses, accuracies = learning_curve([("ticket", curve, 20), ("ticket", curve, 20)], "").axes
    assert [list(line.get_xdata()) for line in losses.lines] == [[0, 10, 20], [20, 20]] * 2
    assert len(accuracies.get_legend().texts) == 1  # two draws of an arm have one name
    assert list(accuracies.lines[0].get_ydata()) == [90.0] * 3
    assert curve_csv(curve).splitlines()[:2] == ["iteration,train_loss,validation_loss,test_accuracy", "0,,1.0,0.9"]


def test_many_curves_have_their_legend_beside_them_and_end_inside():
    def ending(accuracy: float) -> list[dict]:
        return [{"iteration": i, "validation_loss": 0.3, "test_accuracy": accuracy * i / 20} for i in (0, 10, 20)]

    arms = ("reinit", "random_mask", "random_mask", "shuffled_mask", "dense_small")
    drawn = learning_curve([(arm, ending(0.98 - 0.1 * k), 20) for k, arm in enumerate(arms)], "t")
    drawn.canvas.draw()
    _, accuracies = drawn.axes
    low, high = accuracies.get_ylim()
    assert all(low < line.get_ydata()[-1] < high for line in accuracies.lines)
    legend = accuracies.get_legend().get_window_extent()
    assert legend.x0 > accuracies.get_tightbbox(bbox_extra_artists=[]).x1 and legend.x1 < drawn.bbox.x1
    assert [text.get_text() for text in accuracies.get_legend().texts] == [
        ARMS[arm].title for arm in dict.fromkeys(arms)
    ]
    first, second = accuracies.lines[1:3]
    assert first.get_color() == second.get_color() and first.get_linewidth() > second.get_linewidth()


def test_of_many_arms_the_legend_stands_beside_the_figure(frame):
    more = [frame[frame["arm"] == "reinit"].assign(arm=arm) for arm in ("random_mask", "dense_small")]
    drawn = accuracy_by_density(pd.concat([frame, *more], ignore_index=True), "t")
    drawn.canvas.draw()
    (axes,) = drawn.axes
    legend = axes.get_legend().get_window_extent()
    assert legend.x0 > axes.bbox.x1 and legend.x1 < drawn.bbox.x1


def test_the_picture_of_one_dense_training_says_nothing_of_draws(frame, monkeypatch):
    said = []
    monkeypatch.setattr(
        bundle, "mask_distances", lambda *given: said.append(given[-1]) or accuracy_by_density(frame, "")
    )
    followed = [SimpleNamespace(replicate=0, iterations=[1], distances=[[0.0]], settled=None)]
    drawn = pd.concat([frame, frame[frame["arm"] == "reinit"].assign(draw=1)], ignore_index=True)
    for table in (drawn, drawn.assign(protocol="quick")):
        bundle.results_files(load_cards([])["digits"], "a set", table, followed)
    assert said == [[], [QUICK]]


def test_a_difference_of_nothing_is_not_below_zero(frame):
    tiny = frame.copy()
    tiny.loc[tiny["arm"] != "dense", "test_accuracy_at_end"] = 0.9
    tiny.loc[tiny["arm"] == "reinit", "test_accuracy_at_end"] += 1e-9
    assert "ends +0.00 ± 0.00 percentage" in sentence(tiny, "reinit")
    assert percent(-1e-9, float("nan"), "+") == "+0.00" and percent(-1e-9, float("nan")) == "0.00"


def test_a_quick_run_says_so_in_every_figure_and_table(frame):
    card = load_cards([])["digits"]
    quick = frame.assign(protocol="quick")
    said = "quick run, not the paper"
    for drawn, expected in ((frame, False), (quick, True)):
        files = bundle.results_files(card, "a set of images", drawn)
        assert (said in bundle.markdown_table(drawn)) == expected
        assert ("quick" in files["results.csv"].decode()) == expected
        texts = [text.get_text() for text in accuracy_by_density(drawn, "t").texts]
        assert any(said in text for text in texts) == expected
    plain = bundle.results_files(card, "a set of images", frame)
    assert files["accuracy_by_density.png"] != plain["accuracy_by_density.png"]
    assert files["early_stop_by_density.png"] != plain["early_stop_by_density.png"]
    curve = [{"iteration": 0, "validation_loss": 1.0, "test_accuracy": 0.5}]
    marked = learning_curve([("dense", curve, 0)], "t", ["quick run, not the paper's protocol"])
    assert [text.get_text() for text in marked.texts] == ["quick run, not the paper's protocol"]


def test_what_diverged_is_named_and_left_out_of_means_and_differences(frame):
    assert differences(frame, "reinit").query("round == 2")["n"].tolist() == [2]
    frame.loc[(frame["replicate"] == 1) & (frame["round"] == 2) & (frame["arm"] == "ticket"), "diverged_at"] = 30
    line = by_round(frame).query("round == 2 and arm == 'ticket'").iloc[0]
    assert line["n"] == 1 and line["test_accuracy_at_end"] == pytest.approx(0.90)
    assert differences(frame, "reinit").query("round == 2")["n"].tolist() == [1]
    assert notes(frame) == ["diverged, left out of means: ticket of round 2 in replicate 1"]
    assert "1 diverged" in notes(frame, short=True)[0]


def test_a_table_of_nothing_but_diverged_trainings_is_drawn_and_written(frame):
    lost = frame.assign(diverged_at=30).astype(COLUMNS)
    files = bundle.results_files(load_cards([])["digits"], "a set", lost)
    assert all(files.values())
    assert [text.get_text() for text in accuracy_by_density(lost, "").axes[0].texts] == ["every training diverged"]


def test_the_table_reads_back_as_it_was_written(frame, tmp_path):
    frame.loc[0, "diverged_at"], frame.loc[1, "validation_loss_min"] = 30, math.nan
    (tmp_path / "results.csv").write_text(frame.to_csv(index=False))
    pd.testing.assert_frame_equal(read_results(tmp_path / "results.csv"), frame)
