"""What a chart is: data, labels with units, and words. One chart, drawn twice: as a picture and for a page.

Colours follow from `arm` (a key of ARMS) wherever there is one, so an arm looks the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Numbers = Sequence[float | None]  # None: a gap


@dataclass(frozen=True)
class Axis:
    """label: with its unit: "test accuracy, %". falling: from right to left, as densities are read. ticks: where, and
    what stands there; left out: where the drawing finds them good."""

    label: str
    log: bool = False
    falling: bool = False
    limits: tuple[float, float] | None = None
    ticks: Sequence[tuple[float, str]] | None = None


@dataclass(frozen=True)
class Line:
    """Points joined by a line. low, high: the band around them. arm: "" for what is of no arm, which has the next
    colour of PALETTE, or `colour`, a number in it, or, of what is ordered as densities are, `shade`, a place from 0 to
    1 on the palette's ramp. legend: whether it has a line in the legend."""

    name: str
    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    arm: str = ""
    colour: int | None = None
    shade: float | None = None
    style: Literal["solid", "dashed", "dotted", "points"] = "solid"
    faint: bool = False
    marks: bool = True  # a marker at each point
    legend: bool = True


@dataclass(frozen=True)
class Rule:
    """A straight line across the panel. at: on the axis it stands on. say: what stands beside it; may be empty."""

    at: float
    across: Literal["x", "y"]  # "x": an upright line at that x
    say: str = ""
    arm: str = ""


@dataclass(frozen=True)
class Lines:
    x: Axis
    y: Axis
    lines: Sequence[Line]
    rules: Sequence[Rule] = ()
    title: str = ""


@dataclass(frozen=True)
class Bar:
    """One bar of every group. low, high: ends of its whisker."""

    name: str
    values: Numbers
    low: Numbers | None = None
    high: Numbers | None = None
    arm: str = ""
    colour: int | None = None


@dataclass(frozen=True)
class Bars:
    """Groups of bars side by side; lying: the groups below each other, for long names."""

    groups: Sequence[str]
    bars: Sequence[Bar]
    y: Axis  # of the values
    x_label: str = ""  # what the groups are
    lying: bool = False
    title: str = ""


@dataclass(frozen=True)
class Heat:
    """A field of cells. values[row][column]; rows run upwards unless `rows_down`. x_at, y_at: where columns and rows
    stand on their axes: numbers, or names of cells. contours: lines of equal height at these values. centred: two
    colours around `centre`. path: (xs, ys) of a line drawn over it, and where it begins, ends. numbers: the format of
    a number in each cell ("{:.0f}"), or ""."""

    values: Sequence[Numbers]
    x: Axis
    y: Axis
    scale: str  # what the colour is, with its unit
    x_at: Sequence[float] | Sequence[str]
    y_at: Sequence[float] | Sequence[str]
    limits: tuple[float, float] | None = None
    log: bool = False
    contours: Sequence[float] = ()
    centre: float | None = None
    path: tuple[Sequence[float], Sequence[float]] | None = None
    numbers: str = ""
    square: bool = False  # cells as high as wide
    rows_down: bool = False
    title: str = ""


@dataclass(frozen=True)
class Surface:
    """A height over a plane. values[row][column] at (x_at[column], y_at[row]); turned by the mouse on a page."""

    values: Sequence[Numbers]
    x: Axis
    y: Axis
    z: Axis
    x_at: Sequence[float]
    y_at: Sequence[float]
    limits: tuple[float, float] | None = None
    title: str = ""


Panel = Lines | Bars | Heat | Surface


@dataclass(frozen=True)
class Chart:
    """name: of its file, without ".png". title: what it shows, and of how many. alt: what a person sees in it, for who
    does not. about: paragraphs that stand by it: what it shows, what the papers found (with author and year). panels:
    side by side, `columns` in a row. notes: said in the picture (a quick run, say)."""

    name: str
    title: str
    alt: str
    panels: Sequence[Panel]
    about: Sequence[str] = ()
    columns: int = 2
    notes: Sequence[str] = ()
    same_y: bool = False  # of all panels
