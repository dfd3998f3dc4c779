"""The path of training, drawn."""

from __future__ import annotations

import math

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.parent import of_parent
from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.charts.chart import Axis, Chart, Heat, Line, Lines
from lth_pipeline.reports.over_replicates import line, over_iterations
from lth_pipeline.reports.surfaces import extent, field, key, levels, numeric, percent, rows_with
from lth_pipeline.reports.wording import digits, left, ranged

DECADES = 4  # of the loss that are told apart
NAMED = 8  # layers whose names stand on the axis, at most
STEP = Axis("training iteration + 1 (log)", log=True)
COLUMNS = (
    "network",
    "n",
    "gradient norm at the start",
    "at the end",
    "end from start",
    "shares of two directions",
    "followed again",
)
METHOD = (
    "Each network was trained once more with the streams of its recorded training, and its parameters (all that "
    "training moves, the pruned left out) were kept at up to 40 iterations, closer together at the beginning. Loss and "
    "gradient are those of the mean cross-entropy of {images} training images, batch norm in evaluation mode with the "
    "running statistics of that iteration, on the plane of the path with those of the last. All distances are "
    "Euclidean. A pruned network has fewer parameters, so that its norms and distances are sums of fewer terms."
)
PLANES = (
    "Each path lies on its own plane: the two principal directions of the differences to its last point (Li et al. "
    "2018, §7), each with its share of the squared distances. The circle is the start, the star the end; axes are "
    "Euclidean distances from the end, and the two are not to one scale. Li et al. found that two directions hold 40 "
    "to 90 % of the variation of such paths. A random walk in many dimensions, too, has most of its variance in a few "
    "(Antognini & Sohl-Dickstein 2018): a high share is no sign of a simple problem."
)
FLOW = (
    "Evci et al. 2022 (Gradient Flow in Sparse Neural Networks and How Lottery Tickets Win) found that sparse networks "
    "often have a poor gradient flow at initialisation, and that tickets do not owe their success to a better one: "
    "they learn again the solution that they were pruned from."
)


def section(findings: Findings, about: About) -> Section:
    path, training = (findings.tables.get(name, pd.DataFrame()) for name in ("path", "training"))
    if path.empty or training.empty:
        return Section("No training has been followed yet, so there is no path to draw.")
    path, training = numeric(path), numeric(training, ("arm", "route", "same_bits", "same_route"))
    layers = numeric(findings.tables.get("gradients", pd.DataFrame()), ("arm", "layer"))
    charts = [
        *_planes(path, training, findings, about),
        _gradients(path, about),
        *([_layers(layers, about)] if not layers.empty else []),
        _distances(path, about),
    ]
    method = METHOD.format(images=f"{int(training['images'].max()):,}")
    text = [method, *of_parent(about, (path["round"] == 0).any())]
    return Section(_headline(path), charts, text, [_table(path, training)])


def _planes(path: pd.DataFrame, training: pd.DataFrame, findings: Findings, about: About) -> list[Chart]:
    rows = rows_with(training, findings.arrays, "plane")
    if rows.empty:
        return []
    limits = extent((findings.arrays[f"{key(row)}/plane"] for _, row in rows.iterrows()), DECADES)
    panels = []
    for _, row in rows.iterrows():
        own = _path_of(path, row)
        values, x, y = (findings.arrays[f"{key(row)}/{name}"] for name in ("plane", "plane_x", "plane_y"))
        panels.append(
            Heat(
                field(values),
                Axis(f"direction 1 ({percent(row['explained_1'])})"),
                Axis(f"direction 2 ({percent(row['explained_2'])})"),
                "training loss (log)",
                list(map(float, x)),
                list(map(float, y)),
                limits,
                log=True,
                contours=levels(*limits, most=5),  # the path covers much of them
                path=(list(own["x"]), list(own["y"])),
                square=True,
                title=_name(row["arm"], row["density"]),
            )
        )
    said = "; ".join(
        f"{panel.title}: from a loss of {digits(own['loss'].iloc[0], 2)} to {digits(own['loss'].iloc[-1], 2)}"
        for panel, own in zip(panels, (_path_of(path, row) for _, row in rows.iterrows()), strict=True)
    )
    chart = Chart(
        "training_paths",
        f"Path of training over the training loss, replicate {int(rows['replicate'].min())}: {about.head_of_one}",
        f"A line across contours from a circle, the start, to a star, the end. {said}.",
        panels,
        [PLANES],
        columns=3,
        notes=about.notes,
    )
    return [chart]


def _gradients(path: pd.DataFrame, about: About) -> Chart:
    panels = [
        Lines(
            STEP,
            Axis("norm of the gradient (log)", log=True),
            _over_steps(path, "gradient_norm"),
            title="Gradient norm",
        ),
        Lines(
            STEP, Axis("training loss, cross-entropy (log)", log=True), _over_steps(path, "loss"), title="Training loss"
        ),
    ]
    first = ", ".join(f"{each.name} {digits(each.y[0])}" for each in panels[0].lines)
    last = ", ".join(f"{each.name} {digits(each.y[-1])}" for each in panels[0].lines)
    return Chart(
        "gradient_norm",
        f"Norm of the gradient through training: {about.head}",
        f"Norm of the gradient at the start: {first}; at the end: {last}.",
        panels,
        [
            "The gradient of the mean loss over what survives: what is left to descend, and how steeply. Leftmost is "
            "initialisation (or the rewind point). Mean of the replicates, the band from the least to the greatest.",
            FLOW,
        ],
        notes=about.notes,
    )


def _layers(layers: pd.DataFrame, about: About) -> Chart:
    names = list(dict.fromkeys(layers["layer"]))
    ticks = [(place, name) for place, name in enumerate(names, 1)] if len(names) <= NAMED else None
    axis = Axis("layer, from the input to the output", limits=(0.7, len(names) + 0.3), ticks=ticks)
    at = layers.groupby(["replicate", "round", "arm"])["iteration"]
    panels = []
    for title, rows in (
        ("At the start", layers[layers["iteration"] == at.transform("min")]),
        ("At the end", layers[layers["iteration"] == at.transform("max")]),
    ):
        numbered = rows.assign(iteration=rows["layer"].map({name: place for place, name in enumerate(names, 1)}))
        lines = _over_steps(numbered, "gradient_norm", 0, marks=True)
        panels.append(Lines(axis, Axis("norm of the gradient (log)", log=True), lines, title=title))
    said = "; ".join(
        f"{panel.title.lower()}: "
        + ", ".join(
            f"{each.name} {digits(each.y[0])} in the first layer, {digits(each.y[-1])} in the last" for each in lines
        )
        for panel in panels
        if (lines := panel.lines)
    )
    return Chart(
        "gradient_by_layer",
        f"Norm of the gradient layer by layer: {about.head}",
        f"A point for each layer. {said}.",
        panels,
        [
            "Of the layer's surviving weights together. Where a layer has lost most of its weights its norm falls with "
            "them; how many it has stands in the CSV file.",
        ],
        notes=about.notes,
    )


def _distances(path: pd.DataFrame, about: About) -> Chart:
    panels = [
        Lines(STEP, Axis("distance, Euclidean"), _over_steps(path, "distance_from_start"), title="From the start"),
        Lines(STEP, Axis("distance, Euclidean"), _over_steps(path, "distance_to_end"), title="To the end"),
    ]
    said = ", ".join(f"{each.name} {digits(each.y[-1])}" for each in panels[0].lines)
    return Chart(
        "distance",
        f"How far training goes: {about.head}",
        f"The distance from the start, and that to the end, by iteration. It ends so far from where it began: {said}.",
        panels,
        [
            "How far the surviving parameters are from those that training began with, and from those it ended with. "
            "A distance to the end that hardly falls while the one from the start grows tells of wandering. The CSV "
            "file has the cosine between each displacement and the next, too.",
        ],
        notes=about.notes,
        same_y=True,
    )


def _over_steps(table: pd.DataFrame, column: str, shift: int = 1, marks: bool = False) -> list[Line]:
    """A line for each network; x: iterations + shift."""
    table = table.assign(iteration=table["iteration"] + shift)
    return [
        line(_name(arm, rows["density"].mean()), spread, arm=arm, marks=marks)
        for arm, rows in _by_arm(table)
        if (spread := over_iterations(rows, column))
    ]


def _by_arm(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(arm, table[table["arm"] == arm]) for arm in ARMS if (table["arm"] == arm).any()]


def _name(arm: str, density: float) -> str:
    return f"{ARMS[arm].title}, {left(density)}"


def _path_of(path: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    same = (path["replicate"] == row["replicate"]) & (path["round"] == row["round"]) & (path["arm"] == row["arm"])
    return path[same].sort_values("iteration")


def _ends(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first point of each replicate's path, and the last."""
    ordered = rows.sort_values("iteration").groupby("replicate")
    return ordered.head(1), ordered.tail(1)


def _headline(path: pd.DataFrame) -> str:
    """The ticket against each network of as many weights: norms and distances of others are sums of other numbers of
    terms. Of a network that has none beside it, how it went."""
    arms = dict(_by_arm(path))
    who = "ticket" if "ticket" in arms else next(iter(arms))
    own, n = arms[who], path["replicate"].nunique()
    others = {arm: rows for arm, rows in arms.items() if arm not in (who, "dense")}
    name, where = f"the {ARMS[who].title}", left(own["density"].mean())
    if not others or who != "ticket":
        first, last = _ends(own)
        return (
            f"In the training of {name} ({where} of the weights) the gradient's norm goes from "
            f"{digits(first['gradient_norm'].mean())} to {digits(last['gradient_norm'].mean())}, and it ends "
            f"{digits(last['distance_from_start'].mean())} from where it began (Euclidean; means of n = {n}). There is "
            "no control of as many weights to hold that against."
        )
    steep = "; ".join(_times(own, rows, ARMS[arm].title, "gradient_norm", 0) for arm, rows in others.items())
    far = "; ".join(_times(own, rows, ARMS[arm].title, "distance_from_start", 1) for arm, rows in others.items())
    return (
        f"At {where} of the weights {name}'s gradient before the first step has a norm of {steep}; by the end {name} "
        f"has gone a distance of {far} (mean of the ratios, n = {n})."
    )


def _times(own: pd.DataFrame, other: pd.DataFrame, named: str, column: str, end: int) -> str:
    """Replicate by replicate, the ratio of `column` at the first point (end 0) or at the last (1) of the paths."""
    mine, its = (_ends(rows)[end].set_index("replicate")[column] for rows in (own, other))
    ratios = (mine / its).dropna()
    return f"{ranged(ratios, '.2f')} times that of {named} ({digits(mine.mean())} against {digits(its.mean())})"


def _table(path: pd.DataFrame, training: pd.DataFrame) -> Shown:
    cells = []
    for arm, rows in _by_arm(path):
        first, last = _ends(rows)
        own = training[training["arm"] == arm]
        same = int(own["same_bits"].astype(bool).sum())
        shares = own["explained_1"].mean(), own["explained_2"].mean()
        cells.append(
            (
                _name(arm, rows["density"].mean()),
                str(rows["replicate"].nunique()),
                digits(first["gradient_norm"].mean()),
                digits(last["gradient_norm"].mean()),
                digits(last["distance_from_start"].mean()),
                " + ".join(percent(share) for share in shares if math.isfinite(share)),
                f"the same bits in {same} of {len(own)}",
            )
        )
    caption = "Means over replicates; gradient norms and distances are Euclidean, over what survives."
    return Shown(caption, COLUMNS, cells)
