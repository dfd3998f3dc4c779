"""Charts of the small network: accuracy against bytes and against time, and everything by density."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.analyses.small_network_forms import COLOURS, GAINS, RUNTIMES, Form, forms_of, of_form
from lth_pipeline.reports.analyses.small_network_words import size_of, time_of
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.over_replicates import DENSITY
from lth_pipeline.reports.wording import digits, left

ROOM = 15.0  # percentage points below dense that are drawn at most: what lost everything would flatten the rest
TURN = 1.02  # so far may a line of rounds turn back and still have its band
OF_RATIOS = {  # measure -> title of its panel, label of its axis
    "bytes": ("Size of the file", "times smaller than dense (log)"),
    "bytes_compressed": ("Size of the file, compressed", "times smaller than dense (log)"),
    "latency_1_ms": ("Time of one image", "times as fast as dense (log)"),
    "latency_64_ms": ("Time of 64 images", "times as fast as dense (log)"),
}
POINTS = "Point: mean of the replicates; band: least to greatest."


def charts(table: pd.DataFrame, about: About) -> list[Chart]:
    """table: `forms` with its ratios (`with_gains`)."""
    tickets = (table["round"] > 0).any()
    ratios = tickets and table[list(GAINS.values())].notna().any().any()
    return [
        _by_bytes(table, about),
        _by_time(table, about),
        *([_ratios(table, about)] if ratios else []),
        *([_memory(table, about)] if tickets else []),
    ]


def _by_bytes(table: pd.DataFrame, about: About) -> Chart:
    scale, unit = _size_unit(table[["bytes", "bytes_compressed"]].stack())
    measures = {"bytes": "File as it is", "bytes_compressed": "File, compressed"}
    panels = [
        _frontier(table, about, measure, scale, f"size of the file, {unit} (log)", title)
        for measure, title in measures.items()
    ]
    return Chart(
        "small_network_accuracy_bytes",
        f"Test accuracy against bytes, over all rounds: {about.head}",
        "A line for each form, from the dense network to the sparsest, towards fewer bytes. "
        f"{_ends(table, 'bytes', size_of)}",
        panels,
        [
            f"Up and to the left is better. Each point is a round. {POINTS} {_margin(about)}",
            "A compressor finds the zeros of the network as trained, too: a file that is unpacked before it is used is "
            "small without any sparse form.",
            *_below(table, panels),
        ],
        notes=about.notes,
        same_y=True,
    )


def _by_time(table: pd.DataFrame, about: About) -> Chart:
    panels = []
    for measure, title in (("latency_1_ms", "One image at a time"), ("latency_64_ms", "64 images at a time")):
        scale, unit = _time_unit(table[measure])
        label = f"time of {'one image' if measure == 'latency_1_ms' else '64 images'}, {unit} (log)"
        panels.append(_frontier(table, about, measure, scale, label, title))
    return Chart(
        "small_network_accuracy_latency",
        f"Test accuracy against time, over all rounds: {about.head}",
        f"A line for each form, from the dense network to the sparsest. {_ends(table, 'latency_64_ms', time_of)}",
        panels,
        [
            f"Up and to the left is better. Each point is a round. {POINTS} {_margin(about)}",
            "Where a line goes straight down, pruning cost accuracy and saved no time. A line that turns back has no "
            "band.",
            *_below(table, panels),
        ],
        notes=about.notes,
        same_y=True,
    )


def _ratios(table: pd.DataFrame, about: About) -> Chart:
    panels = []
    for measure, (title, label) in OF_RATIOS.items():
        lines = _by_density(table, GAINS[measure])
        panels.append(Lines(DENSITY, Axis(label, log=True), lines, [Rule(1.0, "y", "as dense", "dense")], title))
    sizes, times = ({line.name: line.y[-1] for line in panels[place].lines} for place in (0, 3))
    told = [
        f"{name} {digits(size, 2)} times smaller, 64 images {digits(times[name], 2)} times as fast"
        for name, size in sizes.items()
        if name in times
    ]
    return Chart(
        "small_network_ratios",
        f"Times smaller and faster than dense: {about.head}",
        "Ratios to the dense network as trained in the same runtime, against the share of weights remaining, with a "
        f"line at 1. At the sparsest: {'; '.join(told)}.",
        panels,
        [
            "Dense as trained divided by the ticket's form, of the same replicate, runtime and run: above the line at "
            f"1 the ticket is smaller or faster, below it larger or slower. {POINTS} What a form gains at 100 % is not "
            "pruning's doing: constants folded away, weights of 8 bits.",
        ],
        notes=about.notes,
    )


def _memory(table: pd.DataFrame, about: About) -> Chart:
    throughput = _by_density(table, "images_per_second", 1000.0)
    panels = [
        Lines(DENSITY, Axis("images a second, thousands (log)", log=True), throughput, title="64 images at a time")
    ]
    for runtime, (title, _) in RUNTIMES.items():
        rows = table[table["runtime"] == runtime].dropna(subset=["peak_bytes"])
        if len(rows):
            scale, unit = _size_unit(rows["peak_bytes"])
            lines = _by_density(rows, "peak_bytes", scale)
            axis = Axis(f"memory, {unit}", limits=(0.0, 1.08 * float(rows["peak_bytes"].max()) / scale or 1.0))
            panels.append(Lines(DENSITY, axis, lines, title=f"Memory in {title}"))
    return Chart(
        "small_network_memory",
        f"Images a second and memory, by weights remaining: {about.head}",
        "Throughput and the most memory at batch 64 against the share of weights remaining, a line for each form. "
        f"{_ends(table, 'images_per_second', lambda value: f'{digits(value)} images/s')}",
        panels,
        [
            "Memory is counted otherwise in each runtime (see the text above) and can be compared only within one; a "
            f"process's comes in whole pages and varies from start to start. {POINTS}"
        ],
        columns=3,
        notes=about.notes,
    )


def _frontier(table: pd.DataFrame, about: About, measure: str, scale: float, label: str, title: str) -> Lines:
    """Accuracy in % against `measure` / scale, a line through the rounds of each form, and dense marked. A line that
    turns back has no band: it would cover itself."""
    lines, of_dense = [], []
    for form in forms_of(table):
        rows = of_form(table, form).dropna(subset=[measure])
        if len(rows):
            grouped = rows.groupby("round")
            x, y = grouped[measure].mean() / scale, 100 * grouped["accuracy"].agg(["mean", "min", "max"])
            line = _line(form, x, y)
            turns_back = (x / x.cummin()).max() > TURN
            lines.append(replace(line, low=None, high=None) if turns_back else line)
            if 0 in y.index:
                of_dense.append((float(x[0]), float(y["mean"][0])))
    if of_dense:
        lines.append(Line("dense", *zip(*sorted(of_dense), strict=True), arm="dense", style="points"))
    dense_accuracy = table[table["round"] == 0].groupby("replicate")["accuracy"].first()
    rules = []
    if len(dense_accuracy):
        dense = float(100 * dense_accuracy.mean())
        rules = [
            Rule(dense, "y", "dense", "dense"),
            Rule(dense - 100 * about.experiment.analysis.margin, "y", "margin"),
        ]
    return Lines(Axis(label, log=True), Axis("test accuracy, %", limits=_limits(lines, rules)), lines, rules, title)


def _margin(about: About) -> str:
    return f"Margin: {100 * about.experiment.analysis.margin:g} percentage points below dense."


def _limits(lines: Sequence[Line], rules: Sequence[Rule]) -> tuple[float, float] | None:
    """No lower than ROOM below dense; None where that leaves nothing out."""
    values = [value for line in lines for value in (*line.y, *(line.low or ()), *(line.high or ()))]
    if not rules or min(values) >= rules[0].at - ROOM:
        return None
    return rules[0].at - ROOM, max([*values, rules[0].at]) + 0.05 * ROOM


def _below(table: pd.DataFrame, panels: Sequence[Lines]) -> list[str]:
    """That points lie below the picture, where they do."""
    limits = panels[0].y.limits
    if limits is None:
        return []
    rounds = table.groupby("round")[["accuracy", "density"]].mean()
    gone = rounds[100 * rounds["accuracy"] < limits[0]]
    where = f" (at {left(gone['density'].max())} of the weights and fewer)" if len(gone) else ""
    return [f"Networks of less than {limits[0]:.1f} % lie below the picture{where}."]


def _by_density(table: pd.DataFrame, column: str, scale: float = 1.0) -> list[Line]:
    """`column` / scale, a line for each form that has it."""
    lines = []
    for form in forms_of(table):
        rows = of_form(table, form).dropna(subset=[column])
        if len(rows):
            grouped = rows.groupby("round")
            lines.append(
                _line(form, 100 * grouped["density"].mean(), grouped[column].agg(["mean", "min", "max"]) / scale)
            )
    return lines


def _line(form: Form, x: pd.Series, y: pd.DataFrame) -> Line:
    several = bool((y["max"] > y["min"]).any())
    low, high = (y["min"].tolist(), y["max"].tolist()) if several else (None, None)
    style = RUNTIMES[form.runtime][1]
    return Line(form.title, x.tolist(), y["mean"].tolist(), low, high, colour=COLOURS[form.form], style=style)


def _ends(table: pd.DataFrame, measure: str, said: Callable[[float], str]) -> str:
    """Where each form begins and ends, for who does not see it."""
    told = []
    for form in forms_of(table):
        means = of_form(table, form).groupby("round")[measure].mean().dropna()
        if len(means):
            last = f" to {said(means.iloc[-1])}" if len(means) > 1 else ""
            told.append(f"{form.title}: {said(means.iloc[0])}{last}")
    return f"{'; '.join(told)}." if told else ""


def _size_unit(sizes: pd.Series) -> tuple[float, str]:
    return (1e6, "MB") if sizes.median() >= 1e6 else (1e3, "kB")


def _time_unit(times: pd.Series) -> tuple[float, str]:
    """Of milliseconds."""
    return (1e-3, "µs") if times.median() < 0.5 else (1.0, "ms")
