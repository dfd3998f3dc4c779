"""Charts of how far weights go in training, which way, and which of them turn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.along import along
from lth_pipeline.reports.analyses.mask_structure_distribution import distribution
from lth_pipeline.reports.analyses.mask_structure_tables import ALL, MOST_LAYERS, OWN, SHOWN, Tables, own_arm, some
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.over_replicates import DENSITY, by_density, line
from lth_pipeline.reports.wording import left

GROWTH_RANGE = (-4.0, 26.0)  # of the histograms' bins, in standard deviations
TAIL = 0.002  # of a distribution, left out of the picture at either end
PRUNED_TO = Axis("weights remaining after the pruning, % (log)", log=True, falling=True)
FATES = ("kept", "pruned")
DEVIATIONS = "sd of the layer"


def movement(tables: Tables, about: About) -> Chart | None:
    """What training did with the weights that were kept and with those that were then pruned."""
    table = _fates(tables)
    if table.empty:
        return None
    measures = {
        "moved": (f"mean |end − start|, {DEVIATIONS}", "How far", 1.0),
        "away": ("ends further from zero, %", "Which way", 100.0),
    }
    arms = _shown_arms(table)
    panels = [
        Lines(
            PRUNED_TO,
            Axis(label),
            [each for arm, named in arms.items() for each in _of_fates(table, arm, named, column, scale)],
            [Rule(50.0, "y")] if column == "away" else (),
            title=title,
        )
        for column, (label, title, scale) in measures.items()
    ]
    said = "; ".join(
        f"{panel.title.lower()}: " + ", ".join(f"{each.name} {each.y[0]:.2f}" for each in panel.lines)
        for panel in panels
    )
    return Chart(
        "movement",
        f"How far weights go in training, kept and pruned next: {about.head}",
        f"Of the training before the last pruning: {said}.",
        panels,
        [
            "Weights of a training, those that the next pruning kept and those that it took. Of the control the same "
            "places are told apart: it was trained under the same mask, and did not decide what was pruned. Lengths "
            "are in standard deviations of the layer's initial weights.",
            "Frankle & Carbin 2019 (Appendix F) find that weights of the later ticket change more in the dense "
            "network's training than the others, and more often away from zero; pruning by magnitude favours these. "
            "Zhou et al. 2019 (Deconstructing Lottery Tickets) find that a mask works where it sets to zero what "
            "training was moving towards zero, and that how much a magnitude grew is as good a criterion as the "
            "magnitude at the end.",
        ],
        notes=about.notes,
    )


def movement_histograms(tables: Tables, about: About) -> Chart | None:
    """Distributions of the growth of magnitudes, in the dense network's training and in later tickets'."""
    rounds = sorted({number - 1 for number in tables.rounds})
    there = [number for number in rounds if tables.arrays_of(number, "growth_by_fate", own_arm(number))]
    panels = []
    for number in sorted({there[round(p * (len(there) - 1) / (SHOWN - 1))] for p in range(SHOWN)}) if there else ():
        counts = sum(tables.arrays_of(number, "growth_by_fate", own_arm(number)))
        lines = [
            distribution(name, own, GROWTH_RANGE, arm="ticket", style=style)
            for name, own, style in (("kept", counts[0], "solid"), ("pruned next", counts[1], "dashed"))
        ]
        title = "Dense network" if number == 0 else f"Ticket, {left(tables.density(number))} of the weights"
        x = Axis(f"|end| − |start|, {DEVIATIONS}", limits=_most_of(counts))
        panels.append(Lines(x, Axis("probability density"), [e for e in lines if e], [Rule(0.0, "x")], title=title))
    if not panels:
        return None
    return Chart(
        "movement_distributions",
        f"Away from zero or towards it: {about.head}",
        "Distributions of the growth of weights' magnitudes in training: those that are pruned next lie at and below "
        "zero, those that are kept mostly above."
        if _apart(tables, there)
        else "Distributions of the growth of weights' magnitudes in training, for those kept and those pruned next.",
        panels,
        [
            "How much the magnitude of a weight grew in training, all layers and replicates together, for the "
            "weights that the next pruning kept and for those that it took. A peak at 0 is of weights that had "
            "hardly a gradient: of pixels that are the same in all images, or of dead units.",
            "Frankle & Carbin 2019 (Appendix F) show the same for the dense network: winning tickets' weights tend to "
            "move away from zero, the others less so.",
        ],
        columns=min(3, len(panels)),
        notes=about.notes,
    )


def signs(tables: Tables, about: About) -> Chart | None:
    """Sign changes by arm and by layer, and what is left of the initial values at the end."""
    if tables.signs.empty:
        return None
    changed = tables.signs.assign(changed=tables.signs["changed"].astype(float))
    kept = tables.movement[(tables.movement["group"] == "survivors") & (tables.movement["layer"] == ALL)]
    kept = kept.assign(correlation=kept["correlation"].astype(float))
    percent = Axis("survivors whose sign changes, %")
    by_arm = _by_arm(changed[changed["layer"] == ALL], "changed", 100.0)
    panels = [
        Lines(DENSITY, percent, by_arm, title="By arm"),
        Lines(DENSITY, percent, _by_layer(tables, changed), title="The ticket, by layer"),
        Lines(DENSITY, Axis("correlation of start and end"), _by_arm(kept, "correlation"), title="By arm"),
    ]
    said = ", ".join(f"{each.name} {each.y[-1]:.1f} %" for each in by_arm)
    return Chart(
        "signs",
        f"How much of where weights began is left where they end: {about.head}",
        f"Survivors whose sign changes in training, at the fewest weights: {said}.",
        panels,
        [
            "The share of the surviving weights that have the opposite sign after training, and the correlation of "
            "their values before and after it (all layers together, in units of each layer's initial standard "
            "deviation). Every arm is held against its own start.",
            "Zhou et al. 2019 (Deconstructing Lottery Tickets) find that the signs of the initial weights are what a "
            "ticket needs of them: with the signs kept, other magnitudes train about as well. A ticket whose signs are "
            "right need not change many; a control on fresh weights has to.",
        ],
        columns=3,
        notes=about.notes,
    )


def _fates(tables: Tables) -> pd.DataFrame:
    """Rows of movement of all layers together, kept and pruned, with the density that was pruned to; the dense network
    as the ticket's beginning, where there is a ticket's."""
    table = tables.movement
    if table.empty:
        return table
    table = table[table["group"].isin(FATES) & (table["layer"] == ALL) & (table["weights"] > 0)]
    numbers = table["pruned_to_round"].astype(float)
    table = table.assign(
        to=[tables.density(int(number)) for number in numbers],
        moved=table["moved"].astype(float),
        away=table["away"].astype(float),
    )
    if (table["arm"] == "ticket").any():
        table = table.assign(arm=table["arm"].replace({"dense": "ticket"}))
    return table


def _shown_arms(table: pd.DataFrame) -> dict[str, str]:
    """{arm: what it is called} of the network that was pruned, and of its first control."""
    there = [arm for arm in ARMS if (table["arm"] == arm).any()]
    return {
        arm: ARMS[arm].title for arm in [*(a for a in there if a in OWN), *(a for a in there if ARMS[a].control)][:2]
    }


def _of_fates(table: pd.DataFrame, arm: str, named: str, column: str, scale: float) -> list[Line]:
    found = []
    for fate, style, words in (("kept", "solid", "kept"), ("pruned", "dashed", "pruned next")):
        own = table[(table["arm"] == arm) & (table["group"] == fate)]
        if spread := along(own, "to", column, scale, 100.0):
            found.append(line(f"{named}, {words}", spread, arm=arm, style=style))
    return found


def _apart(tables: Tables, rounds: list[int]) -> bool:
    """Whether in every round shown the magnitudes of what is pruned grow less than 0 in the middle, the others more."""
    for number in rounds:
        kept, pruned = sum(tables.arrays_of(number, "growth_by_fate", own_arm(number)))
        if not (_median(kept) > 0 >= _median(pruned)):
            return False
    return True


def _most_of(counts: np.ndarray) -> tuple[float, float]:
    """Where nearly all of either kind lies. counts: (kinds, bins)."""
    shares = counts.cumsum(1) / np.maximum(counts.sum(1, keepdims=True), 1)
    inside = np.flatnonzero(((shares > TAIL) & (shares < 1 - TAIL)).any(0))
    edges = np.linspace(*GROWTH_RANGE, counts.shape[1] + 1)
    return (float(edges[inside[0]]), float(edges[inside[-1] + 1])) if len(inside) else GROWTH_RANGE


def _median(counts: np.ndarray) -> float:
    """The middle of the bin that it lies in."""
    edges = np.linspace(*GROWTH_RANGE, len(counts) + 1)
    return float(edges[:2].mean() + (edges[1] - edges[0]) * np.searchsorted(counts.cumsum(), counts.sum() / 2))


def _by_arm(table: pd.DataFrame, column: str, scale: float = 1.0) -> list[Line]:
    arms = [arm for arm in ARMS if arm != "dense" and (table["arm"] == arm).any()][:MOST_LAYERS] or ["dense"]
    table = table[table[column].notna()]
    spreads = {arm: by_density(table, arm, column, scale) for arm in arms}
    return [line(ARMS[arm].title, spread, arm=arm) for arm, spread in spreads.items() if spread]


def _by_layer(tables: Tables, changed: pd.DataFrame) -> list[Line]:
    own = changed[changed["arm"].isin(OWN) & changed["changed"].notna()].assign(arm="ticket")
    lines = []
    for place, name in enumerate(some(tables.layer_names)):
        if spread := by_density(own[own["layer"] == name], "ticket", "changed", 100.0):
            lines.append(line(name, spread, colour=place))
    return lines
