"""The loss around trained networks, drawn."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.parent import of_parent
from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.charts.chart import Axis, Chart, Heat, Line, Lines, Surface
from lth_pipeline.reports.over_replicates import DENSITY, arms_of, by_density, line
from lth_pipeline.reports.surfaces import extent, field, key, levels, numeric, rows_with
from lth_pipeline.reports.wording import digits, left, with_error

DECADES = 4  # of the loss that are told apart
PANELS = 6  # contours side by side, at most
ALONG = "along direction {}, in norms of each filter"
LOSS = "training loss (log)"
#: column -> its axis and its panel's title
MEASURES = {
    "eigenvalue_1": ("greatest eigenvalue", "Sharpest direction"),
    "trace": ("trace of the Hessian", "Curvature of all directions"),
    "rise": ("rise of the loss at radius 0.5", "Rise in random directions"),
}
COLUMNS = ("weights remaining", "arm", "n", "training loss", "greatest eigenvalues", "trace", "rise at radius 0.5")
METHOD = (
    "The loss is the mean cross-entropy of {images} training images, the same for all networks of a replicate; batch "
    "norm, where there is any, is in evaluation mode with the running statistics as training left them. The two "
    "directions are random and filter-normalised (Li et al. 2018): in each filter, or unit, as long as the network's "
    "own weights there. Pruned weights, biases and batch norm stay as they are. All networks of a replicate share the "
    "random draws, cut by each one's mask. The rise is the mean loss half a norm away, "
    "both ways along ten such directions, less that at the centre."
)
HESSIAN = (
    "Eigenvalues and trace are of the Hessian of that loss over all that training moves and pruning left: the three "
    "greatest by Lanczos with a residual (in the CSV file: an eigenvalue lies no farther than that from each), the "
    "trace by Hutchinson's estimate with its standard error. They are not scale invariant: a ReLU network can be "
    "rescaled layer by layer to another sharpness without computing anything else (Dinh et al. 2017). Networks of "
    "different density have different parameters, and the surer a network is of its answers, the smaller is the "
    "curvature of the cross-entropy. Between densities the filter-normalised rise compares better."
)
PAPERS = (
    "Li et al. 2018 (Visualizing the Loss Landscape of Neural Nets) found that with filter normalisation, and not "
    "without it, flatter surfaces went with smaller test errors; Keskar et al. 2017 that training with large batches "
    "ends in sharper minima, which generalise worse. Dinh et al. 2017 showed that sharp minima can generalise, too: "
    "flatness is an observation here, no proof."
)
TICKETS = (
    "Of tickets Evci et al. 2022 found that they end in the basin of the pruned solution they were found from; Frankle "
    "et al. 2020 that those which match the dense network are those stable to the order of data (see linear mode "
    "connectivity)."
)


def section(findings: Findings, about: About) -> Section:
    table = findings.tables.get("sharpness", pd.DataFrame())
    if table.empty:
        return Section("No trained network has been looked at yet, so there is no landscape to draw.")
    table = numeric(table)
    drawn = rows_with(table, findings.arrays, "surface")
    charts = [*_fields(drawn, findings, about), _sharpness(table, about)]
    method = METHOD.format(images=f"{int(table['images'].max()):,}")
    text = [method, HESSIAN, *of_parent(about, (table["round"] == 0).any())]
    return Section(_headline(table), charts, text, [_table(table)])


def _fields(drawn: pd.DataFrame, findings: Findings, about: About) -> list[Chart]:
    if drawn.empty:
        return []
    deepest = drawn["round"].max()
    beside = drawn[(drawn["round"] == 0) | (drawn["round"] == deepest)]
    tickets = drawn[drawn["arm"].isin(["dense", "ticket"])]
    if len(tickets) > PANELS:  # evenly, both ends among them
        tickets = tickets.iloc[[round(place * (len(tickets) - 1) / (PANELS - 1)) for place in range(PANELS)]]
    return [_surfaces(beside, findings, about), _contours(tickets, findings, about)]


def _surfaces(rows: pd.DataFrame, findings: Findings, about: About) -> Chart:
    limits = extent((_array(findings, row) for _, row in rows.iterrows()), DECADES)
    panels = [
        Surface(
            field(_array(findings, row)),
            Axis("direction 1, filter norms"),
            Axis("direction 2, filter norms"),
            Axis("training loss (log)", log=True),
            _at(findings, row),
            _at(findings, row),
            limits,
            _title(row),
        )
        for _, row in rows.iterrows()
    ]
    return Chart(
        "loss_surfaces",
        f"Training loss around the trained network, replicate {_replicate(rows)}: {about.head_of_one}",
        f"Bowls over the same plane, with the same height of the axis. {_edges(rows, findings)}",
        panels,
        [
            "Each network stands in the middle of its surface; at the edge all filters have moved by their own norm in "
            f"a random direction. Heights are logarithmic and the same in all panels; what lies below "
            f"{digits(limits[0], 2)} is drawn at that height. The wider the floor, the more a network bears.",
            PAPERS,
        ],
        columns=3,
        notes=about.notes,
    )


def _contours(rows: pd.DataFrame, findings: Findings, about: About) -> Chart:
    limits = extent((_array(findings, row) for _, row in rows.iterrows()), DECADES)
    panels = [
        Heat(
            field(_array(findings, row)),
            Axis(ALONG.format(1)),
            Axis(ALONG.format(2)),
            LOSS,
            _at(findings, row),
            _at(findings, row),
            limits,
            log=True,
            contours=levels(*limits),
            square=True,
            title=_title(row),
        )
        for _, row in rows.iterrows()
    ]
    return Chart(
        "loss_contours",
        f"Training loss around dense network and tickets, replicate {_replicate(rows)}: {about.head_of_one}",
        f"Rings of equal loss around each network, on one scale of colours. {_edges(rows, findings)}",
        panels,
        [
            "The same surfaces seen from above, for the dense network and the ticket of each chosen round. The closer "
            "the rings, the faster the loss rises.",
            TICKETS,
        ],
        columns=2 if len(panels) in (2, 4) else 3,
        notes=about.notes,
    )


def _sharpness(table: pd.DataFrame, about: About) -> Chart:
    panels = []
    for measure, (label, title) in MEASURES.items():
        lines = _lines(table, measure)
        log = bool(lines) and min(min(each.low or each.y) for each in lines) > 0
        panels.append(Lines(DENSITY, Axis(f"{label} (log)" if log else label, log=log), lines, title=title))
    ends = "; ".join(
        f"{panel.title}: " + ", ".join(f"{each.name} {digits(each.y[-1])}" for each in panel.lines)
        for panel in panels
        if panel.lines
    )
    return Chart(
        "sharpness",
        f"Sharpness of the training loss by weights remaining: {about.head}",
        f"At the fewest weights, {ends}.",
        panels,
        [
            "Mean of the replicates, the band from the least to the greatest; lines set out from the dense network. "
            "Eigenvalues and trace are per unit of weight squared, in units of the cross-entropy.",
        ],
        columns=3,
        notes=about.notes,
    )


def _lines(table: pd.DataFrame, measure: str) -> list[Line]:
    table = table.dropna(subset=[measure])
    return [
        line(ARMS[arm].title, spread, arm=arm)
        for arm in arms_of(table) or ["dense"]
        if (spread := by_density(table, arm, measure))
    ]


def _headline(table: pd.DataFrame) -> str:
    pruned = table[table["round"] > 0]
    n = table["replicate"].nunique()
    if pruned.empty:
        return f"{_measured(table)}: the dense network alone, n = {n}."
    last = pruned[pruned["round"] == pruned["round"].max()]
    compared = pd.concat([last[last["arm"] == arm] for arm in arms_of(last)] + [table[table["arm"] == "dense"]])
    share = left(last["density"].mean())
    return f"{_measured(compared)}; tickets and controls at {share} of the weights, means of n = {n}."


def _measured(rows: pd.DataFrame) -> str:
    arms = list(dict.fromkeys(rows["arm"]))
    means = {arm: rows[rows["arm"] == arm][["rise", "eigenvalue_1"]].mean() for arm in arms}
    rises, sharp = (
        ", ".join(f"{digits(mean[column])} ({ARMS[arm].title})" for arm, mean in means.items())
        for column in ("rise", "eigenvalue_1")
    )
    return (
        f"Half a filter's norm away in a random direction the training loss is higher by {rises}; the greatest "
        f"eigenvalue of its Hessian is {sharp}"
    )


def _table(table: pd.DataFrame) -> Shown:
    order = {arm: place for place, arm in enumerate(ARMS)}
    cells = []
    for (_, arm), rows in sorted(table.groupby(["round", "arm"]), key=lambda pair: (pair[0][0], order[pair[0][1]])):
        three = (rows[name].mean() for name in ("eigenvalue_1", "eigenvalue_2", "eigenvalue_3"))
        cells.append(
            (
                left(rows["density"].mean()),
                ARMS[arm].title,
                str(rows["replicate"].nunique()),
                digits(rows["loss"].mean()),
                ", ".join(digits(value) for value in three if value == value),
                with_error(rows["trace"].mean(), rows["trace_se"].pow(2).mean() ** 0.5),
                with_error(rows["rise"].mean(), rows["rise_se"].pow(2).mean() ** 0.5),
            )
        )
    caption = "Means over replicates; after ± the standard error of one network's estimate, from random draws."
    return Shown(caption, COLUMNS, cells)


def _edges(rows: pd.DataFrame, findings: Findings) -> str:
    """In words: how high each surface is in the middle and at the edge."""
    said = []
    for _, row in rows.iterrows():
        middle, edge = digits(row["loss"], 2), digits(float(_array(findings, row).max()), 2)
        said.append(f"{_title(row)}: {middle} in the middle, up to {edge} at the edge")
    return "; ".join(said) + "."


def _array(findings: Findings, row: pd.Series):
    return findings.arrays[f"{key(row)}/surface"]


def _at(findings: Findings, row: pd.Series) -> list[float]:
    return [float(place) for place in findings.arrays[f"{key(row)}/at"]]


def _title(row: pd.Series) -> str:
    return f"{ARMS[row['arm']].title}, {left(row['density'])}"


def _replicate(rows: pd.DataFrame) -> int:
    return int(rows["replicate"].min())
