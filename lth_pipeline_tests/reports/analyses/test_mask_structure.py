"""The section on masks: legible whatever there is to show."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lth_pipeline.lottery.analysis.initial import VALUES
from lth_pipeline.lottery.analysis.movement import GROWTH
from lth_pipeline.recipes.analyses.analysis import joined, make
from lth_pipeline.recipes.analyses.mask_structure import parts
from lth_pipeline.reports.analyses.mask_structure import section
from lth_pipeline.reports.analyses.mask_structure_initial import INITIAL_RANGE
from lth_pipeline.reports.analyses.mask_structure_movement import GROWTH_RANGE
from lth_pipeline.reports.analyses.mask_structure_tables import MOST_LAYERS, some
from lth_pipeline.reports.analyses.section import About, Findings
from lth_pipeline.reports.charts.chart import Heat, Lines
from lth_pipeline.reports.charts.picture import png
from lth_pipeline_tests.recipes.analyses.test_mask_structure import RESNET, SHORT, subject_of
from lth_pipeline_tests.recipes.making import card

PIXELS = [
    *("layer_density", "pixels", "dead_units", "degrees", "overlap", "initial_values", "initial_magnitudes"),
    *("movement", "movement_distributions", "signs"),
]


def shown(subject):
    """(findings, about) of a subject."""
    found = joined(make(subject.workshop, part).found for part in parts(subject))
    tables = {name: pd.DataFrame(rows) for name, rows in found.tables.items()}
    replicates = [chain.replicate for chain in subject.chains]
    arrays = {name: array.numpy() for name, array in found.arrays.items()}
    return Findings(tables, arrays), About(subject.experiment, "digits", replicates, ["a quick run"])


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    tiny = card(arms=["ticket", "reinit", "random_mask"], replicates=2, pruning={"rounds": 3}, training=SHORT)
    return shown(subject_of(folder, 2, tiny=tiny))


def values_of(line) -> list[float]:
    return [value for value in (*line.x, *line.y) if value is not None]


def check(charts) -> None:
    """Every chart says what it is of, in words; every line has a number wherever it has a place."""
    for chart in charts:
        assert chart.title and chart.alt and chart.about and "nan" not in chart.alt.lower(), chart.name
        assert chart.notes == ["a quick run"]
        for panel in chart.panels:
            assert panel.x.label and panel.y.label
            if isinstance(panel, Lines):
                assert 1 <= len(panel.lines) <= MOST_LAYERS and all(
                    np.isfinite(values_of(line)).all() for line in panel.lines
                )
                assert all(len(line.x) == len(line.y) > 0 for line in panel.lines)
                assert len({(line.name, line.style) for line in panel.lines}) == len(panel.lines)


def test_there_is_a_chart_for_every_question(two):
    findings, about = two
    found = section(findings, about)
    assert [chart.name for chart in found.charts] == PIXELS
    check(found.charts)
    assert found.headline.startswith("At ") and "n = 2 replicates" in found.headline
    assert "share" in found.headline and "random reinit" in found.headline and "nan" not in found.headline
    layers, rounds = found.shown
    assert [row[0] for row in layers.rows] == ["fc1", "fc2", "output"]
    assert [row[0] for row in rounds.rows] == ["1", "2", "3"]
    assert all(len(row) == len(table.columns) for table in found.shown for row in table.rows)


def test_the_charts_show_what_the_tables_say(two):
    findings, about = two
    charts = {chart.name: chart for chart in section(findings, about).charts}
    signs = findings.tables["signs"]
    (reinit,) = [line for line in charts["signs"].panels[0].lines if line.arm == "reinit"]
    rows = signs[(signs["arm"] == "reinit") & (signs["layer"] == "all") & (signs["round"] == 3)]
    assert reinit.y[-1] == pytest.approx(100 * rows["changed"].mean())
    assert (reinit.low[-1], reinit.high[-1]) == (
        pytest.approx(100 * rows["changed"].min()),
        pytest.approx(100 * rows["changed"].max()),
    )
    assert reinit.x == pytest.approx(sorted(reinit.x, reverse=True)) and reinit.x[0] == 100
    for panel in charts["degrees"].panels:
        assert all(sum(line.y) == pytest.approx(100, abs=1) for line in panel.lines)
    for chart in ("initial_values", "movement_distributions"):
        for panel in charts[chart].panels:
            for line in panel.lines:
                width = line.x[1] - line.x[0]
                assert width * sum(line.y) == pytest.approx(1)
                assert all(after - before == pytest.approx(width) for before, after in pairwise(line.x))
    *maps, images = charts["pixels"].panels
    assert len({panel.limits for panel in maps}) == 1 and all(panel.square and panel.rows_down for panel in maps)
    assert np.asarray(images.values) == pytest.approx(findings.arrays["data/sd"].mean(0))
    assert np.mean(maps[-1].values) == pytest.approx(1)
    kept, pruned = charts["movement"].panels[1].lines[:2]
    assert (kept.name, pruned.name) == ("ticket, kept", "ticket, pruned next")
    rows = findings.tables["movement"]
    last = rows[(rows["pruned_to_round"] == 3) & (rows["arm"] == "ticket") & (rows["layer"] == "all")]
    for line, group in ((kept, "kept"), (pruned, "pruned")):
        assert line.y[0] == pytest.approx(100 * last[last["group"] == group]["away"].mean())  # the fewest weights first


def test_one_replicate_has_no_overlap_and_no_bands(two):
    findings, about = two
    tables = {
        name: table[(table["replicate"] == 1) & ~table.get("between", pd.Series("", table.index)).eq("replicates")]
        for name, table in findings.tables.items()
    }
    arrays = {name: array for name, array in findings.arrays.items() if name.startswith(("replicate1", "data"))}
    found = section(Findings(tables, arrays), replace(about, replicates=[1]))
    assert [chart.name for chart in found.charts] == [name for name in PIXELS if name != "overlap"]
    check(found.charts)
    assert "n = 1 replicate" in found.headline and "share" not in found.headline
    lines = [line for c in found.charts for panel in c.panels if isinstance(panel, Lines) for line in panel.lines]
    assert all(line.low is None for line in lines)


def test_the_card_s_rounds_are_the_ones_shown(two):
    findings, about = two
    asked = about.experiment.model_copy(
        update={"analysis": about.experiment.analysis.model_copy(update={"rounds": (0, 2)})}
    )
    charts = {chart.name: chart for chart in section(findings, replace(about, experiment=asked)).charts}
    assert len(charts["pixels"].panels) == 2  # round 2, and the images
    assert len(charts["initial_values"].panels[0].lines) == 2


def test_nothing_pruned_is_said(two):
    findings, about = two
    dense = {name: table[table["round"] == 0] for name, table in findings.tables.items()}
    for nothing in (Findings({}), Findings(dense, findings.arrays), Findings({"layers": pd.DataFrame()})):
        found = section(nothing, about)
        assert "nothing" in found.headline.lower() and not found.charts and not found.shown


def test_a_table_that_is_not_there_costs_its_charts_only(two):
    findings, about = two
    needed = {"layers", "units", "initial", "signs", "movement"}
    for name in set(findings.tables) - needed:
        rest = {other: table for other, table in findings.tables.items() if other != name}
        check(section(Findings(rest, findings.arrays), about).charts)
    check(section(Findings(findings.tables), about).charts)  # no arrays


@pytest.mark.parametrize(
    "changes",
    [
        {"model": RESNET, "pruning": {"scope": "global", "rates": {"conv": 0.5, "shortcut": 0.5, "fc": 0.5}}},
        {"pruning": {"structure": "units"}},
        {"pruning": {"mode": "one_shot"}, "arms": ["ticket", "reinit"]},
        {"pruning": {"criterion": "random", "scope": "global", "rates": {"fc": 0.9}, "empty_layers": "allow"}},
    ],
    ids=["resnet", "units", "one_shot", "emptied"],
)
def test_every_kind_of_network_is_drawn(tmp_path, changes):
    findings, about = shown(subject_of(tmp_path, tiny=card(**{"training": SHORT, **changes})))
    found = section(findings, about)
    check(found.charts)
    (first,) = [chart for chart in found.charts if chart.name in ("pixels", "kernel_positions")]
    assert isinstance(first.panels[0], Heat)
    if "model" in changes:
        assert first.name == "kernel_positions" and isinstance(found.charts[0].panels[0], Heat)
    assert png(first).startswith(b"\x89PNG")


def test_bins_are_those_of_the_analysis():
    assert ((VALUES.low, VALUES.high), (GROWTH.low, GROWTH.high)) == (INITIAL_RANGE, GROWTH_RANGE)


def test_some_of_many_layers_are_the_first_the_last_and_some_between():
    names = [str(number) for number in range(20)]
    assert some(names[:6]) == names[:6]
    assert some(names) == ["0", "4", "8", "11", "15", "19"]
