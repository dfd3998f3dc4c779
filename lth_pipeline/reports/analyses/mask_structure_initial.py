"""Charts of what survivors were before training."""

from __future__ import annotations

import numpy as np

from lth_pipeline.reports.analyses.mask_structure_distribution import distribution
from lth_pipeline.reports.analyses.mask_structure_tables import Tables, own_arm, some
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines, Rule
from lth_pipeline.reports.over_replicates import DENSITY, by_density, line
from lth_pipeline.reports.wording import left

INITIAL_RANGE = (-4.0, 4.0)  # of the histograms' bins, in standard deviations
DECILES = range(1, 11)


def initial_values(tables: Tables, about: About) -> Chart | None:
    """A panel for each of some layers: the survivors' distribution in some rounds, and that of all weights."""
    names, panels = tables.layer_names, []
    shown = {number: sum(there) for number in tables.rounds_to_show(about) if (there := _initial(tables, number))}
    if not shown:
        return None
    for name in some(names):
        place = names.index(name)
        every = next(iter(shown.values()))[place, 0]
        lines = [distribution("all weights", every, INITIAL_RANGE, arm="dense")]
        for number, counts in shown.items():
            own = f"survivors at {left(tables.density(number))}"
            lines.append(distribution(own, counts[place, 1], INITIAL_RANGE, shade=about.shade(tables.density(number))))
        x, y = Axis("initial value, sd of the layer"), Axis("probability density")
        panels.append(Lines(x, y, [each for each in lines if each], title=name))
    last = tables.initial[tables.initial["round"] == tables.last]
    said = [
        f"{name} {own['ratio'].astype(float).mean():.2f} ({100 * own['positive'].astype(float).mean():.0f} % positive)"
        for name in some(names)
        if (own := last[last["layer"] == name])["ratio"].notna().any()
    ]
    return Chart(
        "initial_values",
        f"What the survivors' initial values were: {about.head}",
        f"At {left(tables.density(tables.last))} of the weights the mean magnitude of the survivors' initial values is "
        f"so many times that of all: {', '.join(said)}.",
        panels,
        [
            "Distributions of the initial values (at the rewind point, where tickets are rewound to one) of the "
            "weights that survive and of all weights of the layer, in standard deviations of the latter; all "
            "replicates.",
            "Frankle & Carbin 2019 (Appendix F, LeNet on MNIST, Adam): the first layer's survivors keep the shape "
            "of the initialisation, those of the second hidden layer and of the output layer become bimodal, with "
            "peaks on either side of zero that are of different height: more positive ones in the second layer, "
            "more negative ones in the output layer.",
        ],
        columns=min(3, len(panels)),
        notes=about.notes,
    )


def initial_magnitudes(tables: Tables, about: About) -> Chart | None:
    """Whether large initial weights survive: by density, and in the last round by tenths of the magnitude."""
    table = tables.initial.assign(arm="ticket")
    by_round, by_tenth = [], []
    for place, name in enumerate(some(tables.layer_names)):
        own = table[(table["layer"] == name) & table["ratio"].notna()]
        if own.empty:
            continue
        own = own.assign(ratio=own["ratio"].astype(float))
        by_round.append(line(name, by_density(own, "ticket", "ratio"), colour=place))
        here = own[own["round"] == tables.last]
        share = here[[f"decile_{tenth}" for tenth in DECILES]].astype(float).mean()
        if share.mean() > 0:
            relative = [None if np.isnan(each) else float(each) for each in share / share.mean()]
            by_tenth.append(Line(name, list(DECILES), relative, colour=place))
    if not by_round:
        return None
    said = "; ".join(f"{each.name}: tenth 1 {each.y[0]:.2f}, tenth 10 {each.y[-1]:.2f}" for each in by_tenth)
    return Chart(
        "initial_magnitudes",
        f"Whether weights that began large survive: {about.head}",
        f"Survival by tenth of the initial magnitude at {left(tables.density(tables.last))} of the weights, the "
        f"layer's mean = 1: {said}.",
        [
            Lines(
                DENSITY,
                Axis("mean |initial value|, survivors to all"),
                by_round,
                [Rule(1.0, "y", "no preference")],
                title="Mean magnitude",
            ),
            Lines(
                Axis("tenth of the layer's weights by |initial value|", ticks=[(n, str(n)) for n in DECILES]),
                Axis("survivors, the layer's mean = 1"),
                by_tenth,
                [Rule(1.0, "y", "no preference")],
                title=f"At {left(tables.density(tables.last))} of the weights",
            ),
        ],
        [
            "Mean magnitude: that of the survivors' initial values to that of all weights of the layer. By tenths: how "
            "often weights of each tenth of the initial magnitudes survive the last round, the least tenth first.",
            "Frankle & Carbin 2019 (Appendix F): in the second hidden layer and the output layer survivors tend to "
            "have begun with greater magnitudes, so the weights that began small must have ended small; in the "
            "first layer where a weight begins says less about where it ends.",
        ],
        notes=about.notes,
    )


def _initial(tables: Tables, number: int) -> list[np.ndarray]:
    return tables.arrays_of(number, "initial", own_arm(number))
