"""The figure of a sweep: test accuracy against density, a colour for each experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.comparison import MEASURE, Comparison
from lth_pipeline.reports.drawing import FAINT, INK, figure, mark
from lth_pipeline.reports.table import averaged, by_round, ended, notes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: of Okabe & Ito's palette, told apart by the colour-blind; without its yellow, which is too pale for a line
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: where there are more members than colours, the line changes too
STYLES = ("-", (0, (7, 1.5, 1.5, 1.5)), (0, (1.5, 1)))
TICKS = [mantissa * 10**power for power in range(2, -5, -1) for mantissa in (5, 2, 1)]  # percent, of a log axis
LINE_INCHES, LETTER_INCHES = 0.165, 0.060  # of the legend at its size of 7.5 points
COLUMN = 26  # lines of the legend before it begins another column
SHARED = "#444444"


def comparison_figure(compared: Comparison, title: str) -> Figure:
    """Mean test accuracy at early stop, %, of every member; a band from least to greatest replicate of tickets."""
    from matplotlib.lines import Line2D

    count = len(compared.members)
    styles = {member: style_of(place, count) for place, member in enumerate(compared.members)}
    columns = -(-(len(styles) + 6) // COLUMN)
    longest = max(len(compared.labels[member]) for member in styles)
    right = columns * (0.55 + LETTER_INCHES * max(longest, 22))
    lines = -(-len(styles) // columns) + len(compared.arms()) + 3
    drawn, axes = figure(5.9 + right, max(4.2, 1.0 + LINE_INCHES * lines), title, right=right)
    handles = []
    for member, (colour, line) in styles.items():
        frame = compared.of(member)
        means = by_round(frame)
        for arm in (arm for arm in compared.arms() if arm not in ("dense", "ticket")):
            _control(axes, means, arm, colour)
        _ticket(axes, frame, means, colour, line)
        handles.append(Line2D([], [], color=colour, linestyle=line, linewidth=1.8, label=compared.labels[member]))
    _dense(axes, compared, {member: colour for member, (colour, _) in styles.items()})
    _density_axis(axes, [100 * density for density in ended(compared.frame)["density"].unique()])
    axes.set_ylabel("test accuracy at early stop, %", fontsize=9)
    mark(drawn, [*_short_notes(compared), *_leave_room_for_tickets(axes, compared)])
    _legend(drawn, axes, compared, handles, columns, right)
    return drawn


def style_of(place: int, count: int) -> tuple[object, object]:
    """(colour, line style) of the member at `place`, from 0, of `count`: 21 that differ; for more, a colour scale."""
    if count > len(COLOURS) * len(STYLES):
        from matplotlib import colormaps

        return colormaps["viridis"](0.95 * place / count), STYLES[place % len(STYLES)]
    return COLOURS[place % len(COLOURS)], STYLES[place // len(COLOURS)]


def _points(means: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Densest first. Every arm sets out from the dense network, as in the paper."""
    return means[means["arm"].isin(["dense", arm])].sort_values("density", ascending=False)


def _ticket(axes: Axes, frame: pd.DataFrame, means: pd.DataFrame, colour: str, line: object) -> None:
    points = _points(means, "ticket")
    marker = ARMS["ticket"].marker
    axes.plot(
        *(100 * points["density"], 100 * points[MEASURE]),
        color=colour,
        linestyle=line,
        marker=marker,
        markersize=3.8,
        linewidth=1.5,
        zorder=3,
    )
    replicates = averaged(frame)[lambda rows: rows["arm"].isin(["dense", "ticket"])]
    values = replicates.groupby("round")[MEASURE]
    if len(points) and values.size().max() > 1:
        low, high = (points["round"].map(100 * limit) for limit in (values.min(), values.max()))
        axes.fill_between(100 * points["density"], low, high, color=colour, alpha=0.12, linewidth=0)


def _control(axes: Axes, means: pd.DataFrame, arm: str, colour: str) -> None:
    points = _points(means, arm)
    if (points["arm"] == arm).any():
        axes.plot(
            *(100 * points["density"], 100 * points[MEASURE]),
            color=colour,
            linestyle=(0, (3.5, 2)),
            marker=ARMS[arm].marker,
            markersize=3.4,
            markerfacecolor="white",
            markeredgewidth=0.7,
            linewidth=0.8,
            alpha=0.8,
            zorder=2,
        )


def _dense(axes: Axes, compared: Comparison, colours: dict[str, str]) -> None:
    """A line for each dense network; members that share one share its line."""
    sharing: dict[tuple, list[str]] = {}
    for member in colours:
        frame = ended(compared.of(member))
        values = tuple(frame[frame["arm"] == "dense"][MEASURE])
        if values:
            sharing.setdefault(values, []).append(member)
    for values, members in sharing.items():
        colour = colours[members[0]] if len(members) == 1 and len(colours) > 1 else SHARED
        height = 100 * sum(values) / len(values)
        axes.axhline(height, color=colour, linewidth=0.7, linestyle="-", alpha=0.6, zorder=1)


def _density_axis(axes: Axes, percents: list[float]) -> None:
    axes.set_xscale("log")
    most, least = (max(percents), min(percents)) if percents else (100.0, 1.0)
    shown = [tick for tick in TICKS if least / 1.02 <= tick <= most * 1.02]
    if least < 0.8 * shown[-1]:
        shown.append(least)
    axes.set_xlim(most * 1.08, least / 1.08)
    axes.set_xticks(shown, [f"{tick:.3g}" for tick in shown])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("weights remaining, % (log)", fontsize=9)


def _leave_room_for_tickets(axes: Axes, compared: Comparison) -> list[str]:
    """Cut the axis where controls fall so far that the tickets would be pressed together; gives what to say of it."""
    rows = ended(compared.frame)
    values = 100 * rows[MEASURE]
    tickets = values[rows["arm"].isin(["dense", "ticket"])]
    if tickets.empty:
        return []
    span = max(tickets.max() - tickets.min(), 0.5)
    lowest = tickets.min() - 1.2 * span
    if values.min() >= lowest:
        return []
    axes.set_ylim(lowest, tickets.max() + 0.1 * span)
    return [f"controls go on below {lowest:.1f} %"]


def _legend(drawn: Figure, axes: Axes, compared: Comparison, handles: list, columns: int, right: float) -> None:
    """Members, outside the axes; beneath them the arms."""
    from matplotlib.lines import Line2D

    width, height = drawn.get_size_inches()
    place = {"loc": "upper left", "frameon": False, "fontsize": 7.5, "borderaxespad": 0, "handlelength": 2.6}
    place |= {"alignment": "left", "title_fontsize": 7.5}
    left = 1 - (right - 0.12) / width
    top = axes.get_position().y1
    drawn.legend(handles=handles, bbox_to_anchor=(left, top), ncols=columns, title="experiment", **place)
    shown = [
        Line2D([], [], color=INK, marker=ARMS[arm].marker, markersize=3.8, linewidth=1.5, label=ARMS[arm].title)
        if arm == "ticket"
        else Line2D([], [], color=FAINT, linewidth=0.9, label=ARMS[arm].title)
        if arm == "dense"
        else Line2D(
            *([], []),
            color=INK,
            linestyle=(0, (3.5, 2)),
            marker=ARMS[arm].marker,
            markersize=3.4,
            markerfacecolor="white",
            linewidth=0.8,
            label=ARMS[arm].title,
        )
        for arm in compared.arms()
    ]
    below = top - LINE_INCHES * (-(-len(handles) // columns) + 1.9) / height
    n = {facts["n"] for facts in compared.facts.values()}
    alone = n == {"1"}
    spread = "one replicate, no spread" if alone else "band: least to greatest"
    drawn.legend(handles=shown, bbox_to_anchor=(left, below), title=spread, **place)


def _short_notes(compared: Comparison) -> list[str]:
    missing = [f"{len(compared.missing)} of {len(compared.sweep.members)} not run yet"] if compared.missing else []
    return [*notes(compared.frame, short=True), *missing]
