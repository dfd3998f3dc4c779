"""Sections about robustness: what they say of tables whose answer is known, whole, in part and empty."""

import numpy as np
import pandas as pd
import pytest

from lth_pipeline.recipes import load_cards
from lth_pipeline.reports.analyses.robustness import section
from lth_pipeline.reports.analyses.robustness_attacks import telling_radius
from lth_pipeline.reports.analyses.section import About, Findings
from lth_pipeline.reports.charts.chart import Heat
from lth_pipeline.reports.charts.picture import png

DIGITS = load_cards([])["digits"]
CORRUPTION = ["corruption_accuracy", "corruption_families", "corrupted_images"]
ATTACK = ["attacks_by_radius", "attacks_by_density"]
CALIBRATION = ["calibration_error", "reliability"]


def made_up(replicates=2, rounds=(0, 2, 4), arms=("ticket", "reinit"), lowest=11) -> Findings:
    """Corruption takes a tenth, and fog three; PGD takes half of what is right at 0.1; a control is 5 points worse.
    lowest: the last bin of confidence without answers."""
    tables = {"calibration": [], "reliability": [], "attacks": [], "corruptions": []}
    for replicate in range(replicates):
        for round, arm in [(at, arm) for at in rounds for arm in (arms if at else ("dense",))]:
            of = {"replicate": replicate, "round": round, "arm": arm, "draw": 0, "density": 0.5**round, "weights": 9}
            right = 0.9 + 0.02 * replicate - (0.05 if arm == "reinit" else 0)
            scores = {"confidence": right + 0.03, "ece": 0.03, "nll": 0.2, "brier": 0.1}
            tables["calibration"].append({**of, "accuracy": right, "recorded_accuracy": right, "images": 397, **scores})
            for bin in range(1, 16):
                filled = {"confidence": (bin - 0.5) / 15, "accuracy": 0.6, "count": 20} if bin > lowest else {}
                empty = {"confidence": None, "accuracy": None, "count": 0}
                tables["reliability"].append(
                    {**of, "bin": bin, "low": (bin - 1) / 15, "high": bin / 15, **empty, **filled}
                )
            for attack, radius, share in (
                *(("clean", 0.0, 1.0), ("fgsm", 0.1, 0.6), ("fgsm", 0.3, 0.1), ("pgd", 0.1, 0.5), ("pgd", 0.3, 0.0)),
            ):
                what = {"attack": attack, "radius": radius, "accuracy": share * right}
                tables["attacks"].append({**of, **what, "images": 100})
            for family, severity, lost in (
                *(("clean", 0, 0.0), ("snow", 1, 0.1), ("snow", 5, 0.1), ("fog", 1, 0.3), ("fog", 5, 0.3)),
            ):
                what = {"family": family, "severity": severity, "accuracy": right - lost}
                tables["corruptions"].append({**of, **what, "images": 100})
    pictures = np.arange(5 * 64, dtype=np.uint8).reshape(5, 8, 8)
    arrays = {f"replicate{replicate}/round00/corrupted_images": pictures for replicate in range(replicates)}
    return Findings({name: pd.DataFrame(rows) for name, rows in tables.items()}, arrays)


def shown(findings: Findings, replicates=2):
    return section(findings, About(DIGITS, "digits", range(replicates), ["a quick run"]))


def without(findings: Findings, *names: str) -> Findings:
    return Findings({name: table for name, table in findings.tables.items() if name not in names}, findings.arrays)


def test_the_headline_has_the_means_of_the_sparsest_round():
    said = shown(made_up()).headline
    assert "At 6.2 % of the weights (n = 2 replicates)" in said
    # clean 91 %: less 20 points on average over the four kinds of images
    assert "corrupted images: dense network 71.0 %, ticket 71.0 %, random reinit 66.0 %" in said
    assert "PGD at radius 0.1: dense network 45.5 %, ticket 45.5 %, random reinit 43.0 %" in said
    assert "expected calibration error: dense network 3.0 %" in said


def test_charts_hold_what_was_found():
    charts = {chart.name: chart for chart in shown(made_up()).charts}
    assert list(charts) == [*CORRUPTION, *ATTACK, *CALIBRATION]
    corrupted, lost = charts["corruption_accuracy"].panels
    ticket = next(line for line in corrupted.lines if line.arm == "ticket")
    assert ticket.x == pytest.approx((100, 25, 6.25)) and ticket.y == pytest.approx((71, 71, 71))
    assert ticket.low == pytest.approx((70, 70, 70)) and corrupted.rules[0].at == pytest.approx(71)
    assert next(line for line in lost.lines if line.arm == "reinit").y == pytest.approx((20, 20, 20))
    [families] = charts["corruption_families"].panels
    assert list(families.x_at) == ["dense network", "ticket", "random reinit"]
    assert list(families.y_at) == ["clean", "snow", "fog"]
    assert np.array(families.values) == pytest.approx(np.array([[91, 91, 86], [81, 81, 76], [61, 61, 56]]))
    fgsm, pgd = charts["attacks_by_radius"].panels
    assert [line.arm for line in pgd.lines] == ["dense", "ticket", "reinit"]
    assert pgd.lines[0].y == pytest.approx((91, 45.5, 0)) and fgsm.lines[0].y == pytest.approx((91, 54.6, 9.1))
    assert pgd.x.ticks[0][1] == "0 (clean)" and pgd.lines[0].x[0] == pgd.x.ticks[0][0]
    right, sure = charts["reliability"].panels
    assert right.lines[0].y == pytest.approx([60] * 4) and sum(sure.lines[0].y) == pytest.approx(100)


def test_of_fewer_than_four_bins_no_course_is_drawn():
    chart = next(chart for chart in shown(made_up(lowest=14)).charts if chart.name == "reliability")
    assert [panel.title for panel in chart.panels] == ["How sure they are"] and chart.title.startswith("How sure")
    assert "there is one bin, and it takes 4" in chart.about[0]


def test_each_paper_is_told_once():
    made = shown(made_up())
    words = " ".join([*made.text, *(text for chart in made.charts for text in chart.about)])
    assert all(words.count(paper) == 1 for paper in ("Guo et al. 2017", "Hendrycks & Dietterich 2019"))


def test_the_mosaic_has_every_image_in_its_place():
    chart = next(chart for chart in shown(made_up()).charts if chart.name == "corrupted_images")
    weather = next(panel for panel in chart.panels if panel.title == "Weather")
    assert isinstance(weather, Heat) and [say for _, say in weather.x.ticks] == ["snow", "fog"]
    assert [say for _, say in weather.y.ticks] == ["clean", "1", "5"]
    pictures = np.arange(5 * 64).reshape(5, 8, 8) % 256 / 255
    field = np.array([[np.nan if value is None else value for value in row] for row in weather.values])
    assert field.shape == (3 * 9 - 1, 2 * 9 - 1)
    for down, across, number in ((0, 0, 0), (0, 1, 0), (1, 0, 1), (2, 0, 2), (1, 1, 3), (2, 1, 4)):
        assert field[9 * down : 9 * down + 8, 9 * across : 9 * across + 8] == pytest.approx(pictures[number])


def test_the_telling_radius_leaves_half():
    assert telling_radius(made_up().tables["attacks"]) == 0.1


def test_without_corruptions_it_says_how_to_get_them():
    found = shown(Findings(without(made_up(), "corruptions").tables))
    assert [chart.name for chart in found.charts] == [*ATTACK, *CALIBRATION]
    assert "Corruptions were left out" in found.text[0] and ".[robustness]" in found.text[0]
    assert "corrupted images:" not in found.headline
    assert {row[3] for row in found.shown[0].rows} == {"–"}


@pytest.mark.parametrize(
    ("missing", "charts"),
    [
        (("calibration", "reliability"), CORRUPTION + ATTACK),
        (("attacks",), CORRUPTION + CALIBRATION),
        (("attacks", "calibration", "reliability"), CORRUPTION),
    ],
)
def test_any_part_may_be_missing(missing, charts):
    assert [chart.name for chart in shown(without(made_up(), *missing)).charts] == charts


def test_the_dense_network_alone_has_no_charts_by_density():
    found = shown(made_up(replicates=1, rounds=(0,)), replicates=1)
    assert found.headline.startswith("Dense alone (n = 1 replicate)")
    assert {"attacks_by_density", "calibration_error"} & {chart.name for chart in found.charts} == set()
    assert [row[0] for row in found.shown[0].rows] == ["dense network"]


@pytest.mark.parametrize("rounds", [(0, 2), (2,)])
def test_every_arm_or_no_dense_network_can_be_shown(rounds):
    arms = ("ticket", "reinit", "random_mask", "shuffled_mask", "dense_small", "ticket_distilled", "reinit_same_sign")
    found = shown(made_up(rounds=rounds, arms=arms))
    assert all(len(panel.lines) <= 6 for chart in found.charts for panel in chart.panels if hasattr(panel, "lines"))
    assert "random mask" in str(found.shown[0].rows)


def test_nothing_found_is_said():
    found = shown(Findings({}))
    assert "No network's robustness" in found.headline and not found.charts


def test_every_chart_can_be_drawn_and_says_what_is_seen():
    for chart in shown(made_up()).charts:
        assert png(chart).startswith(b"\x89PNG")
        assert chart.about and "nan" not in chart.alt and chart.notes == ["a quick run"]
