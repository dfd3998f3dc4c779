"""The section on the loss landscape, of made-up findings."""

import math

import numpy as np
import pandas as pd
import pytest

from lth_pipeline.recipes import load_cards
from lth_pipeline.reports.analyses.loss_landscape import section
from lth_pipeline.reports.analyses.section import About, Findings
from lth_pipeline.reports.charts.chart import Heat, Lines, Surface
from lth_pipeline.reports.surfaces import extent, levels

ABOUT = About(load_cards([])["digits"], "handwritten digits", (0, 1))


def findings(rounds=(0, 1, 2), replicates=2, arms=("ticket", "reinit"), **columns) -> Findings:
    """Bowls that are the steeper the sparser; of the control twice as steep."""
    rows, arrays = [], {}
    at = np.linspace(-1, 1, 5, dtype=np.float32)
    for replicate in range(replicates):
        for round in rounds:
            for arm in arms if round else ("dense",):
                steep = (1 + round) * (2 if arm == "reinit" else 1) * (1 + 0.1 * replicate)
                name = f"replicate{replicate}/round{round:02d}/{arm}"
                arrays[f"{name}/surface"] = (0.01 + steep * (at[:, None] ** 2 + at**2)).astype(np.float32)
                arrays[f"{name}/at"] = at
                found = {f"eigenvalue_{n}": steep / n for n in (1, 2, 3)} | {"trace": 9 * steep, "trace_se": 0.1}
                found |= {"rise": steep / 4, "rise_se": 0.01, "loss": 0.01, "lowest": 0.01, "images": 1000}
                of = {"replicate": replicate, "round": round, "arm": arm, "density": 0.5**round}
                rows.append(of | found | columns)
    return Findings({"sharpness": pd.DataFrame(rows)}, arrays)


def test_three_charts_that_compare_on_one_scale():
    surfaces, contours, sharpness = section(findings(), ABOUT).charts
    assert [panel.title for panel in surfaces.panels] == [
        "dense network, 100 %", "ticket, 25.0 %", "random reinit, 25.0 %",
    ]  # fmt: skip
    assert all(isinstance(panel, Surface) and panel.z.log for panel in surfaces.panels)
    assert len({panel.limits for panel in surfaces.panels}) == 1
    assert [panel.title for panel in contours.panels] == [
        "dense network, 100 %", "ticket, 50.0 %", "ticket, 25.0 %",
    ]  # fmt: skip
    assert all(isinstance(panel, Heat) for panel in contours.panels)
    assert len({(panel.limits, tuple(panel.contours)) for panel in contours.panels}) == 1
    first, *_ = sharpness.panels
    assert isinstance(first, Lines) and first.y.log
    ticket, reinit = first.lines
    assert (ticket.arm, reinit.arm) == ("ticket", "reinit")
    assert ticket.x == pytest.approx((100, 50, 25)) and ticket.y == pytest.approx((1.05, 2.1, 3.15))
    assert ticket.low == pytest.approx((1, 2, 3)) and reinit.high == pytest.approx((1.1, 4.4, 6.6))


def test_the_headline_and_the_table_say_means_and_how_many():
    made = section(findings(), ABOUT)
    assert "3.15 (ticket), 6.30 (random reinit), 1.05 (dense network)" in made.headline
    assert "25.0 % of the weights" in made.headline and "n = 2" in made.headline
    (shown,) = made.shown
    assert [row[:3] for row in shown.rows] == [
        ("100 %", "dense network", "2"),
        ("50.0 %", "ticket", "2"),
        ("50.0 %", "random reinit", "2"),
        ("25.0 %", "ticket", "2"),
        ("25.0 %", "random reinit", "2"),
    ]
    assert "1,000 training images" in made.text[0]
    assert shown.rows[1][3:] == ("0.0100", "2.10, 1.05, 0.700", "18.90 ± 0.10", "0.525 ± 0.010")


def test_charts_of_single_networks_do_not_say_how_many_there_are():
    surfaces, contours, sharpness = section(findings(), ABOUT).charts
    assert all(ABOUT.head_of_one in chart.title and "n =" not in chart.title for chart in (surfaces, contours))
    assert ABOUT.head in sharpness.title and "n = 2" in sharpness.title


def test_one_replicate_has_no_band_and_no_control_no_line():
    *_, sharpness = section(findings(replicates=1, arms=("ticket",)), ABOUT).charts
    (line,) = sharpness.panels[0].lines
    assert line.low is None and line.arm == "ticket"


def test_the_dense_network_alone():
    made = section(findings(rounds=(0,)), ABOUT)
    assert "dense network alone" in made.headline
    assert [line.arm for line in made.charts[-1].panels[0].lines] == ["dense"]


def test_of_many_rounds_the_first_and_the_last_are_among_the_contours():
    contours = section(findings(rounds=range(12)), ABOUT).charts[1]
    assert len(contours.panels) == 6
    assert contours.panels[0].title.startswith("dense") and contours.panels[-1].title.endswith("0.049 %")


def test_curvature_below_zero_is_drawn_on_a_plain_axis_and_what_is_missing_left_out():
    made = section(findings(trace=-1.0, eigenvalue_2=None, eigenvalue_3=None), ABOUT)
    assert not made.charts[-1].panels[1].y.log
    assert all("nan" not in cell for row in made.shown[0].rows for cell in row)


def test_nothing_found_is_said():
    for nothing in (Findings({}), Findings({"sharpness": pd.DataFrame()})):
        made = section(nothing, ABOUT)
        assert "no landscape" in made.headline and not made.charts


def test_tables_without_their_surfaces_still_show_the_sharpness():
    found = findings()
    assert [chart.name for chart in section(Findings(found.tables), ABOUT).charts] == ["sharpness"]


@pytest.mark.parametrize(("low", "high"), [(1e-3, 30.0), (0.03, 4.0), (1e-8, 20.0), (0.5, 3.0), (2.2, 7.2)])
def test_contours_are_round_numbers_inside(low, high):
    found = levels(low, high)
    assert 3 <= len(found) <= 9 and all(low < level < high for level in found)
    assert all(
        round(level / 10 ** math.floor(math.log10(level) + 1e-9), 6) in (1, 1.5, 2, 3, 4, 5, 7) for level in found
    )


def test_an_extent_leaves_out_what_is_no_number_and_what_is_far_below():
    assert extent([np.array([[1e-9, 2.0]]), np.array([[np.nan, np.inf]])], 4) == pytest.approx((2e-4, 2.0))
    assert extent([np.array([[np.nan]])], 4) == (0.1, 1.0)
