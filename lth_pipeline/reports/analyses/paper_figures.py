"""The paper's figures, from one's own runs: Frankle & Carbin 2019, Figures 3 and 4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.capped import counted
from lth_pipeline.reports.analyses.parent import of_parent
from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.over_replicates import (
    DENSITY,
    arms_of,
    by_density,
    line,
    over_iterations,
    roomy,
    training_limits,
    training_said,
)
from lth_pipeline.reports.wording import left, of_replicates, ranged, written

ACCURACY = Axis("test accuracy, %")
ITERATION = Axis("training iteration")
#: measure -> its axis, its panel's title, and by what it is multiplied
MEASURES = {
    "early_stop_iteration": (Axis("early-stop iteration"), "Early-stop iteration", 1.0),
    "test_accuracy_at_early_stop": (ACCURACY, "Test accuracy at early stop", 100.0),
    "test_accuracy_at_end": (ACCURACY, "Test accuracy at the end", 100.0),
    "train_accuracy_at_end": (Axis("training accuracy, %"), "Training accuracy at the end", 100.0),
}
COLUMNS = ("weights remaining", "arm", "n", "early-stop iteration", "test accuracy at early stop, %", "at the end, %")


def section(findings: Findings, about: About) -> Section:
    rounds = findings.tables.get("rounds", pd.DataFrame())
    if rounds.empty:
        return Section("Nothing has been trained to its end yet, so there is nothing to draw.")
    charts = [_early_stop(rounds, about), _at_the_end(rounds, about)]
    curves = findings.tables.get("curves", pd.DataFrame())
    if not curves.empty:
        charts.insert(0, _learning_curves(curves, about))
    capped = counted(rounds, about.experiment)
    text = [*([capped] if capped else []), *of_parent(about, (rounds["arm"] == "dense").any())]
    return Section(_headline(rounds, about), charts, text, [_table(rounds)])


def _learning_curves(curves: pd.DataFrame, about: About) -> Chart:
    """A panel for each arm, a line for each density."""
    # a small dense network has a few weights more or fewer than the ticket of its round
    densities = curves[curves["arm"] == "ticket"].groupby("round")["density"].mean()
    dense = _curve("100 % (dense)", curves[curves["arm"] == "dense"], arm="dense")
    panels = []
    for arm in arms_of(curves) or ["dense"]:
        own = curves[curves["arm"] == arm]
        lines = [
            _curve(left(of := densities.get(round, part["density"].mean())), part, shade=about.shade(of))
            for round, part in own.groupby("round")
            if arm != "dense"
        ]
        panels.append(Lines(ITERATION, ACCURACY, [each for each in (dense, *lines) if each], title=_title(arm)))
    every = [each for panel in panels for each in panel.lines]
    limits = roomy((max(each.y) for each in every), (each.y[-1] for each in every))
    panels = [replace(panel, y=replace(ACCURACY, limits=limits)) for panel in panels]
    said = ", ".join(f"{each.name} ends at {each.y[-1]:.1f} %" for each in panels[0].lines)
    return Chart(
        "learning_curves",
        f"Test accuracy as training proceeds, {_how(about)}: {about.head}",
        f"{panels[0].title or 'dense network'}: {said}. A panel for each arm with the same densities.",
        panels,
        [
            "A line is the mean of the replicates at one share of weights remaining, the band reaches from the least "
            "to the greatest. Iteration 0 and the first climb may lie below the frame.",
            "In Frankle & Carbin 2019 (Figure 3, LeNet-300-100 on MNIST) tickets learn faster and come higher the more "
            "they are pruned, down to 21.1 % of the weights; at 3.6 % they are back at the dense network's. The same "
            "masks on new random weights learn slower the more is pruned.",
        ],
        notes=about.notes,
        same_y=True,
    )


def _early_stop(rounds: pd.DataFrame, about: About) -> Chart:
    return _chart(
        "early_stop",
        "Early stop",
        rounds,
        about,
        ("early_stop_iteration", "test_accuracy_at_early_stop"),
        [
            "Early-stop iteration: that of least validation loss, which says how fast a network learned: the lower, "
            "the faster. Test accuracy at early stop: at that iteration. Band: from the least to the greatest "
            "replicate.",
            *([capped] if (capped := counted(rounds, about.experiment)) else []),
            "In Frankle & Carbin 2019 (Figure 4a, LeNet-300-100 on MNIST) tickets of iterative pruning stop ever "
            "earlier down to 21 % of the weights, 38 % earlier there than the dense network, and are as accurate as it "
            "or more down to 3.6 %; with random reinitialisation they stop ever later and lose accuracy much sooner.",
        ],
    )


def _at_the_end(rounds: pd.DataFrame, about: About) -> Chart:
    alike = training_said(_panel(rounds, "train_accuracy_at_end").lines)
    return _chart(
        "at_the_end",
        "At the end of training",
        rounds,
        about,
        ("test_accuracy_at_end",) if alike else ("test_accuracy_at_end", "train_accuracy_at_end"),
        [
            f"After the last iteration: accuracy on the test part. {alike}"
            if alike
            else "After the last iteration: accuracy on the test part and the training part. Where the training "
            "accuracy is 100 % for two arms, the one with the better test accuracy generalises better.",
            "In Frankle & Carbin 2019 (Figure 4b) tickets end with a higher test accuracy than the dense network "
            "although both have a training accuracy of nearly 100 %: they do not only learn faster.",
        ],
    )


def _chart(
    name: str, what: str, rounds: pd.DataFrame, about: About, measures: Sequence[str], said: Sequence[str]
) -> Chart:
    panels = [_panel(rounds, measure) for measure in measures]
    last = ". ".join(
        f"{panel.title}, at the fewest weights: "
        + ", ".join(f"{each.name} {each.y[-1]:{form}} ({left(each.x[-1] / 100)} left)" for each in panel.lines)
        for panel, form in zip(panels, (",.0f" if name == "early_stop" else ".1f", ".1f"), strict=False)
        if panel.lines
    )
    level = "; the dense network is a level line" if (rounds["arm"] == "dense").any() else ""
    alt = f"{last or 'The dense network alone'}{level}."
    columns = min(2, len(panels))
    return Chart(name, f"{what}, {_how(about)}: {about.head}", alt, panels, said, columns, about.notes)


def _panel(rounds: pd.DataFrame, measure: str) -> Lines:
    axis, title, scale = MEASURES[measure]
    lines = [
        line(ARMS[arm].title, spread, arm=arm)
        for arm in arms_of(rounds)
        if (spread := by_density(rounds, arm, measure, scale))
    ]
    dense = rounds[rounds["arm"] == "dense"]
    rules = [Rule(scale * dense[measure].mean(), "y", "dense", "dense")] if len(dense) else []
    if not lines and (spread := by_density(rounds, "dense", measure, scale)):
        lines, rules = [line(ARMS["dense"].title, spread, arm="dense")], []
    if measure == "train_accuracy_at_end":
        axis = replace(axis, limits=training_limits(lines))
    return Lines(DENSITY, axis, lines, rules, title)


def _curve(name: str, curves: pd.DataFrame, **look) -> Line | None:
    spread = over_iterations(curves, "test_accuracy", 100.0)
    return line(name, spread, marks=False, **look) if spread else None


def _title(arm: str) -> str:
    return "" if arm == "dense" else ARMS[arm].title.capitalize()


def _how(about: About) -> str:
    return "one-shot pruning" if about.experiment.pruning.mode == "one_shot" else "iterative pruning"


def _headline(rounds: pd.DataFrame, about: About) -> str:
    tickets = rounds[rounds["arm"] == "ticket"]
    if tickets.empty:
        return f"Only the dense network has been trained yet (n = {rounds['replicate'].nunique()})."
    last = tickets[tickets["round"] == tickets["round"].max()]
    others = rounds[(rounds["round"] == last["round"].max()) & (rounds["arm"] != "ticket")]
    compared = [(ARMS["dense"].title, rounds[rounds["arm"] == "dense"])]
    compared += [(ARMS[arm].title, others[others["arm"] == arm]) for arm in arms_of(others)]

    def beside(measure: str, scale: float, form: str) -> str:
        said = (f"{name} {written(scale * rows[measure].mean(), form)}" for name, rows in compared if len(rows))
        return f"{scale * last[measure].mean():{form}} ({', '.join(said)})"

    n = last["replicate"].nunique()
    return (
        f"At {left(last['density'].mean())} of the weights the ticket stops early at iteration "
        f"{beside('early_stop_iteration', 1.0, ',.0f')} and ends with a test accuracy, in %, of "
        f"{beside('test_accuracy_at_end', 100.0, '.1f')}: means of {of_replicates(n)}, "
        f"{_how(about)}."
    )


def _table(rounds: pd.DataFrame) -> Shown:
    cells = []
    order = {arm: place for place, arm in enumerate(ARMS)}
    for (_, arm), rows in sorted(rounds.groupby(["round", "arm"]), key=lambda pair: (pair[0][0], order[pair[0][1]])):
        means = rows.groupby("replicate")[["density", *MEASURES]].mean()  # of draws first
        cells.append(
            (
                left(means["density"].mean()),
                ARMS[arm].title,
                str(len(means)),
                ranged(means["early_stop_iteration"], ",.0f"),
                ranged(100 * means["test_accuracy_at_early_stop"], ".2f"),
                ranged(100 * means["test_accuracy_at_end"], ".2f"),
            )
        )
    return Shown("Means over replicates, and from the least to the greatest.", COLUMNS, cells)
