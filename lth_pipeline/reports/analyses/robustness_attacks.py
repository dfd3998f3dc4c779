"""Charts of attacked images: accuracy by how far each pixel may be changed, and by density."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.along import along
from lth_pipeline.reports.analyses.robustness_lines import MOST_LINES, dense_rule, from_to, lines_by_density
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Lines
from lth_pipeline.reports.over_replicates import DENSITY, arms_of, line
from lth_pipeline.reports.wording import left

TITLES = {"fgsm": "FGSM (one step)", "pgd": "PGD (20 steps)"}
ATTACKED = Axis("accuracy on attacked images, %", limits=(-2, 102))


def attack_charts(attacks: pd.DataFrame, about: About) -> list[Chart]:
    return [_by_radius(attacks, about), *([_by_density(attacks, about)] if attacks["round"].max() else [])]


def telling_radius(attacks: pd.DataFrame) -> float:
    """The radius at which PGD leaves the densest networks nearest to half of their accuracy: there networks differ."""
    dense = attacks[attacks["round"] == attacks["round"].min()]
    left_by = dense[dense["attack"] == "pgd"].groupby("radius")["accuracy"].mean()
    return float((left_by - dense.loc[dense["attack"] == "clean", "accuracy"].mean() / 2).abs().idxmin())


def _by_radius(attacks: pd.DataFrame, about: About) -> Chart:
    last = attacks["round"].max()
    at_last = attacks[attacks["round"] == last]
    shown = {arm: at_last[at_last["arm"] == arm] for arm in arms_of(at_last)[: MOST_LINES - 1]}
    if not attacks["round"].all():
        shown = {"dense": attacks[attacks["round"] == 0], **shown}
    radii = sorted(set(attacks["radius"]) - {0.0})
    nought = radii[0] / (radii[1] / radii[0] if len(radii) > 1 else 3)  # where the clean accuracy stands on a log axis
    ticks = [(nought, "0 (clean)"), *((radius, f"{radius:g}") for radius in radii)]
    x = Axis("radius of the attack, share of full scale (log)", log=True, ticks=ticks)
    panels = []
    for attack, title in TITLES.items():
        lines = []
        for arm, rows in shown.items():
            own = rows[rows["attack"].isin(["clean", attack])]
            spread = along(own.assign(place=own["radius"].where(own["radius"] > 0, nought)), "place", "accuracy", 100.0)
            if spread:
                lines.append(line(ARMS[arm].title, spread, arm=arm))
        panels.append(Lines(x, ATTACKED, lines, title=title))
    where = f"the dense network and {left(at_last['density'].mean())} of the weights" if last else "the dense network"
    seen = "; ".join(f"{panel.title}: {from_to(panel.lines, '.1f')}" for panel in panels)
    return Chart(
        "attacks_by_radius",
        f"Accuracy under attack, {where}: {about.head}",
        f"Accuracy as pixels may be changed further and further, from radius 0 to {radii[-1]:g}. {seen}.",
        panels,
        [
            "An attack moves every pixel by the radius at most so that the network errs, knowing its weights. The "
            "leftmost point is the accuracy on the same images unchanged. Point: mean of the replicates; band: least "
            "to greatest.",
            "Madry et al. 2018 (Towards Deep Learning Models Resistant to Adversarial Attacks) use radius 0.3 for "
            "MNIST and 8/255 for CIFAR-10.",
        ],
        notes=about.notes,
        same_y=True,
    )


def _by_density(attacks: pd.DataFrame, about: About) -> Chart:
    radius = telling_radius(attacks)
    panels = []
    for attack, title in TITLES.items():
        own = attacks[(attacks["attack"] == attack) & (attacks["radius"] == radius)]
        lines = lines_by_density(own, "accuracy")
        y = Axis(f"accuracy under attack at radius {radius:g}, %")
        panels.append(Lines(DENSITY, y, lines, dense_rule(own, "accuracy"), title))
    seen = "; ".join(f"{panel.title}: {from_to(panel.lines, '.1f')}" for panel in panels)
    return Chart(
        "attacks_by_density",
        f"Accuracy under attack at radius {radius:g}, by weights remaining: {about.head}",
        f"From the dense network on the left to the sparsest. {seen}.",
        panels,
        [
            f"The radius, {radius:g} of the full scale, is the one at which PGD leaves the dense network nearest to "
            "half of its accuracy. Point: mean of the replicates; band: least to greatest.",
            "Networks that were not trained against attacks, as these, have little to hold against them at larger "
            "radii; differences between them say how steep their loss is around the images.",
        ],
        notes=about.notes,
        same_y=True,
    )
