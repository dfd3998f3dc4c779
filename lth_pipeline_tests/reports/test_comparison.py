"""Comparisons: table, summary, charts and page, from made-up results."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from lth_pipeline.experiments.sweeps import sweeps
from lth_pipeline.reports.charts.chart import Heat
from lth_pipeline.reports.charts.picture import png
from lth_pipeline.reports.comparison import gaps, read_comparison, summary
from lth_pipeline.reports.comparison_charts import MOST_LINES, comparison_charts
from lth_pipeline.reports.comparison_curves import rounds_of_curves
from lth_pipeline.reports.comparison_look import shown_arms
from lth_pipeline.reports.comparison_page import comparison_page
from lth_pipeline.reports.comparison_text import apart, headline, markdown_summary, sentences, sparsest
from lth_pipeline.reports.page import Link
from lth_pipeline.reports.table import COLUMNS, by_round, differences
from lth_pipeline_tests.reports.made_up import beside, curves, made_up, sweep_cards

PAIR = ("digits", "lenet_mnist_quick")


def charts(compared, curves=None):
    return {chart.name: chart for chart in comparison_charts(compared, curves)}


def test_the_table_has_every_row_of_every_experiment_and_what_is_varied():
    compared = made_up()
    frame = compared.frame
    assert list(frame.columns) == ["sweep", "training.learning_rate", "rewind", *COLUMNS]
    assert len(frame) == 6 * 3 * (1 + 8 * 2)
    assert list(frame["experiment"].unique()) == list(compared.lineup.members)
    one = frame[(frame["training.learning_rate"] == "0.03") & (frame["rewind"] == "late")]
    assert set(one["experiment"]) == {"mine_learning_rate_0p03_late"} and set(one["sweep"]) == {"mine"}


def test_the_summary_is_that_of_each_experiment():
    compared = made_up()
    lines = summary(compared)
    assert list(lines.columns) == ["experiment", "round", "density", "arm", "n", "mean", "sd"]
    assert len(lines) == 6 * (1 + 8 * 2)
    member = compared.members[3]
    own = by_round(compared.of(member))
    found = lines[lines["experiment"] == member]
    assert list(found["mean"]) == list(own["test_accuracy_at_early_stop"])
    assert list(found["sd"]) == list(own["test_accuracy_at_early_stop_sd"])
    gap = gaps(compared).set_index("experiment").loc[member]
    last = differences(compared.of(member), "reinit", "test_accuracy_at_early_stop").iloc[-1]
    assert (gap["round"], gap["mean"], gap["n"]) == (8, last["mean"], 3)


def test_what_is_the_same_for_all_is_said_once():
    compared = made_up()
    assert compared.subtitle == "handwritten digits · 4,000 iterations · n = 3 · seed 0"
    assert compared.differing == [] and compared.notes == []
    compared.facts[compared.members[0]]["iterations"] = "8,000"
    assert compared.subtitle == "handwritten digits · n = 3 · seed 0" and compared.differing == ["iterations"]
    shown = apart(compared)
    assert shown.columns == ("experiment", "training.learning_rate", "rewind", "iterations")
    assert shown.rows[0] == (compared.members[0], "0.1", "start", "8,000")


def test_experiments_that_somebody_named_are_told_apart_by_their_settings():
    compared = beside(*PAIR)
    assert compared.lineup.name == "digits+lenet_mnist_quick" and compared.labels == {name: name for name in PAIR}
    shown = apart(compared)
    assert shown.columns == ("setting", *PAIR)
    settings = {row[0]: row[1:] for row in shown.rows}
    assert settings["data.name"] == ("digits", "mnist") and settings["quick"] == ("false", "true")
    assert not {"name", "description", "based_on", "model.name"} & settings.keys()
    only_there = beside("digits", "lenet_mnist_quick", "lenet_mnist")
    gone = only_there.frame["experiment"] == "lenet_mnist"
    facts = {name: only_there.facts[name] for name in PAIR}
    left = replace(only_there, frame=only_there.frame[~gone], facts=facts, missing=("lenet_mnist",))
    assert {row[0] for row in apart(left).rows} == settings.keys()
    lead = list(compared.frame.columns)[: 1 + len(compared.lineup.varied)]
    assert lead[0] == "comparison" and set(lead[1:]) <= settings.keys()
    assert list(compared.of("digits").columns) == list(COLUMNS)


def test_a_colour_for_each_experiment_and_a_style_for_each_arm():
    compared = made_up()
    panel = charts(compared)["accuracy_by_density"].panels[0]
    tickets = [line for line in panel.lines if line.style == "solid" and not line.faint]
    assert [line.name for line in tickets][:2] == ["learning_rate 0.1, rewind start", "learning_rate 0.1, rewind late"]
    assert [line.colour for line in tickets] == list(range(6)) and all(line.legend for line in tickets)
    controls = [line for line in panel.lines if line.style == "dashed"]
    assert [line.colour for line in controls] == list(range(6)) and not any(line.legend for line in controls)
    means = by_round(compared.of(compared.members[0]))
    expected = 100 * means[means["arm"].isin(["dense", "ticket"])]["test_accuracy_at_early_stop"]
    assert list(tickets[0].y) == pytest.approx(list(expected))
    own = compared.of(compared.members[0])
    last = 100 * own[(own["round"] == 8) & (own["arm"] == "ticket")]["test_accuracy_at_early_stop"]
    assert (tickets[0].low[-1], tickets[0].high[-1]) == pytest.approx((last.min(), last.max()))
    dense = [line for line in panel.lines if line.faint]
    assert [line.colour for line in dense] == list(range(6)) and all(line.y[0] == line.y[1] for line in dense)


def test_every_measure_has_its_panel():
    found = charts(beside(*PAIR), curves(beside(*PAIR)))
    assert list(found) == ["accuracy_by_density", "early_stop_by_density", "gap_by_density", "learning_curves"]
    said = [panel.title for name in list(found)[:2] for panel in found[name].panels]
    assert [title.lower() for title in said] == [
        "test accuracy at early stop",
        "test accuracy at the end",
        "early-stop iteration",
    ]
    assert "Training accuracy is not drawn" in found["early_stop_by_density"].about[-1]  # it is the same for all
    named = [line.name for line in found["accuracy_by_density"].panels[0].lines if line.legend]
    assert named == ["digits", "digits, random reinit", "lenet_mnist_quick", "lenet_mnist_quick, random reinit"]
    for chart in found.values():
        assert chart.title and chart.alt and png(chart).startswith(b"\x89PNG")


def test_the_gap_is_taken_replicate_by_replicate():
    compared = beside(*PAIR)
    line = charts(compared)["gap_by_density"].panels[1].lines[1]
    expected = differences(compared.of(PAIR[1]), "reinit")
    assert list(line.y) == pytest.approx(list(100 * expected["mean"]))
    assert list(line.x) == pytest.approx(list(100 * expected["density"]))
    assert all(low < mean < high for low, mean, high in zip(line.low, line.y, line.high, strict=True))


def test_learning_curves_are_laid_over_each_other_at_the_nearest_densities():
    compared = beside(*PAIR)
    other = compared.frame["experiment"] == PAIR[1]
    compared.frame.loc[other, "density"] = 0.8 ** compared.frame.loc[other, "round"]  # another ladder, less deep
    chosen = rounds_of_curves(compared)
    assert chosen == {"digits": [0, 2, 3, 5], "lenet_mnist_quick": [0, 3, 5, 8]}
    chart = charts(compared, curves(compared))["learning_curves"]
    assert [panel.title for panel in chart.panels][::3] == ["100 % of weights", "16.8 % of weights"]
    line = chart.panels[3].lines[0]
    end = compared.of("digits").query("round == 5 and arm == 'ticket'")["test_accuracy_at_end"].mean()
    assert line.name == "digits" and line.y[-1] == pytest.approx(100 * end * (1 - 4.54e-5), rel=1e-6)


def test_of_many_arms_those_are_drawn_that_most_have():
    compared = beside(*PAIR, "lenet_fashion", arms=("ticket", "reinit", "random_mask", "dense_small"))
    frame = compared.frame
    lacks = frame["experiment"].isin(PAIR) & (frame["arm"] == "reinit")
    few = replace(compared, frame=frame[~lacks])
    assert shown_arms(few) == ["ticket", "random_mask", "dense_small"]
    assert shown_arms(replace(compared, frame=frame[frame["arm"].isin(["dense", "ticket"])])) == ["ticket"]
    page = comparison_page(few, comparison_charts(few), [], [], [], "here", "")
    assert "own report: random reinit." in page


@pytest.mark.parametrize("count", [7, MOST_LINES])
def test_many_experiments_are_spread_over_panels(count):
    compared = made_up(rates=tuple(f"0.{number:02}" for number in range(1, count + 1)), rewinds=("start",), rounds=2)
    panels = charts(compared)["accuracy_by_density"].panels
    assert len(panels) == 4 and "experiments 1 to" in panels[0].title
    colours = [line.colour for panel in panels[::2] for line in panel.lines if line.style == "solid" and not line.faint]
    assert colours == list(range(count))


def test_more_experiments_than_colours_are_cells():
    compared = made_up(rates=tuple(f"0.{number:02}" for number in range(1, 46)), rewinds=("start",), rounds=3)
    found = charts(compared)
    assert list(found) == ["accuracy_by_density", "gap_by_density"]
    accuracy = found["accuracy_by_density"].panels
    assert all(isinstance(panel, Heat) for panel in accuracy) and [len(panel.y_at) for panel in accuracy] == [23, 22]
    assert list(accuracy[0].x_at) == ["100 %", "70.0 %", "49.0 %", "34.3 %"]
    means = summary(compared)
    own = means[(means["experiment"] == compared.members[41]) & means["arm"].isin(["dense", "ticket"])]
    assert accuracy[1].values[18] == pytest.approx(list(100 * own["mean"]))
    assert found["gap_by_density"].panels[0].centre == 0


def test_what_is_missing_diverged_or_quick_is_said():
    compared = made_up()
    frame = compared.frame
    frame.loc[frame["experiment"] == compared.members[1], "protocol"] = "quick"
    lost = (frame["experiment"] == compared.members[0]) & (frame["round"] == 8) & (frame["arm"] == "ticket")
    frame.loc[lost & (frame["replicate"] == 1), "diverged_at"] = 30
    compared = replace(compared, missing=("mine_last",))
    said = "\n".join(compared.notes)
    assert "not run yet: mine_last" in said
    assert "learning_rate 0.1, rewind start: diverged, left out of means: ticket of round 8 in replicate 1" in said
    assert "learning_rate 0.1, rewind late: quick run" in said
    for chart in charts(compared).values():
        short = " ".join(chart.notes)
        assert "1 of 6 not run yet" in short and "1 diverged" in short and "quick run" in short
    assert "*not run yet: mine_last*" in markdown_summary(compared)


def test_controls_that_fall_far_do_not_press_the_tickets_together():
    compared = made_up()
    reinit = compared.frame["arm"] == "reinit"
    compared.frame.loc[reinit, "test_accuracy_at_early_stop"] -= 0.6
    axis = charts(compared)["accuracy_by_density"].panels[0].y
    assert axis.limits[0] > 85 and "controls go on below" in axis.label
    assert charts(made_up(rounds=2))["accuracy_by_density"].panels[0].y.limits is None


def test_a_sentence_for_each_experiment():
    compared = beside(*PAIR)
    frame = compared.of("digits")
    last = by_round(frame).query("arm == 'ticket'").iloc[-1]
    gap = differences(frame, "reinit").iloc[-1]
    said = sentences(compared)
    assert len(said) == 2 and said[0].startswith("digits: at 5.8 % of the weights the ticket ends with ")
    assert f"{100 * last['test_accuracy_at_end']:.2f} ± " in said[0] and "(n = 3)" in said[0]
    assert f"{100 * gap['mean']:+.2f} ± {100 * gap['sd']:.2f} from random reinit" in said[0]
    assert "At 5.8 % of the weights" in headline(compared) and all(name in headline(compared) for name in PAIR)
    assert [row[0] for row in sparsest(compared).rows] == list(PAIR)


def test_one_replicate_and_the_dense_network_alone():
    alone = beside(*PAIR, replicates=1)
    assert all(line.low is None for panel in charts(alone)["accuracy_by_density"].panels for line in panel.lines)
    dense = beside(*PAIR, rounds=0)
    found = charts(dense, curves(dense))
    assert "gap_by_density" not in found and len(found["learning_curves"].panels) == 1
    assert "no ticket is trained to its end yet" in sentences(dense)[0] and "none of digits" in headline(dense)
    assert comparison_page(dense, list(found.values()), [], [], [], "here", "")


def test_the_page_is_the_same_each_time_and_needs_no_network():
    compared = made_up(arms=("ticket",))
    links = [Link("its own report", "../mine/report.html")]
    given = (compared, comparison_charts(compared), [("seed", "0")], [("a ticket", "f00")], links, "there", "recipe 1a")
    page = comparison_page(*given)
    assert page == comparison_page(*given)
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']?https?:", page)
    assert '<a href="../mine/report.html"' in page and "f00" in page and "recipe 1a" in page
    assert "Tickets against each control" not in page  # there are none


def test_the_table_reads_back_as_it_was_written(tmp_path):
    compared = made_up()
    compared.frame.to_csv(tmp_path / "comparison.csv", index=False)
    cards = sweep_cards(("0.1", "0.03", "0.01"), ("start", "late"))
    assert sweeps(cards).keys() == {"mine"}
    again = read_comparison(tmp_path / "comparison.csv", compared.lineup, cards, dict.fromkeys(cards, "x"))
    pd.testing.assert_frame_equal(again.frame, compared.frame)
