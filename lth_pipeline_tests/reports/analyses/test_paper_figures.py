"""The paper's figures, from made-up trainings."""

import math
from functools import cache

import pandas as pd
import pytest

from lth_pipeline.recipes import load_cards
from lth_pipeline.reports.analyses.paper_figures import section
from lth_pipeline.reports.analyses.section import About, Findings
from lth_pipeline.reports.charts.picture import png

ARMS = ("ticket", "reinit", "random_mask")


def found(replicates=3, rounds=4, arms=ARMS, draws=1) -> Findings:
    """Accuracy at the end of round r: 0.98 − 0.01 r for the ticket, 0.02 r for others; replicates 0.001 apart."""
    ended, curves = [], []
    for replicate in range(replicates):
        for round in range(rounds + 1):
            for arm in arms if round else ("dense",):
                for draw in range(draws if arm == "reinit" else 1):
                    about = {"replicate": replicate, "round": round, "arm": arm, "draw": draw, "density": 0.8**round}
                    end = 0.98 - (0.01 if arm == "ticket" else 0.02) * round + 0.001 * replicate + 0.002 * draw
                    ended.append(
                        about
                        | {
                            "weights": 1000,
                            "early_stop_iteration": 100 + 50 * round,
                            "test_accuracy_at_early_stop": end,
                        }
                        | {"test_accuracy_at_end": end, "train_accuracy_at_end": 1.0, "validation_loss_min": 0.1}
                    )
                    curves += [
                        about | {"iteration": 10 * place, "test_accuracy": end * (1 - math.exp(-place))}
                        for place in range(0, 9 - replicate)  # one stops sooner than the other
                    ]
    return Findings({"rounds": pd.DataFrame(ended), "curves": pd.DataFrame(curves)})


cards = cache(lambda: load_cards([]))


def about(card="digits", replicates=3) -> About:
    return About(cards()[card], "handwritten digits", range(replicates), ["a note"])


def charts(findings, **asked):
    return {chart.name: chart for chart in section(findings, about(**asked)).charts}


def test_a_panel_for_each_arm_with_a_curve_for_each_density():
    chart = charts(found())["learning_curves"]
    assert [panel.title for panel in chart.panels] == ["Ticket", "Random reinit", "Random mask"]
    ticket = chart.panels[0]
    assert [line.name for line in ticket.lines] == ["100 % (dense)", "80.0 %", "64.0 %", "51.2 %", "41.0 %"]
    assert ticket.lines[0].x == tuple(10.0 * place for place in range(7))  # as far as all three go
    share = 100 * (1 - math.exp(-6))
    line = ticket.lines[4]
    assert (line.low[-1], line.y[-1], line.high[-1]) == pytest.approx((0.94 * share, 0.941 * share, 0.942 * share))
    shades = [[each.shade for each in panel.lines] for panel in chart.panels]
    assert shades == [[None, *(pytest.approx(about().shade(0.8**round)) for round in range(1, 5))]] * 3
    assert shades[0][1:] == sorted(set(shades[0][1:]))
    assert chart.same_y and chart.notes == ["a note"]
    low, high = ticket.y.limits
    assert low < 0.9 * share < share * 0.98 < high


def test_every_arm_sets_out_from_the_dense_network():
    early, end = (charts(found())[name] for name in ("early_stop", "at_the_end"))
    for panel in (*early.panels, *end.panels):
        assert [line.arm for line in panel.lines] == list(ARMS)
        assert all(line.x[0] == 100 and line.x[-1] == pytest.approx(100 * 0.8**4) for line in panel.lines)
        assert panel.x.falling and panel.rules[0].arm == "dense"
    assert early.panels[0].lines[0].y == (100, 150, 200, 250, 300)
    reinit = end.panels[0].lines[1]
    assert (reinit.low[4], reinit.y[4], reinit.high[4]) == pytest.approx((90.0, 90.1, 90.2))
    (_,) = end.panels  # of training accuracies, which are 100 % for all, nothing would be seen
    assert any("it is 100.0 % for all" in text for text in end.about)


def test_training_accuracies_that_differ_are_drawn():
    findings = found()
    findings.tables["rounds"].loc[lambda rows: rows["round"] == 4, "train_accuracy_at_end"] = 0.97
    end = charts(findings)["at_the_end"]
    assert end.panels[1].lines[0].y[-1] == pytest.approx(97) and not any("not drawn" in text for text in end.about)


def test_early_stops_at_the_last_iteration_are_counted():
    assert not section(found(), about()).text
    findings = found()
    rounds, last = findings.tables["rounds"], about().experiment.training.iterations
    rounds.loc[(rounds["arm"] == "reinit") & (rounds["round"] > 2), "early_stop_iteration"] = last
    rounds.loc[(rounds["arm"] == "ticket") & (rounds["round"] == 4) & (rounds["replicate"] == 0),
               "early_stop_iteration"] = last  # fmt: skip
    (said,) = section(findings, about()).text
    assert f"last iteration, {last:,}: ticket 1 of 12 (at 41.0 %); random reinit 6 of 12 (between 51.2 %" in said
    assert said in charts(findings)["early_stop"].about


def test_of_several_draws_each_replicate_counts_once():
    reinit = charts(found(draws=3))["at_the_end"].panels[0].lines[1]
    assert (reinit.low[4], reinit.y[4], reinit.high[4]) == pytest.approx((90.2, 90.3, 90.4))


def test_titles_say_how_it_was_pruned():
    assert all("iterative pruning" in chart.title for chart in charts(found()).values())
    one_shot = next(card for card in cards().values() if card.pruning.mode == "one_shot")
    assert all("one-shot pruning" in chart.title for chart in charts(found(), card=one_shot.name).values())


def test_the_headline_compares_in_the_sparsest_round():
    said = section(found(), about()).headline
    assert "At 41.0 % of the weights" in said and "iteration 300 (dense network 100, random reinit 300" in said
    assert "94.1 (dense network 98.1, random reinit 90.1, random mask 90.1)" in said and "n = 3" in said


def test_one_replicate_has_no_band_and_the_dense_network_alone_is_drawn():
    alone = charts(found(replicates=1))
    assert all(line.low is None for chart in alone.values() for panel in chart.panels for line in panel.lines)
    dense = section(found(rounds=0), about())
    assert "Only the dense network" in dense.headline
    assert [line.arm for chart in dense.charts for panel in chart.panels for line in panel.lines] == ["dense"] * 4


def test_a_round_has_one_name_for_all_arms():
    findings = found(arms=("ticket", "dense_small"))
    curves = findings.tables["curves"]
    curves.loc[curves["arm"] == "dense_small", "density"] *= 0.99
    small = charts(findings)["learning_curves"].panels[1]
    assert [line.name for line in small.lines][1:] == ["80.0 %", "64.0 %", "51.2 %", "41.0 %"]


def test_nothing_is_said_to_be_nothing():
    for tables in ({}, {"rounds": pd.DataFrame(), "curves": pd.DataFrame()}):
        empty = section(Findings(tables), about())
        assert "Nothing has been trained" in empty.headline and not empty.charts


def test_they_can_be_drawn():
    for chart in section(found(replicates=2, rounds=1), about()).charts:
        assert png(chart).startswith(b"\x89PNG")
