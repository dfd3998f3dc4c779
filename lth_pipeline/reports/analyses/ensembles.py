"""Ensembles: what several tickets are worth together, against one dense network of as many parameters."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.along import along, evenly
from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.over_replicates import DENSITY, Spread, arms_of, line
from lth_pipeline.reports.wording import left, of_replicates, ranged, written

PARAMETERS = Axis("parameters, % of one dense network's (log)", log=True)
ACCURACY = Axis("test accuracy, %")
COLUMNS = (
    *("members", "weights remaining in each", "parameters, share of one dense network's", "test accuracy, %"),
    *("test loss, nats", "mean member's accuracy, %", "gain, pp", "disagreement, %"),
)
OVER, OF_ROUNDS = "replicates", ("rounds", "rounds_and_dense")


def section(findings: Findings, about: About) -> Section:
    rows = findings.tables.get("ensembles", pd.DataFrame())
    if rows.empty:
        return Section("Nothing has been trained to its end yet that could answer together.")
    over = rows[rows["of"] == OVER]
    if rows["members"].max() < 2:
        return Section("One network of one replicate makes no ensemble; a further replicate or round would.")
    charts = [_accuracy(rows, about)]
    pairs = findings.tables.get("pairs", pd.DataFrame())
    between = pairs[pairs["of"] == OVER] if len(pairs) else pairs
    if len(between):
        charts.append(_diversity(between, over, about))
    return Section(_headline(rows), charts, _text(over), [_fitting(over), *_other(rows)])


def _accuracy(rows: pd.DataFrame, about: About) -> Chart:
    """A panel for each arm, a line for each density over the number of members; the dense network in each."""
    over = rows[rows["of"] == OVER]
    rounds = evenly(set(over["round"]) - {0})
    names = {round: left(_density(over[over["round"] == round])) for round in rounds}
    dense = over[over["round"] == 0]
    panels = []
    for arm in arms_of(over) or ["dense"]:
        lines = [_sizes(dense, "100 % (dense)", arm="dense")] if len(dense) else []
        lines += [
            _sizes(own, names[round], shade=about.shade(_density(over[over["round"] == round])))
            for round, own in over[(over["arm"] == arm) & over["round"].isin(rounds)].groupby("round")
        ]
        if arm == "ticket":
            lines += _points(rows)
        panels.append(
            Lines(
                PARAMETERS, ACCURACY, lines, [Rule(100.0, "x")], "" if arm == "dense" else ARMS[arm].title.capitalize()
            )
        )
    ends = ". ".join(
        f"{panel.title or 'Dense'}: "
        + ", ".join(f"{each.name} {each.y[0]:.2f} to {each.y[-1]:.2f} %" for each in panel.lines if len(each.y) > 1)
        for panel in panels
    )
    return Chart(
        "ensembles_accuracy",
        f"Test accuracy of 1, 2, … networks that answer together: {about.head}",
        f"From one member to all. {ends}. An upright rule stands at 100 %, the parameters of one dense network.",
        panels,
        [
            "Each line begins with one network and goes on to two, three and so on, of different replicates and one "
            "share of weights remaining, whose probabilities are averaged; parameters are those that are left in all "
            "of them together. Short of the upright rule they are no more than one dense network's. Point: mean over "
            "the subsets of replicates (all, or 20 drawn by the seed); band: least to greatest.",
            "Lakshminarayanan et al. 2017 average the probabilities of networks that differ in initialisation and data "
            "order alone, and gain accuracy and calibration. In Liu et al. 2022 (FreeTickets) sparse networks, with "
            "fewer parameters together than one dense network, are more accurate than it.",
        ],
        columns=3,
        notes=about.notes,
        same_y=True,
    )


def _sizes(rows: pd.DataFrame, name: str, **look) -> Line:
    rows = rows.sort_values("members")
    mean, low, high = (tuple(100 * rows[f"accuracy{which}"]) for which in ("", "_least", "_greatest"))
    spread = Spread(tuple(100 * rows["share_of_dense"]), mean, low, high)
    return line(name, spread if len(rows) > 1 else spread._replace(low=None, high=None), **look)


def _density(rows: pd.DataFrame) -> float:
    """Of a round: of the masks, where there are any; a small dense network comes near it."""
    masked = rows[rows["arm"] != "dense_small"]
    return (masked if len(masked) else rows)["density"].mean()


def _points(rows: pd.DataFrame) -> list[Line]:
    """Of the tickets of several rounds of one replicate: mean over the replicates."""
    titles = dict(zip(OF_ROUNDS, ("tickets of several rounds", "these and dense"), strict=True))
    found = []
    for place, of in enumerate(OF_ROUNDS):
        own = rows[rows["of"] == of]
        if len(own):
            y = 100 * own["accuracy"].mean()
            found.append(Line(titles[of], (100 * own["share_of_dense"].mean(),), (y,), colour=place, style="points"))
    return found


def _diversity(pairs: pd.DataFrame, over: pd.DataFrame, about: About) -> Chart:
    panels = [
        _by_density(pairs, "disagreement", 100.0, Axis("pairs disagree, % of test images"), "Disagreement"),
        _by_density(pairs, "disagreement_by_error", 1.0, Axis("disagreement ÷ mean error"), "Over the error"),
    ]
    most = over[(over["members"] == over["members"].max())]
    axis = Axis(f"gain of {most['members'].max()} over the mean member, pp")
    panels.append(_by_density(most, "gain", 100.0, axis, "Gain"))
    panels = [panel for panel in panels if panel.lines]
    seen = ". ".join(
        f"{panel.title}: " + ", ".join(f"{each.name} {each.y[0]:.2f} to {each.y[-1]:.2f}" for each in panel.lines)
        for panel in panels
    )
    return Chart(
        "ensembles_disagreement",
        f"How differently replicates answer, and what they gain: {about.head}",
        f"From the densest to the sparsest. {seen}.",
        panels,
        [
            "Disagreement: the share of test images to which two networks of one arm and density give different "
            "classes. Over the error: the same divided by their mean error, for networks that err more disagree more. "
            "Gain: the accuracy of all together less that of the mean member, in percentage points. Band: least to "
            "greatest pair.",
            "Fort, Hu & Lakshminarayanan 2019 measure diversity so: networks from different initialisations disagree "
            "far more than what is sampled around one trained network, which is why deep ensembles gain.",
        ],
        columns=3,
        notes=about.notes,
    )


def _by_density(table: pd.DataFrame, column: str, scale: float, y: Axis, title: str) -> Lines:
    """Every arm sets out from the dense network."""
    lines = []
    for arm in arms_of(table):
        own = table[table["arm"].isin(["dense", arm])].dropna(subset=[column])
        if (own["arm"] == arm).any():
            spread = along(own.assign(falling=-own["density"]), "falling", column, scale, -100.0)
            lines.append(line(ARMS[arm].title, spread, arm=arm))
    return Lines(DENSITY, y, lines, title=title)


def _headline(rows: pd.DataFrame) -> str:
    """Of tickets of several replicates; without such, of those of several rounds of one."""
    over = rows[rows["of"] == OVER]
    dense = over[(over["round"] == 0) & (over["members"] == 1)]
    best, who = _largest(over[over["arm"] == "ticket"]), "tickets at {} of the weights each"
    if best is None:
        best, who = _largest(rows[rows["of"] == OF_ROUNDS[0]]), "tickets of several rounds of one replicate"
    if dense.empty or best is None:
        return "No ensemble of tickets is within one dense network's parameters."
    one, n = dense.iloc[0], int(dense["subsets"].iloc[0])
    alone = f"{100 * one['accuracy']:.2f} %"
    if n > 1:
        alone += f" ({100 * one['accuracy_least']:.2f} to {100 * one['accuracy_greatest']:.2f}, n = {n})"
    shown = round(100 * best["accuracy"], 2), round(100 * one["accuracy"], 2)  # so that what is read adds up
    return (
        f"{best['members']} {who.format(left(best['density']))} have together {100 * best['share_of_dense']:.0f} % of "
        f"one dense network's parameters and a test accuracy of {shown[0]:.2f} %; one dense network has "
        f"{alone}: {written(shown[0] - shown[1], '+.2f')} percentage points."
    )


def _largest(rows: pd.DataFrame) -> pd.Series | None:
    """Of several networks within one dense network's parameters, the ensemble that uses most of them. Chosen by size,
    for to choose by test accuracy would flatter it."""
    fitting = rows[rows["within_dense"].astype(bool) & (rows["members"] > 1)]
    return fitting.sort_values(["parameters", "members"]).iloc[-1] if len(fitting) else None


def _text(over: pd.DataFrame) -> list[str]:
    most = int(over["members"].max())
    return [
        f"There {'are' if most > 1 else 'is'} {of_replicates(most)}, so no ensemble over replicates has more members; "
        "of sparse tickets many more would fit into one dense network's parameters. Parameters are weights that are "
        "left, biases and what batch norm learns; to store which weights are left is not counted. Each ticket cost the "
        "trainings that found it.",
        "Which ensemble is named at the top is told by its size, not by its accuracy: of those within one dense "
        "network's parameters, the one that uses most of them.",
    ]


def _fitting(over: pd.DataFrame) -> Shown:
    """Of each arm and round the largest ensemble that fits, or what is nearest to it; and one dense network."""
    cells = [
        _cells("1 dense network", row) for _, row in over[(over["round"] == 0) & (over["members"] == 1)].iterrows()
    ]
    for round in sorted(set(over["round"]) - {0}):
        for arm in arms_of(over):
            own = over[(over["round"] == round) & (over["arm"] == arm)]
            if (row := _largest(own)) is not None:
                cells.append(_cells(f"{row['members']} × {ARMS[arm].title}", row))
    return Shown(
        "The largest ensembles over replicates within one dense network's parameters; accuracy: mean over subsets of "
        "replicates, least to greatest.",
        COLUMNS,
        cells,
    )


def _other(rows: pd.DataFrame) -> list[Shown]:
    found = rows[rows["of"].isin(OF_ROUNDS)]
    if found.empty:
        return []
    cells = [
        _cells(f"replicate {row['replicate']:.0f}, rounds {row['rounds']}", row)
        for _, row in found.sort_values(["of", "replicate"]).iterrows()
    ]
    return [Shown("Tickets of several rounds of one replicate; round 0 is the dense network.", COLUMNS, cells)]


def _cells(name: str, row: pd.Series) -> tuple[str, ...]:
    values = [row["accuracy"], row["accuracy_least"], row["accuracy_greatest"]]
    accuracy = 100 * pd.Series(values[1:] if row["subsets"] > 1 else values[:1])
    said = ranged(accuracy, ".2f")
    if row["subsets"] > 1:  # the mean of all subsets, not of the two ends
        said = f"{100 * values[0]:.2f} {said[said.index('(') :]}"
    return (
        name,
        left(row["density"]),
        f"{100 * row['share_of_dense']:.0f} %",
        said,
        f"{row['loss']:.4f}",
        f"{100 * row['member_accuracy']:.2f}",
        written(100 * row["gain"], "+.2f"),
        "–" if pd.isna(row["disagreement"]) else f"{100 * row['disagreement']:.2f}",
    )
