"""The cost of the search in words, pictures and a table, and when it pays back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.cost_words import (
    BUSY,
    UNITS,
    WHY,
    after,
    energy_of,
    number_of,
    operations_of,
    paragraphs,
    seconds_of,
    sentence,
    unit_of,
)
from lth_pipeline.reports.analyses.parent import of_parent
from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.over_replicates import DENSITY
from lth_pipeline.reports.wording import digits, left

NOTHING = "No ticket has been trained to its end: there is no search to pay back."
#: by what trainings pay back, in words; their places are the colours of their lines
PAYBACKS = {
    "payback_flops": "operations, zeros skipped",
    "payback_flops_dense_search": "operations, search skips none",
    "payback_early_stop": "iterations to early stop",
    "payback_seconds": "seconds, as measured",
}
SKIPPED, COMPUTED, _, MEASURED = range(len(PAYBACKS))  # colours
OF_IMAGES = {"payback_images": SKIPPED, "payback_images_dense_search": COMPUTED}


def section(findings: Findings, about: About) -> Section:
    table = findings.tables.get("cost", pd.DataFrame())
    tickets = table[table["round"] > 0] if len(table) else table
    if tickets.empty:
        return Section(NOTHING)
    summary = {row.key: row.value for row in findings.tables["summary"].itertuples()}
    told, same = tickets[tickets["never"].isna()], table[table["never"] != "other data"]
    charts = [
        _search(tickets, about),
        *([_use(same, about)] if (same["round"] > 0).any() else []),
        *([_payback(told, about)] if len(told) else []),
    ]
    busy = busy_machine(table)
    text = [*paragraphs(summary, tickets, busy), *of_parent(about, tickets.iloc[-1]["never"] != "other data")]
    return Section(sentence(tickets.iloc[-1], busy), charts, text, [_shown(table)])


def busy_machine(table: pd.DataFrame) -> bool:
    """Whether in some round the slowest replicate's training took more than twice the fastest's, which did the same
    work. The table has means and standard deviations: where none takes more than twice another, the deviation is at
    most sqrt(1/8 · n / (n − 1)) of the mean."""
    several = table[(table["n"] > 1) & table["seconds_sd"].notna()]
    at_most = (several["n"] / (several["n"] - 1) / 8) ** 0.5
    return bool((several["seconds_sd"] / several["seconds"] > at_most).any())


def _search(tickets: pd.DataFrame, about: About) -> Chart:
    scale, unit = unit_of(tickets["search_flops_dense"].max())
    x, last = _densities(tickets), tickets.iloc[-1]
    operations = [
        Line("every weight computed", x, _scaled(tickets["search_flops_dense"], scale), colour=COMPUTED),
        Line("zeros skipped", x, _scaled(tickets["search_flops_masked"], scale), colour=SKIPPED),
    ]
    dense, masked = (operations_of(last[f"search_flops_{how}"]) for how in ("dense", "masked"))
    return Chart(
        "cost_search",
        f"What finding the ticket took, by weights remaining: {about.head}",
        "Operations, and seconds, of all trainings that a ticket comes of, against the share of weights remaining. At "
        f"{left(last['density'])} they come to {dense} ({masked} with zeros skipped) and "
        f"{digits(last['search_seconds'])} s.",
        [
            Lines(DENSITY, _from_zero(f"operations, {unit}FLOP", operations), operations, title="operations"),
            _measured(tickets, "search_seconds", Line("measured", x, [], colour=MEASURED), title="time of training"),
        ],
        about=[
            "Summed over the trainings before each ticket. Skipping zeros, later rounds cost ever less, and the sum "
            "levels off; computing every weight, each round costs what the first did. The band is ± one standard "
            "deviation over replicates.",
            *([BUSY] if busy_machine(tickets) else []),
        ],
        notes=about.notes,
    )


def _use(table: pd.DataFrame, about: About) -> Chart:
    scale, unit = unit_of(table["forward_flops_dense"].max())
    dense, last = table.iloc[0], table.iloc[-1]
    ticket = Line(ARMS["ticket"].title, _densities(table), _scaled(table["forward_flops_masked"], scale), arm="ticket")
    rules = [Rule(value, "y", "dense", "dense") for value in (dense["forward_flops_dense"] / scale, dense["seconds"])]
    axis = Axis(f"operations an image, {unit}FLOP (log)", log=True)
    of_images = f"{operations_of(last['forward_flops_masked'])} an image where dense takes"
    return Chart(
        "cost_use",
        f"What one use of the ticket takes, by weights remaining: {about.head}",
        "Operations of one image's forward pass, and seconds of one training, against the share of weights remaining, "
        f"with a line for the dense network. The ticket of {left(last['density'])} takes {of_images} "
        f"{operations_of(last['forward_flops_dense'])}, and {digits(last['seconds'])} s where dense takes "
        f"{digits(last['dense_seconds'])} s.",
        [
            Lines(DENSITY, axis, [ticket], rules[:1], "one image forward, zeros skipped"),
            _measured(table, "seconds", replace(ticket, legend=False), rules[1:], "one training, as measured"),
        ],
        about=[
            "One image forward: what could be saved, were every zero skipped. One training: what was saved on the "
            "device that trained it (mean ± one standard deviation over replicates). The two part wherever zeros are "
            "computed all the same.",
        ],
        notes=about.notes,
    )


def _payback(tickets: pd.DataFrame, about: About) -> Chart:
    trainings = [
        line
        for place, (name, words) in enumerate(PAYBACKS.items())
        if any((line := _paid(tickets, name, Line(words, _densities(tickets), [], colour=place))).y)
    ]
    scale, unit = unit_of(tickets["payback_images_dense_search"].max())
    images = [
        _paid(tickets, name, Line("", _densities(tickets), [], colour=colour, legend=False), scale)
        for name, colour in OF_IMAGES.items()
    ]
    last = tickets.iloc[-1]
    of_each = "; ".join(f"{words}: {after(last, name)}" for name, words in PAYBACKS.items())
    return Chart(
        "cost_payback",
        f"How many uses of the ticket pay the search back, by weights remaining: {about.head}",
        "The number of trainings, and of images answered, after which the search is paid back, against the share of "
        f"weights remaining. At {left(last['density'])}: {of_each}.",
        [
            Lines(DENSITY, Axis("trainings (log)", log=True), trainings, title="trainings until paid back"),
            Lines(DENSITY, _from_zero(f"images{UNITS[unit]}", images), images, title="images until paid back"),
        ],
        about=[
            "The search divided by what one use of the ticket saves against the dense network, each measured as the "
            "legend says; the band is the least to the greatest replicate. The lower, the sooner. Where a line has a "
            "gap, in at least one replicate a use of the ticket saved nothing.",
        ],
        notes=about.notes,
    )


def _measured(rows: pd.DataFrame, column: str, line: Line, rules: Sequence[Rule] = (), title: str = "") -> Lines:
    """Seconds, ± one standard deviation."""
    means, sds = rows[column], rows[f"{column}_sd"].fillna(0.0)
    ends = {"low": (means - sds).clip(lower=0).tolist(), "high": (means + sds).tolist()}
    drawn = replace(line, y=means.tolist(), **(ends if sds.any() else {}))
    return Lines(DENSITY, _from_zero("training time, s", [drawn]), [drawn], rules, title)


def _paid(rows: pd.DataFrame, name: str, line: Line, scale: float = 1.0) -> Line:
    """Where it pays back in every replicate."""
    always = rows[f"{name}_high"].notna() & (rows[name] > 0)
    ends = ("y", name), ("low", f"{name}_low"), ("high", f"{name}_high")
    drawn = {
        end: [float(value) / scale if paid else None for value, paid in zip(rows[column], always, strict=True)]
        for end, column in ends
    }
    return replace(line, **drawn)


def _from_zero(label: str, lines: Sequence[Line]) -> Axis:
    greatest = [value for line in lines for value in (line.high or line.y) if value is not None]
    return Axis(label, limits=(0.0, 1.1 * max(greatest)) if greatest and max(greatest) > 0 else None)


def _shown(table: pd.DataFrame) -> Shown:
    rows = [
        [
            left(row["density"]),
            str(row["n"]),
            f"{row['search_trainings']:.0f}",
            f"{row['search_iterations']:,.0f}",
            operations_of(row["search_flops_dense"]),
            operations_of(row["search_flops_masked"]),
            seconds_of(row["search_seconds"], row["search_seconds_sd"]),
            energy_of(row["search_kwh"]),
            operations_of(row["forward_flops_masked"]),
            seconds_of(row["seconds"], row["seconds_sd"]),
            *(number_of(row[name]) if row["round"] and row["never"] not in WHY else "" for name in PAYBACKS),
        ]
        for row in table.to_dict("records")
    ]
    caption = (
        "What finding each ticket took (trainings before it, their iterations, operations with every weight computed "
        "and with zeros skipped, seconds ± standard deviation, energy estimated), what it takes itself (operations an "
        "image, seconds of its training), and after how many trainings of it the search is paid back, by four measures."
    )
    columns = ["weights", "n", "trainings", "iterations", "operations", "zeros skipped", "time", "energy"]
    columns += ["an image", "own training", *(f"pays back: {words}" for words in PAYBACKS.values())]
    return Shown(caption, columns, rows)


def _densities(rows: pd.DataFrame) -> list[float]:
    return [100 * density for density in rows["density"]]


def _scaled(values: pd.Series, scale: float) -> list[float]:
    return [value / scale for value in values]
