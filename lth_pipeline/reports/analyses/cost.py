"""The cost of the search in words, pictures and a table, and when it pays back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule

DENSITY = Axis("weights remaining, % (log)", log=True, falling=True)
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
#: what stands before FLOP -> what stands after images
UNITS = {
    "": "",
    "k": ", thousands",
    "M": ", millions",
    "G": ", billions",
    "T": ", trillions",
    "P": ", 10¹⁵",
    "E": ", 10¹⁸",
}


def section(findings: Findings, about: About) -> Section:
    table = findings.tables.get("cost", pd.DataFrame())
    tickets = table[table["round"] > 0] if len(table) else table
    if tickets.empty:
        return Section(NOTHING)
    summary = {row.key: row.value for row in findings.tables["summary"].itertuples()}
    charts = [_search(tickets, about), _use(table, about), _payback(tickets, about)]
    return Section(_sentence(tickets.iloc[-1]), charts, _text(summary, tickets), [_shown(table)])


def _sentence(last: pd.Series) -> str:
    trainings = f"{last['search_trainings']:.0f} training{'s' if last['search_trainings'] != 1 else ''}"
    return (
        f"Finding the ticket of {_percent(last['density'])} of the weights took {trainings} before it: "
        f"{last['search_iterations']:,.0f} iterations, {_seconds(last['search_seconds'], last['search_seconds_sd'])} "
        f"and about {_energy(last['search_kwh'])} (an estimate; n = {last['n']:.0f}). Trained again and again in place "
        f"of the dense network, the ticket pays that back {_after(last, 'payback_flops')} if every zero is skipped, "
        f"and {_after(last, 'payback_seconds')} by the seconds measured here."
    )


def _text(summary: dict[str, Any], tickets: pd.DataFrame) -> list[str]:
    last = tickets.iloc[-1]
    ratio = last["seconds"] / last["dense_seconds"]
    return [
        "The search is every training that the ticket comes of (the dense network, and in iterative pruning the "
        "tickets of the rounds before). The other arms are not in it: those of all rounds took "
        f"{tickets['controls_seconds'].sum():,.1f} s more, in each replicate. Operations are multiplications and "
        "additions of convolutions and fully connected layers, 2 for each weight and place it is used at; a training "
        "step takes 3 forward passes. Biases, norms, activations, the optimiser and evaluations are not counted.",
        "Zeros skipped: only weights that survive are counted, which is what hardware and software for such sparsity "
        "could reach at best. Most of today's compute zeros like any other number. What was measured here: the ticket "
        f"of {_percent(last['density'])} has {_percent(last['forward_flops_masked'] / last['forward_flops_dense'])} of "
        f"the dense network's operations, and its training took {_percent(ratio)} of the dense network's time "
        f"({last['seconds']:,.1f} s and {last['dense_seconds']:,.1f} s, evaluations included).",
        f"Energy is seconds times watts that are assumed, not measured: {summary['devices']}. All "
        f"{summary['trainings']} trainings of this experiment together took {summary['seconds']:,.0f} s and about "
        f"{_energy(summary['kwh'])}.",
        "A payback of N: after N uses (trainings, or images) the search and the ticket's uses have cost together what "
        "the dense network's would have; never, where a use of the ticket saves nothing. Iterative pruning that takes "
        "the same share p in every round comes near 1 / p trainings with zeros skipped, however sparse the ticket is.",
    ]


def _search(tickets: pd.DataFrame, about: About) -> Chart:
    scale, unit = _unit(tickets["search_flops_dense"].max())
    x, last = _densities(tickets), tickets.iloc[-1]
    operations = [
        Line("every weight computed", x, _scaled(tickets["search_flops_dense"], scale), colour=COMPUTED),
        Line("zeros skipped", x, _scaled(tickets["search_flops_masked"], scale), colour=SKIPPED),
    ]
    dense, masked = (_operations(last[f"search_flops_{how}"]) for how in ("dense", "masked"))
    return Chart(
        "cost_search",
        f"What finding the ticket took, by its density, mean of n = {_n(tickets)}",
        "Operations, and seconds, of all trainings that a ticket comes of, against the share of weights remaining. At "
        f"{_percent(last['density'])} they come to {dense} ({masked} with zeros skipped) and "
        f"{last['search_seconds']:,.1f} s.",
        [
            Lines(DENSITY, _from_zero(f"operations, {unit}FLOP", operations), operations, title="operations"),
            _measured(tickets, "search_seconds", Line("measured", x, [], colour=MEASURED), title="time of training"),
        ],
        about=[
            "Summed over the trainings before each ticket. Skipping zeros, later rounds cost ever less, and the sum "
            "levels off; computing every weight, each round costs what the first did. The band is ± one standard "
            "deviation over replicates.",
        ],
        notes=about.notes,
    )


def _use(table: pd.DataFrame, about: About) -> Chart:
    scale, unit = _unit(table["forward_flops_dense"].max())
    dense, last = table.iloc[0], table.iloc[-1]
    ticket = Line("winning ticket", _densities(table), _scaled(table["forward_flops_masked"], scale), arm="ticket")
    rules = [Rule(value, "y", "dense", "dense") for value in (dense["forward_flops_dense"] / scale, dense["seconds"])]
    axis = Axis(f"operations an image, {unit}FLOP (log)", log=True)
    of_images = f"{_operations(last['forward_flops_masked'])} an image where dense takes"
    return Chart(
        "cost_use",
        f"What one use of the ticket takes, by its density, mean of n = {_n(table)}",
        "Operations of one image's forward pass, and seconds of one training, against the share of weights remaining, "
        f"with a line for the dense network. The ticket of {_percent(last['density'])} takes {of_images} "
        f"{_operations(last['forward_flops_dense'])}, and {last['seconds']:,.1f} s where dense takes "
        f"{last['dense_seconds']:,.1f} s.",
        [
            Lines(DENSITY, axis, [ticket], rules[:1], "one image forward, zeros skipped"),
            _measured(table, "seconds", replace(ticket, legend=False), rules[1:], "one training, as measured"),
        ],
        about=[
            "Left: what could be saved, were every zero skipped. Right: what was saved on the device that trained it "
            "(± one standard deviation over replicates); the two part wherever zeros are computed all the same.",
        ],
        notes=about.notes,
    )


def _payback(tickets: pd.DataFrame, about: About) -> Chart:
    trainings = [
        line
        for place, (name, words) in enumerate(PAYBACKS.items())
        if any((line := _paid(tickets, name, Line(words, _densities(tickets), [], colour=place))).y)
    ]
    scale, unit = _unit(tickets["payback_images_dense_search"].max())
    images = [
        _paid(tickets, name, Line("", _densities(tickets), [], colour=colour, legend=False), scale)
        for name, colour in OF_IMAGES.items()
    ]
    last = tickets.iloc[-1]
    of_each = "; ".join(f"{words}: {_after(last, name)}" for name, words in PAYBACKS.items())
    return Chart(
        "cost_payback",
        f"How many uses of the ticket pay the search back, by its density, n = {_n(tickets)}",
        "The number of trainings, and of images answered, after which the search is paid back, against the share of "
        f"weights remaining. At {_percent(last['density'])}: {of_each}.",
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
            _percent(row["density"]),
            str(row["n"]),
            f"{row['search_trainings']:.0f}",
            f"{row['search_iterations']:,.0f}",
            _operations(row["search_flops_dense"]),
            _operations(row["search_flops_masked"]),
            _seconds(row["search_seconds"], row["search_seconds_sd"]),
            _energy(row["search_kwh"]),
            _operations(row["forward_flops_masked"]),
            _seconds(row["seconds"], row["seconds_sd"]),
            *(_number(row[name]) if row["round"] else "" for name in PAYBACKS),
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


def _unit(greatest: float) -> tuple[float, str]:
    """(what to divide by, its prefix) so that the greatest is between 1 and 1000."""
    place = int(math.log10(greatest) // 3) if not pd.isna(greatest) and greatest >= 1 else 0
    place = min(place, len(UNITS) - 1)
    return 1000.0**place, list(UNITS)[place]


def _operations(value: float) -> str:
    scale, unit = _unit(value)
    return f"{value / scale:.3g} {unit}FLOP"


def _energy(kwh: float) -> str:
    return f"{kwh:.2g} kWh" if kwh >= 1 else f"{1000 * kwh:.2g} Wh"


def _seconds(mean: float, sd: float | None) -> str:
    return f"{mean:,.1f} s" if pd.isna(sd) else f"{mean:,.1f} ± {sd:.1f} s"


def _number(value: float | None) -> str:
    return "never" if pd.isna(value) else f"{value:,.1f}"


def _after(row: pd.Series, name: str) -> str:
    """In words, from the least to the greatest replicate where they differ."""
    if pd.isna(row[name]):
        return "never"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    differ = pd.isna(high) or high > 1.01 * low
    spread = f" ({_number(low)} to {_number(high)})" if differ else ""
    return f"after {row[name]:,.1f} trainings{spread}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _n(rows: pd.DataFrame) -> str:
    least, most = int(rows["n"].min()), int(rows["n"].max())
    return str(most) if least == most else f"{least} to {most}"
