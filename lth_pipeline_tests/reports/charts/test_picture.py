"""Pictures of charts: every kind, legible, without overlaps, the same bytes each time."""

import io
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.charts.chart import Axis, Bar, Bars, Chart, Heat, Line, Lines
from lth_pipeline.reports.charts.lettering import width, wrapped
from lth_pipeline.reports.charts.palette import DIVERGING, PALETTE, SEQUENTIAL
from lth_pipeline.reports.charts.picture import drawn, png
from lth_pipeline.reports.charts.shade import Shade, colour_at, ink_on
from lth_pipeline_tests.reports.charts import samples
from lth_pipeline_tests.reports.charts.colours import contrast, rgb

CHARTS = samples.every()


def colours_in(picture: bytes) -> set[tuple[int, int, int]]:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    return {colour for _, colour in image.getcolors(maxcolors=1 << 24)}


def beyond(axis) -> list[Text]:
    """Labels of marks that are not on the axis."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]


def boxes(figure):
    """Every text that is shown, with where it stands in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.canvas.draw()
    unseen = {id(label) for axes in figure.findobj(Axes) for axis in (axes.xaxis, axes.yaxis) for label in beyond(axis)}
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and id(text) not in unseen]
    return [(text, text.get_window_extent(renderer)) for text in texts]


def test_a_picture_is_as_wide_as_a_page_likes_and_the_same_each_time():
    for chart in (samples.heats(), samples.surface(), samples.one_panel()):
        picture = png(chart)
        wide, high = Image.open(io.BytesIO(picture)).size
        assert 640 <= wide <= 1000 and 200 <= high <= 1400, chart.name
        assert len(colours_in(picture)) > 50, chart.name
        assert png(chart) == picture


def test_arms_have_their_colours_and_other_lines_those_of_the_palette():
    found = colours_in(png(samples.lines()))
    for arm in ("ticket", "reinit", "random_mask", "dense"):
        assert rgb(ARMS[arm].colour) in found, arm
    assert rgb(PALETTE[0]) in found and rgb(PALETTE[1]) in found


@pytest.mark.parametrize("chart", [c for c in CHARTS if c.name != "surface"], ids=lambda chart: chart.name)
def test_all_words_are_inside_the_picture_and_none_covers_another(chart):
    figure = drawn(chart)
    wide, high = figure.bbox.width, figure.bbox.height
    words = boxes(figure)
    for text, box in words:
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= wide + 1 and box.y1 <= high + 1
        assert inside, (text.get_text(), box)
    # turned words have upright boxes that may touch; what is read straight may not
    straight = [(text, box) for text, box in words if text.get_rotation() in (0, 90)]
    for place, (text, box) in enumerate(straight):
        for other, its in straight[place + 1 :]:
            apart = min(box.x1, its.x1) - max(box.x0, its.x0), min(box.y1, its.y1) - max(box.y0, its.y0)
            assert min(apart) < 1.5, (text.get_text(), other.get_text())


def test_the_legend_names_everything_once_and_stands_below_the_panels():
    chart = samples.many_lines()
    figure = drawn(chart)
    said = [text.get_text().replace("\\$", "$") for text, _ in boxes(figure)]
    lowest = min(axes.get_position().y0 for axes in figure.axes)
    for panel in chart.panels:
        for line in panel.lines:
            assert said.count(line.name) == 1
    legend = [text for text, _ in boxes(figure) if text.get_text() == "ticket"]
    assert legend[0].get_position()[1] < lowest


def test_dollar_signs_are_no_formula():
    figure = drawn(samples.many_lines())
    title = next(axes for axes in figure.axes if "and" in axes.get_title(loc="left"))
    renderer = FigureCanvasAgg(figure).get_renderer()
    assert not title.get_legend()
    texts = {text.get_text(): text for text, _ in boxes(figure)}
    as_formula = texts[r"\$x^2\$ <b>0</b> & co"]
    assert as_formula.get_window_extent(renderer).width > 60


def test_densities_fall_to_the_right_with_at_most_eight_labels_the_first_and_the_last_among_them():
    axes = drawn(samples.lines()).axes[0]
    assert axes.get_xlim()[0] > axes.get_xlim()[1] and axes.get_xscale() == "log"
    labels = [tick.get_text() for tick in axes.get_xticklabels()]
    assert len(labels) <= 8 and labels[0] == "100" and labels[-1] == "6.9"


def test_panels_share_their_y_axis_where_asked():
    panels = [Lines(Axis("x"), Axis("y, %"), [Line("a", [0, 1], [0, top])]) for top in (1, 5)]
    own = [axes.get_ylim() for axes in drawn(Chart("c", "t", "a", panels)).axes]
    same = [axes.get_ylim() for axes in drawn(Chart("c", "t", "a", panels, same_y=True)).axes]
    assert own[0] != own[1] and same[0] == same[1] and same[0][1] >= 5


def test_bars_stand_on_zero_and_whiskers_are_inside():
    axes = drawn(Chart("c", "t", "a", [Bars(["g"], [Bar("b", [2.0], [1.0], [9.0])], Axis("y, %"))])).axes[0]
    assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > 9
    assert [round(patch.get_height(), 6) for patch in axes.patches] == [2.0]


def test_a_field_has_its_rows_upwards_or_downwards():
    for down in (False, True):
        field = Heat(
            [[0, 1], [2, 3]], Axis("x"), Axis("y"), "z", ["a", "b"], ["c", "d"], rows_down=down, numbers="{:.0f}"
        )
        axes = drawn(Chart("c", "t", "a", [field])).axes[0]
        low, high = axes.get_ylim()
        assert (low > high) == down
        assert sorted(text.get_text() for text in axes.texts) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("stops", [SEQUENTIAL, DIVERGING], ids=["sequential", "diverging"])
def test_numbers_in_cells_are_read_on_every_colour(stops):
    for value in range(201):
        colour = colour_at(Shade([], 0, 200, stops), value)
        assert contrast(ink_on(colour), colour) >= 4.5
    assert colour_at(Shade([], 0, 200, stops), 0) == stops[0] and colour_at(Shade([], 0, 200, stops), 999) == stops[-1]


def test_arrays_and_gaps_are_drawn_too():
    x, y = np.arange(4.0), np.array([1.0, np.nan, 3.0, 2.0])
    field = Heat(np.array([[1.0, np.nan], [np.inf, 4.0]]), Axis("x"), Axis("y"), "z", np.arange(2.0), np.arange(2.0))
    panels = [Lines(Axis("x"), Axis("y"), [Line("a", x, y, y - 1, y + 1), Line("b", list(x), [None] * 4)]), field]
    assert len(colours_in(png(Chart("c", "t", "a", panels)))) > 20


def test_a_chart_without_panels_is_refused_by_name():
    with pytest.raises(ValueError, match="'empty' has no panels"):
        png(Chart("empty", "t", "a", []))


def test_drawing_leaves_no_trace_in_matplotlib():
    before = dict(matplotlib.rcParams)
    png(samples.one_panel())
    assert dict(matplotlib.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert not sys.modules["matplotlib.pyplot"].get_fignums()


def test_long_words_break_and_none_is_lost():
    text = "a_very_long_name_without_any_space " * 3 + "short"
    lines = wrapped(text, 10.0, 1.5)
    assert max(width(line, 10.0) for line in lines.split("\n")) <= 1.5
    assert lines.replace("\n", "").replace(" ", "") == text.replace(" ", "")
