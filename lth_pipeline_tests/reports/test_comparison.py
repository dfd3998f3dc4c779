"""The comparison of a sweep: table, summary, figure and page, from made-up results."""

import re

import pandas as pd
import pytest

from lth_pipeline.reports.comparison import gaps, read_comparison, summary
from lth_pipeline.reports.comparison_figure import COLOURS, STYLES, comparison_figure, style_of
from lth_pipeline.reports.comparison_page import comparison_files, markdown_summary
from lth_pipeline.reports.table import COLUMNS, by_round, differences
from lth_pipeline_tests.reports.made_up import made_up


def test_the_table_has_every_row_of_every_experiment_and_what_is_varied():
    compared = made_up()
    frame = compared.frame
    assert list(frame.columns) == ["sweep", "training.learning_rate", "rewind", *COLUMNS]
    assert len(frame) == 6 * 3 * (1 + 8 * 2)
    assert list(frame["experiment"].unique()) == list(compared.sweep.members)
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
    first = compared.members[0]
    compared.facts[first]["iterations"] = "8,000"
    assert compared.subtitle == "handwritten digits · n = 3 · seed 0" and compared.differing == ["iterations"]
    page = comparison_files(compared)["report.html"].decode()
    assert "<th>iterations</th>" in page and "<td>8,000</td>" in page


def test_a_figure_has_a_colour_for_each_experiment_and_a_line_for_each_dense_network():
    compared = made_up()
    (axes,) = comparison_figure(compared, "title").axes
    assert axes.get_xscale() == "log" and axes.get_xlim()[0] > 100 > axes.get_xlim()[1]
    drawn = [line for line in axes.lines if len(line.get_xdata()) == 9]
    assert len(drawn) == 12
    assert len({line.get_color() for line in drawn}) == 6
    tickets = [line for line in drawn if line.get_linestyle() == "-"]
    assert len(tickets) == 6 and {line.get_marker() for line in tickets} == {"o"}
    assert {line.get_marker() for line in drawn} == {"o", "^"}
    baselines = [line for line in axes.lines if len(line.get_xdata()) == 2]
    assert len(baselines) == 3  # two experiments share each
    means = by_round(compared.of(compared.members[0]))
    expected = 100 * means[means["arm"].isin(["dense", "ticket"])]["test_accuracy_at_early_stop"]
    assert list(tickets[0].get_ydata()) == pytest.approx(list(expected))
    assert len(axes.collections) == 6  # a band for each


def test_the_legend_names_experiments_and_arms():
    members, arms = comparison_figure(made_up(), "title").legends
    assert [text.get_text() for text in members.get_texts()][:2] == [
        "learning_rate 0.1, rewind start",
        "learning_rate 0.1, rewind late",
    ]
    assert [text.get_text() for text in arms.get_texts()] == ["dense network", "winning ticket", "random reinit"]
    _, alone = comparison_figure(made_up(replicates=1), "title").legends
    assert alone.get_title().get_text() == "one replicate, no spread"
    assert not comparison_figure(made_up(replicates=1), "title").axes[0].collections


def test_a_dense_network_that_all_share_is_one_line():
    compared = made_up(rates=("0.1",))
    (axes,) = comparison_figure(compared, "").axes
    assert len([line for line in axes.lines if len(line.get_xdata()) == 2]) == 1


def test_styles_differ_for_as_many_as_can_be_told_apart():
    most = len(COLOURS) * len(STYLES)
    assert len({style_of(place, most) for place in range(most)}) == most == 21
    assert len({style_of(place, 60)[0] for place in range(60)}) == 60


def test_what_is_missing_diverged_or_quick_is_said():
    compared = made_up()
    frame = compared.frame
    frame.loc[frame["experiment"] == compared.members[1], "protocol"] = "quick"
    lost = (frame["experiment"] == compared.members[0]) & (frame["round"] == 8) & (frame["arm"] == "ticket")
    frame.loc[lost & (frame["replicate"] == 1), "diverged_at"] = 30
    compared = type(compared)(compared.sweep, frame, compared.at, compared.facts, ("mine_last",))
    said = "\n".join(compared.notes)
    assert "not run yet: mine_last" in said
    assert "learning_rate 0.1, rewind start: diverged, left out of means: ticket of round 8 in replicate 1" in said
    assert "learning_rate 0.1, rewind late: quick run" in said
    texts = " ".join(text.get_text() for text in comparison_figure(compared, "").texts)
    assert "1 of 6 not run yet" in texts and "1 diverged" in texts and "quick run" in texts
    assert "*not run yet: mine_last*" in markdown_summary(compared)


def test_controls_that_fall_far_do_not_press_the_tickets_together():
    compared = made_up()
    reinit = compared.frame["arm"] == "reinit"
    compared.frame.loc[reinit, "test_accuracy_at_early_stop"] -= 0.6
    drawn = comparison_figure(compared, "")
    assert drawn.axes[0].get_ylim()[0] > 85
    assert any("controls go on below" in text.get_text() for text in drawn.texts)


def test_the_files_are_the_same_each_time_and_need_no_network():
    compared = made_up(arms=("ticket",))
    files = comparison_files(compared)
    assert files.keys() == {"comparison.csv", "accuracy_by_density.png", "report.html"}
    assert files == comparison_files(compared)
    page = files["report.html"].decode()
    assert page.count("<svg") == 1 and not re.search(r"(src|href)=[\"']?https?:", page)
    assert "Tickets against their controls" not in page  # there are none


def test_the_table_reads_back_as_it_was_written(tmp_path):
    from lth_pipeline_tests.reports.made_up import sweep_cards

    compared = made_up()
    (tmp_path / "comparison.csv").write_bytes(comparison_files(compared)["comparison.csv"])
    cards = sweep_cards(("0.1", "0.03", "0.01"), ("start", "late"))
    again = read_comparison(tmp_path / "comparison.csv", compared.sweep, cards, dict.fromkeys(cards, "x"))
    pd.testing.assert_frame_equal(again.frame, compared.frame)
