"""The small network: is it smaller, is it faster, and in which form?"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from lth_pipeline.reports.analyses.parent import of_parent
from lth_pipeline.reports.analyses.section import About, Findings, Section
from lth_pipeline.reports.analyses.small_network_charts import charts
from lth_pipeline.reports.analyses.small_network_forms import comparable, matching, with_gains
from lth_pipeline.reports.analyses.small_network_tables import layers, sizes, times
from lth_pipeline.reports.analyses.small_network_words import headline, paragraphs, uneven

NOTHING = "No network's size and speed have been measured yet."


def section(findings: Findings, about: About) -> Section:
    empty = pd.DataFrame()
    table, of_layers, machine = (findings.tables.get(name, empty) for name in ("forms", "layers", "machine"))
    if table.empty:
        return Section(NOTHING)
    everything, table = table, with_gains(comparable(table))
    compared = set(table["replicate"])
    replicates = [replicate for replicate in about.replicates if replicate in compared]
    about = replace(about, replicates=replicates, notes=[*about.notes, *uneven(table)])
    of_layers = of_layers[of_layers["replicate"].isin(compared)] if len(of_layers) else of_layers
    chosen = matching(table, about.experiment.analysis.margin)
    told = table["round"].max() if chosen is None else chosen
    shown = [sizes(table, chosen), times(table, chosen)]
    if len(of_layers) and (of_layers["round"] == told).any():
        shown.append(layers(of_layers, int(told)))
    text = [*paragraphs(table, everything, machine), *of_parent(about, bool((table["round"] == 0).any()))]
    return Section(headline(table, about), charts(table, about), text, shown)
