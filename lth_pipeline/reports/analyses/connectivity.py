"""Linear mode connectivity: the error between two copies of a network that saw their data in another order."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.along import along, evenly
from lth_pipeline.reports.analyses.parent import of_parent
from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.over_replicates import DENSITY, arms_of, by_density, line
from lth_pipeline.reports.wording import left, of_replicates, ranged, written

STABLE = 2.0  # percentage points of error
ALONG = Axis("place on the line between the copies (0: A, 1: B)")
ERROR = Axis("test error, %")
LOSS = Axis("test loss, nats")
INSTABILITY = Axis("instability, percentage points of error")
COLUMNS = (
    *("network", "weights remaining", "copies part at iteration", "instability on the test part, pp"),
    *("on the training part, pp", "midway, test part, pp", "stable", "distance of the copies (L2)"),
    "cosine of their ways",
)
ONE = ["replicate", "round", "arm", "draw", "start_iteration"]  # what tells comparisons apart


def section(findings: Findings, about: About) -> Section:
    every = findings.tables.get("instability", pd.DataFrame())
    lines = findings.tables.get("lines", pd.DataFrame())
    if every.empty:
        return Section("No network has been compared with a copy of it yet.")
    rows = every.dropna(subset=["instability_test"])
    if rows.empty or lines.empty:
        return Section(f"Of {len(every)} networks every one, or its copy, diverged: there is no line to look at.")
    rows = rows.merge(_between(lines), on=ONE, how="left")
    dense = rows["round"] == 0
    charts = []
    if dense.any():
        charts.append(_dense_lines(lines[lines["round"] == 0], about))
    if not dense.all():
        charts.append(_pruned_lines(lines, about))
    charts.append(_instability(rows, about))
    return Section(_headline(rows, about), charts, _text(every, rows, about), [_table(rows)])


def _dense_lines(lines: pd.DataFrame, about: About) -> Chart:
    """A line for each iteration from which the copies went on."""
    panels = [
        Lines(
            ALONG, axis, [_by_alpha(rows, column, scale, _since(rows), colour=place) for place, rows in _starts(lines)]
        )
        for axis, column, scale in ((ERROR, "test_error", 100.0), (LOSS, "test_loss", 1.0))
    ]
    tops = ", ".join(f"{each.name} {max(each.y):.2f} %" for each in panels[0].lines)
    return Chart(
        "connectivity_dense",
        f"Between two copies of the dense network: {about.head}",
        f"Highest test error on the line between the copies, of those that went on {tops}.",
        panels,
        [
            "Two copies of the dense network go on from the same iteration and see their data in another order. Along "
            "the straight line between their trained weights the error is measured: a hump is a barrier, a level line "
            "says that both ended in one basin, and a dip that networks between them are better than both. Line: mean "
            "of the replicates; band: least to greatest.",
            "In Frankle et al. 2020 LeNet on MNIST is connected in this way from initialisation on, ResNet-20 on "
            "CIFAR-10 from iteration 2,000 (3 % of training) and VGG-16 from iteration 1,000 (1.5 %).",
        ],
        notes=about.notes,
    )


def _pruned_lines(lines: pd.DataFrame, about: About) -> Chart:
    """A panel for each arm, a line for each density; the dense network that its copies part as early as the arm's."""
    rounds = evenly(set(lines["round"]) - {0})
    shades = lines.groupby("round")["density"].mean().map(about.shade)
    panels = []
    for arm in arms_of(lines):
        own = lines[lines["arm"] == arm]
        dense = _at_start_of(lines, own)
        drawn = [_by_alpha(dense, "test_error", 100.0, "100 % (dense)", arm="dense")] if len(dense) else []
        drawn += [
            _by_alpha(rows, "test_error", 100.0, left(rows["density"].mean()), shade=shades[round])
            for round, rows in own[own["round"].isin(rounds)].groupby("round")
        ]
        panels.append(Lines(ALONG, ERROR, drawn, title=ARMS[arm].title.capitalize()))
    tops = ". ".join(
        f"{panel.title}: " + ", ".join(f"{max(each.y):.2f} % at {each.name}" for each in panel.lines)
        for panel in panels
    )
    return Chart(
        "connectivity_tickets",
        f"Between two copies of a pruned network, by weights remaining: {about.head}",
        f"Highest test error on the line between the copies. {tops}.",
        panels,
        [
            "The same for networks under a mask: both copies begin with the same weights, those that the arm begins "
            "with. Line: mean of the replicates; band: least to greatest. Of more than five densities five are "
            "drawn; the table has all.",
            "Frankle et al. 2020 found that masks of iterative magnitude pruning gave networks as accurate as the "
            "dense one only where the network was stable in this sense, at initialisation or from the rewind point on.",
        ],
        columns=3,
        notes=about.notes,
        same_y=True,
    )


def _instability(rows: pd.DataFrame, about: About) -> Chart:
    panels = [panel for panel in (_by_start(rows), _by_density(rows)) if panel]
    seen = "; ".join(
        f"{panel.title}: " + ", ".join(f"{each.name} {each.y[0]:.2f} to {each.y[-1]:.2f}" for each in panel.lines)
        for panel in panels
    )
    return Chart(
        "instability",
        f"Instability to the order of the data: {about.head}",
        f"From the leftmost to the rightmost point, in percentage points. {seen}. A rule at {STABLE:.0f}.",
        panels,
        [
            "Instability is the highest error on the line, its ends among them, less the mean of the errors at the "
            "ends; where the highest is an end's it is half of their difference. Frankle et al. 2020 call a network "
            "stable where it is below 2 percentage points. Point: mean of the replicates; band: least to greatest."
        ],
        notes=about.notes,
    )


def _by_start(rows: pd.DataFrame) -> Lines | None:
    dense = rows[rows["round"] == 0]
    if dense.empty:
        return None
    starts = sorted(dense["start_iteration"].unique())
    shares = dense.groupby("start_iteration")["start_share"].first()
    place = dense.assign(place=dense["start_iteration"].map(starts.index))
    ticks = [(float(number), f"{100 * shares[at]:.3g}") for number, at in enumerate(starts)]
    lines = [
        line(f"{ARMS['dense'].title}, {part} part", spread, arm="dense", style=style)
        for part, style in (("test", "solid"), ("train", "dotted"))
        if (spread := along(place, "place", f"instability_{part}", 100.0))
    ]
    x = Axis("share of training done when the copies part, %", ticks=ticks)
    return Lines(x, INSTABILITY, lines, [_rule()], "By the iteration at which the copies part")


def _by_density(rows: pd.DataFrame) -> Lines | None:
    lines = []
    for arm in arms_of(rows):
        own = rows[rows["arm"] == arm]
        spread = by_density(pd.concat([_at_start_of(rows, own), own]), arm, "instability_test", 100.0)
        lines.append(line(ARMS[arm].title, spread, arm=arm))
    return Lines(DENSITY, INSTABILITY, lines, [_rule()], "Of pruned networks, on the test part") if lines else None


def _rule() -> Rule:
    return Rule(STABLE, "y", "stable below")


def _by_alpha(rows: pd.DataFrame, column: str, scale: float, name: str, **look) -> Line:
    return line(name, along(rows, "alpha", column, scale), marks=False, **look)


def _starts(lines: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    return [
        (place, lines[lines["start_iteration"] == start])
        for place, start in enumerate(evenly(lines["start_iteration"]))
    ]


def _since(rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    return f"from iteration {first['start_iteration']:,.0f} ({100 * first['start_share']:.3g} %)"


def _at_start_of(table: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """The dense network's rows whose copies part at the iteration where those of `own` do."""
    return table[(table["round"] == 0) & table["start_iteration"].isin(own["start_iteration"].unique())]


def _between(lines: pd.DataFrame) -> pd.DataFrame:
    """Of each comparison: at_end, whether an end has the highest test error; midway, the test error in the middle less
    the mean of the ends."""

    def shape(line: pd.DataFrame) -> pd.Series:
        errors = line.sort_values("alpha").set_index("alpha")["test_error"].dropna()
        if errors.empty:
            return pd.Series({"at_end": None, "midway": None})
        ends = errors.iloc[[0, -1]]
        middle = errors.iloc[abs(errors.index - 0.5).argmin()]
        return pd.Series({"at_end": bool(errors.max() <= ends.max()), "midway": middle - ends.mean()})

    return lines.groupby(ONE)[["alpha", "test_error"]].apply(shape).reset_index()


def _headline(rows: pd.DataFrame, about: About) -> str:
    said = []
    dense = rows[rows["round"] == 0]
    if len(dense):
        means = 100 * dense.groupby("start_iteration")["instability_test"].mean()
        stable = [(means.loc[at:] < STABLE).all() for at in means.index]
        values = ", ".join(f"{written(value, '.2f')} from {_at(at)}" for at, value in means.items())
        since = f"from {_at(means.index[stable.index(True)])} on" if any(stable) else "at none of the places looked at"
        also = _where_rewound(rows, means) if about.experiment.rewind.mode == "weights" else ""
        said.append(
            f"The dense network is stable to the order of its data {since}: the highest test error on the line between "
            f"two copies, ends included, lies so many percentage points above the mean of the ends: {values} "
            f"({STABLE:.0f} would be unstable; {of_replicates(dense['replicate'].nunique())}). {also}"
        )
    pruned = rows[rows["round"] > 0]
    if len(pruned):
        last = pruned[pruned["round"] == pruned["round"].max()]
        arms = ", ".join(
            f"{ARMS[arm].title} {ranged(100 * last.loc[last['arm'] == arm, 'instability_test'], '.2f')}"
            for arm in arms_of(last)
        )
        n = of_replicates(last["replicate"].nunique())
        rise = "it is" if said else "the error between two copies exceeds theirs, in percentage points, by"
        said.append(f"With {left(last['density'].mean())} of the weights {rise}: {arms} ({n}).")
    return " ".join(part.strip() for part in said)


def _where_rewound(rows: pd.DataFrame, means: pd.Series) -> str:
    """Whether the dense network is stable where tickets are rewound to. means: its instability by iteration."""
    starts = rows.loc[rows["arm"] == "ticket", "start_iteration"].unique()
    said = [
        f"Where tickets are rewound to, {_at(start)}, it is {'' if means[start] < STABLE else 'not '}stable. "
        for start in starts
        if start in means.index
    ]
    return "".join(said)


def _barriers(rows: pd.DataFrame, whose: str) -> list[str]:
    level = rows[rows["at_end"].eq(True)]
    if level.empty:
        return []
    which = "all" if len(level) == len(rows) else f"{len(level)} of {len(rows)}"
    middle = 100 * level["midway"].astype(float).mean()
    where = f"{written(abs(middle), '.2f')} points {'below' if middle < 0 else 'above'} the mean of the ends"
    said = f"{whose}: in {which} comparisons the highest error is an end's own, so no barrier lies between"
    return [f"{said}; midway the error is {where}."]


def _at(iteration: int) -> str:
    return "its initialisation" if iteration == 0 else f"iteration {iteration:,}"


def _text(every: pd.DataFrame, rows: pd.DataFrame, about: About) -> Sequence[str]:
    said = [
        "Copy A is the training that the experiment recorded; copy B begins with the same weights, and its data order, "
        "augmentation and dropout are drawn from other streams. Where the dense network parts later than at its "
        "initialisation, both copies are trained from the weights it had by then, with an optimiser that starts anew, "
        "as tickets are rewound."
    ]
    said += _barriers(rows[rows["round"] == 0], "Copies of the dense network")
    if rows["round"].max() > 0:
        said += _barriers(rows[rows["round"] == rows["round"].max()], "Copies of the sparsest networks")
    if about.experiment.rewind.mode != "weights" and rows["round"].max() > 0:
        said.append(
            "Tickets are not rewound in this experiment: both copies of one begin with the weights that it was pruned "
            "from, trained ones, whatever iteration they are said to part at."
        )
    if images := int(rows["batch_norm_images"].max()):
        said.append(
            f"Batch norm's running statistics do not hold between two networks: at every point of a line, the ends "
            f"too, they are taken anew from {images:,} training images. So an end may differ a little from what its "
            f"training recorded."
        )
    if lost := len(every) - len(rows):
        said.append(f"{lost} of {len(every)} comparisons are left out: a copy diverged.")
    return [*said, *of_parent(about, (rows["round"] == 0).any())]


def _table(rows: pd.DataFrame) -> Shown:
    cells = []
    for round in sorted(rows["round"].unique()):
        for arm in ("dense", *arms_of(rows)):
            own = rows[(rows["round"] == round) & (rows["arm"] == arm)]
            for start, part in own.groupby("start_iteration"):
                cells.append(
                    (
                        ARMS[arm].title,
                        left(part["density"].mean()),
                        f"{start:,}",
                        ranged(100 * part["instability_test"], ".2f"),
                        ranged(100 * part["instability_train"], ".2f"),
                        ranged(100 * part["midway"].astype(float), "+.2f"),
                        f"{int(part['stable'].astype(bool).sum())} of {len(part)}",
                        ranged(part["l2_distance"]),
                        ranged(part["cosine"].astype(float), ".3f"),
                    )
                )
    caption = (
        "Means over replicates, and from the least to the greatest; pp: percentage points. Midway: the error in "
        "the middle of the line less the mean of its ends, below 0 a dip."
    )
    return Shown(caption, COLUMNS, cells)
