"""The colours and markers of charts, on white and on dark; told apart by the colour-blind.

What is of an arm has the arm's colour. What is ordered, as densities are, has a place on the ramp. PALETTE is for
everything else, and holds no arm's colour.
"""

from __future__ import annotations

from dataclasses import dataclass

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.charts.chart import Bar, Bars, Chart, Line, Lines

PAPER, PAPER_DARK = "#ffffff", "#14181d"  # what charts stand on

#: the arms' colours on dark: the same hue, light enough
ARMS_ON_DARK = {
    "dense": "#d6d6d6",
    "ticket": "#3b9be8",
    "ticket_distilled": "#cf5f9c",
    "reinit": "#f06a1e",
    "reinit_same_sign": "#ffca5a",
    "random_mask": "#1fc795",
    "shuffled_mask": "#e79bcb",
    "dense_small": "#a3dcfb",
}
PALETTE = ("#2a1a7a", "#a08a2a", "#6b2f14", "#6f7fd0", "#0f5a50", "#a94a86", "#7c8a94", "#3a3a3a")
PALETTE_ON_DARK = ("#8f86ff", "#efe08a", "#c98f6a", "#b9c6ff", "#2f9585", "#f0a0d0", "#93a1ab", "#ffffff")
#: from the dense end to the sparse: ever lighter, on white and on dark, and at both ends apart from the paper
RAMP_ENDS = ("#1b0c8f", "#6a1fb5", "#b8339c", "#e2557f")
RAMP_ENDS_ON_DARK = ("#6a63ea", "#a86bf2", "#e07fd4", "#ffc0c8")
SHADES = 61  # steps of the ramp
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")  # beside PALETTE, for who sees no colours
#: matplotlib's marker -> plotly's symbol
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "v": "triangle-down",
    "D": "diamond",
    "P": "cross",
    "X": "x",
    "h": "hexagon",
}
#: from low to high, evenly spaced (viridis)
SEQUENTIAL = (
    *("#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c"),
    *("#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"),
)
DIVERGING = ("#123f73", "#2f6fb0", "#7fb0dd", "#c9dff0", "#f4f4f2", "#f6d9bd", "#e6a565", "#bd6a1e", "#7a3a00")
MISSING = "#b8b8b8"  # a cell without a value


@dataclass(frozen=True)
class Look:
    colour: str
    on_dark: str
    marker: str  # matplotlib's


def arm_look(arm: str) -> Look:
    return Look(ARMS[arm].colour, ARMS_ON_DARK[arm], ARMS[arm].marker)


def _ramp(stops: tuple[str, ...]) -> tuple[str, ...]:
    """SHADES colours evenly along the line from stop to stop."""
    parts = [[int(stop[place : place + 2], 16) for place in (1, 3, 5)] for stop in stops]
    colours = []
    for step in range(SHADES):
        at = step * (len(stops) - 1) / (SHADES - 1)
        first = min(int(at), len(stops) - 2)
        pairs = zip(parts[first], parts[first + 1], strict=True)
        colours.append("#" + "".join(f"{round(one + (at - first) * (other - one)):02x}" for one, other in pairs))
    return tuple(colours)


RAMP, RAMP_ON_DARK = _ramp(RAMP_ENDS), _ramp(RAMP_ENDS_ON_DARK)


def shaded_look(shade: float) -> Look:
    """shade: 0 to 1; what is beyond has the colour of the end."""
    step = round(min(max(shade, 0.0), 1.0) * (SHADES - 1))
    return Look(RAMP[step], RAMP_ON_DARK[step], MARKERS[step % len(MARKERS)])


def numbered_look(number: int) -> Look:
    place = number % len(PALETTE)
    return Look(PALETTE[place], PALETTE_ON_DARK[place], MARKERS[place])


def looks(chart: Chart) -> dict[tuple[str, str, int | None], Look]:
    """{(name, arm, colour) of each line and bar: its look}. One name has one look in all panels of a chart."""
    found, free = {}, _free_numbers(chart)
    for thing in _things(chart):
        key = look_key(thing)
        if key in found:
            continue
        if thing.arm:
            found[key] = arm_look(thing.arm)
        elif isinstance(thing, Line) and thing.shade is not None:
            found[key] = shaded_look(thing.shade)
        else:
            found[key] = numbered_look(next(free) if thing.colour is None else thing.colour)
    return found


def look_key(thing: Line | Bar) -> tuple[str, str, int | None]:
    return thing.name, thing.arm, thing.colour


def _things(chart: Chart) -> list[Line | Bar]:
    things: list[Line | Bar] = []
    for panel in chart.panels:
        if isinstance(panel, Lines):
            things += panel.lines
        elif isinstance(panel, Bars):
            things += panel.bars
    return things


def _free_numbers(chart: Chart):
    taken = {thing.colour for thing in _things(chart) if not thing.arm and thing.colour is not None}
    number = 0
    while True:
        if number not in taken:
            yield number
        number += 1


def on_dark() -> dict[str, str]:
    """{colour on white: its colour on dark}, of everything that must change; the colours of cells stay."""
    words = {"#222222": "#e8eaed", "#e6e8ea": "#303740", "#666666": "#a3abb5", PAPER: "#1f252c"}
    arms = {ARMS[arm].colour: colour for arm, colour in ARMS_ON_DARK.items()}
    others = dict(zip(PALETTE + RAMP, PALETTE_ON_DARK + RAMP_ON_DARK, strict=True))
    return {colour.lower(): dark for colour, dark in (words | arms | others).items()}


def darkened(thing):
    """The same, nested lists and mappings with every colour as it is on dark; "#0072b22a" ends with its opacity."""
    changed = on_dark()

    def walk(part):
        if isinstance(part, dict):
            return {key: walk(value) for key, value in part.items()}
        if isinstance(part, list):
            return [walk(value) for value in part]
        if isinstance(part, str) and len(part) in (7, 9) and part[:7].lower() in changed:
            return changed[part[:7].lower()] + part[7:]
        return part

    return walk(thing)
