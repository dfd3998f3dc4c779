"""Sections about connectivity, ensembles and label noise: what they say of tables whose answer is known."""

import pandas as pd
import pytest

from lth_pipeline.recipes import load_cards
from lth_pipeline.reports.analyses import connectivity, ensembles, label_noise
from lth_pipeline.reports.analyses.section import About, Findings
from lth_pipeline.reports.charts.chart import Bars, Lines

DIGITS = load_cards([])["digits"]
SECTIONS = {"connectivity": connectivity, "ensembles": ensembles, "label_noise": label_noise}


def section(analysis, replicates=2, **tables):
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    return SECTIONS[analysis].section(Findings(frames), About(DIGITS, "digits", range(replicates), ["a quick run"]))


def copies(replicates=2, hump=0.05, arms=("ticket", "reinit"), rounds=(1, 3)):
    """A dense network that is unstable from its start and stable from iteration 40; a ticket that is stable, and
    controls whose test error rises by `hump`."""
    lines, rows = [], []
    for replicate in range(replicates):
        found = [(0, "dense", 0, hump), (0, "dense", 40, 0.001)]
        found += [(round, arm, 0, 0.0 if arm == "ticket" else hump) for round in rounds for arm in arms]
        for round, arm, start, rise in found:
            about = {"replicate": replicate, "round": round, "arm": arm, "draw": 0, "density": 0.5**round}
            about |= {"weights": 1000, "start_iteration": start, "start_share": start / 4000}
            for alpha in (0.0, 0.5, 1.0):
                error = 0.02 + (rise if alpha == 0.5 else 0.0)
                values = {"train_error": error, "test_error": error, "train_loss": error, "test_loss": error}
                lines.append({**about, "alpha": alpha, **values})
            rows.append(
                {
                    **about,
                    **{"instability_train": rise, "instability_test": rise, "stable": rise < 0.02},
                    **{"l2_distance": 3.0, "cosine": 0.5, "batch_norm_images": 0},
                }
            )
    return {"lines": lines, "instability": rows}


def answers(replicates=3, arms=("ticket", "reinit")):
    """Networks of which each further member adds half a point; at half density a ticket has half the parameters."""
    rows, pairs = [], []
    for round, arm in [(0, "dense"), *((round, arm) for round in (1, 2) for arm in arms)]:
        density = 0.5**round
        about = {"replicate": None, "round": round, "arm": arm, "of": "replicates", "density": density}
        for members in range(1, replicates + 1):
            accuracy, share = 0.95 + 0.005 * members, density * members
            rows.append(
                {
                    **about,
                    **{"rounds": str(round), "members": members, "subsets": replicates if members == 1 else 1},
                    **{"accuracy": accuracy, "accuracy_least": accuracy - 0.01, "accuracy_greatest": accuracy + 0.01},
                    **{"loss": 0.1, "member_accuracy": 0.955, "gain": accuracy - 0.955, "disagreement": 0.02},
                    **{"disagreement_by_error": 0.5, "parameters": int(1000 * share), "share_of_dense": share},
                    "within_dense": share <= 1,
                }
            )
        pairs += [
            {**about, "first": "a", "second": "b", "disagreement": 0.02, "disagreement_by_error": 0.5}
            for _ in range(replicates - 1)
        ]
    return {"ensembles": rows, "pairs": pairs}


def noisy(replicates=2, rounds=(2, 3), arms=("ticket", "reinit")):
    """A dense network that learns every wrong label by heart, and others that learn a quarter of them."""
    rows, curves = [], []
    for replicate in range(replicates):
        for round, arm in [(0, "dense"), *((round, arm) for round in rounds for arm in arms)]:
            for noise in (0.0, 0.4):
                heart = (1.0 if arm == "dense" else 0.25) if noise else None
                accuracy = 1 - noise * (heart or 0)
                about = {"replicate": replicate, "round": round, "arm": arm, "draw": 0, "density": 0.5**round}
                about["noise"] = noise
                rows.append(
                    {
                        **about,
                        **{"test_accuracy_at_early_stop": 0.95, "test_accuracy_at_end": accuracy},
                        **{"memorised": heart, "recovered": None if heart is None else 1 - heart},
                        "diverged_at": None,
                    }
                )
                curves += [{**about, "iteration": at, "test_accuracy": 0.2 if at == 0 else accuracy} for at in (0, 50)]
    return {"label_noise": rows, "curves": curves}


TABLES = {"connectivity": copies, "ensembles": answers, "label_noise": noisy}


@pytest.mark.parametrize("analysis", SECTIONS)
def test_without_rows_it_says_so_and_draws_nothing(analysis):
    found = section(analysis)
    assert found.headline.endswith(".") and not found.charts
    assert section(analysis, **{name: [] for name in TABLES[analysis]()}).headline == found.headline


@pytest.mark.parametrize("analysis", SECTIONS)
@pytest.mark.parametrize("how", [{}, {"replicates": 1}, {"arms": ("ticket",)}, {"arms": ()}], ids=str)
def test_whatever_is_there_charts_have_words_and_units(analysis, how):
    found = section(analysis, **TABLES[analysis](**how))
    for chart in found.charts:
        assert "digits · 4,000 iterations" in chart.title and chart.about and chart.notes == ["a quick run"]
        assert chart.alt.endswith(".") and "nan" not in chart.alt.lower() and "None" not in chart.alt
        for panel in chart.panels:
            assert isinstance(panel, Lines | Bars) and panel.y.label
            drawn = panel.lines if isinstance(panel, Lines) else panel.bars
            assert 0 < len(drawn) <= 6
            if how == {"replicates": 1} and analysis != "ensembles":
                assert all(each.low is None for each in drawn)
    for shown in found.shown:
        assert all(len(row) == len(shown.columns) for row in shown.rows)
        assert "nan" not in str(shown.rows)


def test_where_the_dense_network_becomes_stable():
    found = section("connectivity", **copies())
    assert "stable to the order of its data from iteration 40 on" in found.headline
    assert "ticket 0.00 (0.00 to 0.00), random reinit 5.00" in found.headline
    assert "ends included, lies so many percentage points above the mean of the ends: 5.00 from" in found.headline
    dense, pruned, instability = found.charts
    assert max(dense.panels[0].lines[0].y) == pytest.approx(7.0) and max(dense.panels[0].lines[1].y) < 2.2
    assert [panel.title for panel in pruned.panels] == ["Ticket", "Random reinit"]
    by_start, by_density = instability.panels
    assert by_start.lines[0].y == pytest.approx((5.0, 0.1))
    assert by_density.lines[0].x == (100.0, 50.0, 12.5) and by_density.lines[0].y == pytest.approx((5.0, 0.0, 0.0))
    assert by_start.rules[0].at == by_density.rules[0].at == 2.0


def test_a_dip_between_the_copies_is_told_as_one():
    tables = copies(arms=("ticket",))
    for row in tables["lines"]:
        if row["round"] == 3 and row["alpha"] != 1.0:
            row["test_error"] += 0.01 if row["alpha"] == 0.0 else -0.004
    found = section("connectivity", **tables)
    said = "Copies of the sparsest networks: in all comparisons the highest error is an end's own, so no barrier lies"
    (told,) = [text for text in found.text if text.startswith(said)]
    assert told.endswith("midway the error is 0.90 points below the mean of the ends.")
    midway = {row[1]: row[5] for row in found.shown[0].rows if row[0] == "ticket"}
    assert midway == {"50.0 %": "+0.00 (+0.00 to +0.00)", "12.5 %": "−0.90 (−0.90 to −0.90)"}
    assert "a dip" in found.charts[0].about[0]


def test_a_network_that_is_stable_early_and_not_later_is_not_called_stable_from_there():
    tables = copies(hump=0.001)
    for row in tables["instability"]:
        if row["start_iteration"] == 40:
            row["instability_test"] = 0.1
    assert "at none of the places looked at" in section("connectivity", **tables).headline


def test_copies_that_diverged_are_left_out_and_counted():
    tables = copies()
    for row in tables["instability"][:2]:
        row |= {"instability_test": None, "instability_train": None, "stable": None, "l2_distance": None}
    assert any(text.startswith("2 of 12 comparisons are left out") for text in section("connectivity", **tables).text)
    for row in tables["instability"]:
        row["instability_test"] = None
    assert not section("connectivity", **tables).charts


def test_the_ensemble_at_the_top_is_the_largest_that_fits_whatever_its_accuracy():
    found = section("ensembles", **answers())
    assert found.headline.startswith("2 tickets at 50.0 % of the weights each have together 100 % of one dense")
    assert "96.00 %; one dense network has 95.50 % (94.50 to 96.50, n = 3): +0.50" in found.headline
    members = [row[0] for row in found.shown[0].rows]
    assert members == [
        "1 dense network",
        *("2 × ticket", "2 × random reinit", "3 × ticket", "3 × random reinit"),
    ]
    ticket = found.charts[0].panels[0]
    assert ticket.rules[0].at == 100.0 and ticket.lines[1].x == (50.0, 100.0, 150.0)


def test_the_gain_in_the_headline_is_that_of_the_accuracies_beside_it():
    tables = answers()
    for row in tables["ensembles"]:
        if (row["round"], row["arm"], row["members"]) == (0, "dense", 1):
            row["accuracy"] = 0.98824
        elif row["arm"] == "ticket":
            row["accuracy"] = 0.98656
    said = section("ensembles", **tables).headline
    assert "98.66 %" in said and "98.82 %" in said and "−0.16 percentage points" in said


def test_of_one_replicate_there_is_no_ensemble_over_replicates():
    tables = answers(replicates=1)
    assert "makes no ensemble" in section("ensembles", **tables).headline
    several = {"of": "rounds", "replicate": 0, "round": None, "rounds": "1, 2", "members": 2, "share_of_dense": 0.75}
    tables["ensembles"].append({**tables["ensembles"][1], **several, "accuracy": 0.965, "within_dense": True})
    found = section("ensembles", **tables)
    assert found.headline.startswith("2 tickets of several rounds of one replicate have together 75 % of one dense")
    assert "a test accuracy of 96.50 %; one dense network has 95.50 %: +1.00" in found.headline
    assert found.shown[1].rows[0][0] == "replicate 0, rounds 1, 2"


def test_what_was_learned_by_heart_and_what_the_mask_knew():
    found = section("label_noise", **noisy())
    assert "With 40 % of the training labels wrong" in found.headline
    assert "dense network 60.0 (60.0 to 60.0), ticket 90.0" in found.headline
    assert "dense network 100 %, ticket 25 %, random reinit 25 %" in found.headline
    tables = noisy()
    for row in tables["label_noise"]:
        row["memorised"] = 0.017 if row["arm"] == "dense" else 0.005
    for row in tables["curves"]:
        row["test_accuracy"] += 0.1 if row["arm"] == "ticket" and row["iteration"] == 0 and row["noise"] else 0
        row["test_accuracy"] -= 0.75 if row["arm"] == "ticket" and row["iteration"] == 50 and row["noise"] else 0
    few = section("label_noise", **tables)
    assert "dense network 1.7 %, ticket 0.5 %, random reinit 0.5 %" in few.headline
    assert "ticket 15.0 at 25.0 % of the weights" in few.charts[2].about[0]
    assert "No line falls" in found.charts[2].about[0] and found.charts[2].panels[0].y.limits[0] > 0
    bars = found.charts[1].panels[0].bars
    assert [bar.values for bar in bars] == [[100.0], [25.0], [25.0]]
    assert any("20.0" in text and "before the first step" in text for text in found.text)
    assert [panel.title for panel in found.charts[0].panels][:2] == [
        "25.0 % of the weights, at early stop",
        "25.0 % of the weights, at the end",
    ]
