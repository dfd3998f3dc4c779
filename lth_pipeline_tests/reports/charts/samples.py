"""Charts of every kind, as analyses make them: for the tests of pictures and pages, and to look at."""

from __future__ import annotations

import math

from lth_pipeline.reports.charts.chart import Axis, Bar, Bars, Chart, Heat, Line, Lines, Rule, Surface

DENSITIES = [100 * 0.8**round for round in range(13)]
DENSITY = Axis("weights remaining, % (log)", log=True, falling=True)
ARMS = ("ticket", "reinit", "random_mask")
NAMES = {"ticket": "ticket", "reinit": "random reinit", "random_mask": "random mask"}


def curves(arms=ARMS) -> list[Line]:
    made = []
    for place, arm in enumerate(arms):
        y = [97.6 + 0.25 * math.sin(round / 2) - (0.01 + 0.02 * place) * round**2 for round in range(13)]
        spread = [0.05 + 0.03 * round for round in range(13)]
        low = [a - b for a, b in zip(y, spread, strict=True)]
        high = [a + b for a, b in zip(y, spread, strict=True)]
        made.append(Line(NAMES.get(arm, arm), DENSITIES, y, low, high, arm=arm))
    return made


def bowl(points: int = 21, log: bool = False) -> tuple[list[float], list[list[float]]]:
    at = [-1 + 2 * place / (points - 1) for place in range(points)]
    rows = [[0.02 + 3 * x * x + 1.4 * y * y + 0.5 * math.sin(4 * x) * y for x in at] for y in at]
    return at, [[max(value, 0.01) for value in row] for row in rows] if log else rows


def lines() -> Chart:
    panels = [
        Lines(
            DENSITY,
            Axis("test accuracy at early stop, %"),
            curves(),
            rules=[Rule(97.6, "y", "dense network", arm="dense"), Rule(21.0, "x", "sparsest winning ticket")],
            title="At the early-stop iteration",
        ),
        Lines(
            Axis("iteration"),
            Axis("validation loss, nats (log)", log=True),
            [
                Line("round 0", range(0, 5000, 250), [2.3 * math.exp(-i / 6) + 0.05 for i in range(20)], colour=0),
                Line(
                    "round 4",
                    range(0, 5000, 250),
                    [None if i == 7 else 2.3 * math.exp(-i / 4) + 0.06 for i in range(20)],
                    colour=1,
                    style="dashed",
                ),
                Line(
                    "each of the replicates",
                    range(0, 5000, 250),
                    [2.3 * math.exp(-i / 5) + 0.07 for i in range(20)],
                    colour=2,
                    style="points",
                    faint=True,
                ),
            ],
            title="How the loss falls during training, over the iterations of three rounds of pruning",
        ),
    ]
    return Chart(
        "lines",
        "Tickets learn faster than their controls: digits · handwritten digits · 900 iterations · n = 3 · seed 0",
        "Two panels of lines. On the left the ticket stays above random reinit and random mask down to 7 %.",
        panels,
        about=["The left panel shows test accuracy.", "Frankle & Carbin (2019, Fig. 3) show the same for LeNet."],
        notes=["quick run, not the paper's protocol"],
    )


def bars() -> Chart:
    groups = ["fc1", "fc2", "output"]
    panels = [
        Bars(
            groups,
            [
                Bar("ticket", [0.41, 0.32, -0.12], [0.3, 0.3, -0.2], [0.5, 0.35, -0.05], arm="ticket"),
                Bar("random reinit", [0.21, None, 0.14], [0.1, None, 0.1], [0.3, None, 0.2], arm="reinit"),
            ],
            Axis("Spearman's ρ with |initial weight|"),
            x_label="layer",
            title="Upright",
        ),
        Bars(
            ["gaussian noise, severity 3", "rotation of up to 30°", "brightness", "a very long name_of_a corruption"],
            [Bar("dense network", [3, 8, 1.5, 12], arm="dense"), Bar("no arm at all", [5, 2, 0.7, 30], colour=4)],
            Axis("accuracy lost, percentage points (log)", log=True),
            x_label="corruption",
            lying=True,
            title="Lying",
        ),
    ]
    return Chart("bars", "Bars of two kinds · n = 3", "Bars; those of the ticket are the longest.", panels)


def heats() -> Chart:
    at, rows = bowl(log=True)
    confusion = [
        [(97 - row) if row == column else 3 * ((row * column) % 4) for column in range(10)] for row in range(10)
    ]
    digits = [str(number) for number in range(10)]
    matrix = [[math.cos(row - column) if row != 3 else None for column in range(5)] for row in range(5)]
    names = ["round 0", "round 1, ticket", "round 4, ticket", "round 8, ticket", "round 8, reinit"]
    panels = [
        Heat(
            rows,
            Axis("first direction, units of filter norm"),
            Axis("second direction, units of filter norm"),
            "training loss, nats (log)",
            at,
            at,
            log=True,
            contours=(0.1, 0.5, 2.0),
            path=([-0.8, -0.5, -0.2, 0.0], [0.9, 0.4, 0.1, 0.0]),
            square=True,
            title="Sequential, contours, a path",
        ),
        Heat(
            confusion,
            Axis("predicted digit"),
            Axis("true digit"),
            "images, %",
            digits,
            digits,
            limits=(0, 100),
            numbers="{:.0f}",
            square=True,
            rows_down=True,
            title="Names and numbers in the cells",
        ),
        Heat(
            matrix,
            Axis("network"),
            Axis("network"),
            "correlation",
            names,
            names,
            limits=(-1, 1),
            centre=0.0,
            numbers="{:.2f}",
            rows_down=True,
            title="Two colours around 0",
        ),
        Heat(
            [[rate * density for density in DENSITIES[:6]] for rate in (1, 2, 3)],
            DENSITY,
            Axis("learning rate (log)", log=True),
            "seconds",
            DENSITIES[:6],
            [0.01, 0.03, 0.1],
            title="Both axes logarithmic",
        ),
    ]
    return Chart("heats", "Fields of cells · n = 3", "Four fields; the first is a bowl.", panels)


def surface() -> Chart:
    at, rows = bowl()
    x, y = Axis("first direction"), Axis("second direction")
    panels = [
        Surface(rows, x, y, Axis("training loss, nats"), at, at, limits=(0, 3), title="The dense network"),
        Surface(rows, x, y, Axis("training loss, nats (log)", log=True), at, at, title="The ticket"),
    ]
    return Chart("surface", "The loss around two minima · n = 1", "Two bowls.", panels)


def many_lines() -> Chart:
    """Three panels in a row that share a long legend, one of them empty; a name that would be a formula or HTML."""
    arms = ("ticket", "reinit", "random_mask", "shuffled_mask", "dense_small", "reinit_same_sign", "ticket_distilled")
    y = Axis("test accuracy, %")
    odd = [Line(f"$x^2$ <b>{n}</b> & co", [1, 2, 3], [n, n + 1, n]) for n in range(3)]
    panels = [
        Lines(DENSITY, y, curves(arms), title="Seven arms"),
        Lines(Axis("step", ticks=[(n, f"step {n}") for n in range(1, 40)]), y, odd, title="$1 and $2"),
        Lines(DENSITY, y, [Line("ticket", [], [], arm="ticket")], title="Nothing in it"),
    ]
    return Chart("many", "Many lines · </script><script>alert(1)</script>", 'A "tangle".', panels, columns=3)


def one_panel() -> Chart:
    panel = Lines(
        DENSITY,
        Axis("early-stop iteration", limits=(0, 1000)),
        [Line("ticket", [100, 50, 20], [900, 600, 400], arm="ticket")],
    )
    return Chart("one", "One panel, one line · n = 1", "It falls.", [panel], columns=1)


def every() -> list[Chart]:
    return [lines(), bars(), heats(), surface(), many_lines(), one_panel()]
