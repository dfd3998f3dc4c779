"""Charts for plotly: plain JSON, the picture's colours, nothing taken for markup, nothing sent anywhere."""

import json
import math

import numpy as np
import pytest

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.charts.chart import Axis, Chart, Heat, Line, Lines
from lth_pipeline.reports.charts.interactive import legend, specs
from lth_pipeline.reports.charts.palette import ARMS_ON_DARK, PALETTE, PALETTE_ON_DARK, PAPER, PAPER_DARK, on_dark
from lth_pipeline_tests.reports.charts import samples
from lth_pipeline_tests.reports.charts.colours import contrast

CHARTS = samples.every()


def of_type(spec: dict, kind: str) -> list[dict]:
    return [trace for trace in spec["data"] if trace["type"] == kind]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_one_figure_a_panel_as_plain_json(chart):
    made = specs(chart)
    assert len(made) == len(chart.panels)
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_what_is_no_number_is_a_gap():
    x, y = np.arange(3.0), np.array([1.0, np.nan, np.inf])
    heat = Heat([[math.nan, 1.0]], Axis("x"), Axis("y"), "z", [1, 2], [1])
    lines, field = specs(Chart("c", "t", "a", [Lines(Axis("x"), Axis("y"), [Line("l", x, y, y - 1, y + 1)]), heat]))
    assert lines["data"][1]["y"] == [1, None, None]
    assert lines["data"][0]["x"] == [0, 0]  # the band ends where the values do
    assert field["data"][0]["z"] == [[None, 1]]


def test_numbers_have_six_digits():
    line = Line("l", [0, 1], [1 / 3, 123456789.123])
    assert specs(Chart("c", "t", "a", [Lines(Axis("x"), Axis("y"), [line])]))[0]["data"][0]["y"] == [
        0.333333,
        123457000,
    ]


def test_arms_look_as_in_the_picture_and_have_another_colour_on_dark():
    light, dark = specs(samples.lines())[0], specs(samples.lines(), dark=True)[0]
    for place, arm in enumerate(("ticket", "reinit", "random_mask")):
        assert light["data"][2 * place + 1]["line"]["color"] == ARMS[arm].colour
        assert dark["data"][2 * place + 1]["line"]["color"] == ARMS_ON_DARK[arm]
        assert dark["data"][2 * place]["fillcolor"] == ARMS_ON_DARK[arm] + "2a"
    assert light["layout"]["shapes"][0]["line"]["color"] == ARMS["dense"].colour
    assert dark["layout"]["shapes"][0]["line"]["color"] == ARMS_ON_DARK["dense"]


def test_colours_are_seen_on_their_paper_and_told_apart():
    assert set(ARMS_ON_DARK) == set(ARMS) and len(PALETTE) == len(PALETTE_ON_DARK)
    assert not {arm.colour.lower() for arm in ARMS.values()} & set(PALETTE)
    assert len(set(on_dark().values())) == len(on_dark())
    for colour in (*ARMS_ON_DARK.values(), *PALETTE_ON_DARK):
        assert contrast(colour, PAPER_DARK) >= 4.5, colour
    for colour in PALETTE:
        assert contrast(colour, PAPER) >= 3, colour


def test_one_name_is_one_group_in_all_panels():
    chart = samples.many_lines()
    groups = [[trace["legendgroup"] for trace in spec["data"]] for spec in specs(chart)]
    assert groups[0][0] == groups[0][1] == groups[2][0]  # band, line, and the line in the third panel
    named = [entry.name for entry in legend(chart)]
    assert len(named) == len(set(named)) == 10
    assert {entry.group for entry in legend(chart)} == {group for panel in groups for group in panel}


def test_names_are_no_markup_and_no_template():
    wicked = Line("<b>bold</b> %{x} &amp;", [1], [1])
    text = json.dumps(specs(Chart("c", "t", "a", [Lines(Axis("<i>x</i>"), Axis("y"), [wicked])])))
    assert "<b>bold" not in text and "<i>" not in text and "%{x} " not in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text and "&amp;amp;" in text


def test_axes_fall_are_logarithmic_and_marked_as_in_the_picture():
    axis = specs(samples.lines())[0]["layout"]["xaxis"]
    low, high = axis["range"]
    assert axis["type"] == "log" and low > 2 > math.log10(6.9) > high
    assert axis["ticktext"][0] == "100" and axis["ticktext"][-1] == "6.9" and len(axis["ticktext"]) <= 8


def test_logarithms_of_cells_are_told_as_values():
    spec = specs(samples.heats())[0]
    cells, values = of_type(spec, "heatmap")[0], samples.heats().panels[0].values
    assert cells["z"][0][0] == pytest.approx(math.log10(values[0][0]), rel=1e-5)
    assert cells["customdata"][0][0][2] == pytest.approx(values[0][0], rel=1e-5)
    assert "0.1" in cells["colorbar"]["ticktext"]
    levels = [trace["text"][0] for trace in of_type(spec, "scatter") if trace.get("mode") == "text"]
    assert levels == ["0.1", "0.5", "2"]


def test_rows_run_down_where_asked():
    up, down = specs(samples.heats())[0]["layout"]["yaxis"], specs(samples.heats())[1]["layout"]["yaxis"]
    assert up["range"][0] < up["range"][1] and down["range"][0] > down["range"][1]


def test_nothing_is_offered_that_would_leave_the_page():
    for spec in (spec for chart in CHARTS for spec in specs(chart)):
        config = spec["config"]
        assert not config["showSendToCloud"] and not config["showLink"] and not config["displaylogo"]
        assert not config["plotlyServerURL"]
        offered = {name for group in config["modeBarButtons"] for name in group}
        assert offered and not {name for name in offered if "send" in name.lower() or "edit" in name.lower()}
