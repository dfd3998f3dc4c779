"""Tables of the small network for people."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.reports.analyses.along import evenly
from lth_pipeline.reports.analyses.section import Shown
from lth_pipeline.reports.analyses.small_network_forms import forms_of, of_form
from lth_pipeline.reports.analyses.small_network_words import size_of, time_of
from lth_pipeline.reports.wording import left, ranged, written

UNBROKEN = "\N{NO-BREAK SPACE}"  # names of forms stay on one line
ROUNDS = 4  # beside dense and the sparsest that matches
OF_RATIOS = "Ratios to dense as trained in the same runtime: mean (least to greatest) of the replicates."


def sizes(table: pd.DataFrame, chosen: int | None) -> Shown:
    """Every form of dense and of some rounds. chosen: a round that is among them."""
    return Shown(
        "How large each form is, of dense and of chosen rounds: the file as it is and compressed, the most memory at "
        f"batch 64, and what it gets right; means over replicates. {OF_RATIOS} Above 1: smaller than dense.",
        ("weights", "form", "file", "× smaller", "compressed", "× smaller", "memory", "accuracy, %", "changed"),
        [
            [
                *named,
                size_of(own["bytes"].mean()),
                ratio_of(own["smaller"]),
                size_of(own["bytes_compressed"].mean()),
                ratio_of(own["smaller_compressed"]),
                size_of(own["peak_bytes"].mean()),
                written(100 * own["accuracy"].mean(), ".2f"),
                differing(own["changed"], ",.0f"),
            ]
            for *named, own in _rows(table, chosen)
        ],
    )


def times(table: pd.DataFrame, chosen: int | None) -> Shown:
    """As `sizes`."""
    return Shown(
        "How long each form takes, of dense and of chosen rounds: median (lower to upper quartile) of the turns, means "
        f"over replicates. {OF_RATIOS} Above 1: faster than dense; below 1: slower.",
        ("weights", "form", "one image", "× as fast", "64 images", "× as fast", "images a second"),
        [
            [
                *named,
                _timed(own, "latency_1"),
                ratio_of(own["faster_1"]),
                _timed(own, "latency_64"),
                ratio_of(own["faster_64"]),
                written(float(f"{own['images_per_second'].mean():.3g}"), ",.0f"),
            ]
            for *named, own in _rows(table, chosen)
        ],
    )


def differing(values: pd.Series, form: str) -> str:
    """ "383 (382 to 384)", as `ranged`; the mean alone where the least reads as the greatest."""
    there = values.dropna()
    ends = {ranged(pd.Series([end]), form) for end in (there.min(), there.max())}
    return ranged(there if len(ends) > 1 else pd.Series([there.mean()]), form)


def ratio_of(values: pd.Series) -> str:
    """ "0.99", "3.41 (3.20 to 3.62)", "24.1": the mean alone where all are the same to a per cent."""
    alike = values.max() <= 1.01 * values.min()
    return differing(pd.Series([values.mean()]) if alike else values, ".2f" if not values.mean() >= 10 else ".1f")


def _rows(table: pd.DataFrame, chosen: int | None) -> list[tuple[str, str, pd.DataFrame]]:
    """(weights remaining, title of the form, its rows) of dense, of some rounds and of `chosen`."""
    of_tickets = evenly(table.loc[table["round"] > 0, "round"], ROUNDS)
    rounds = sorted({*table.loc[table["round"] == 0, "round"], *of_tickets, *([] if chosen is None else [chosen])})
    found = []
    for round in rounds:
        of_round = table[table["round"] == round]
        density = left(of_round["density"].mean())
        found += [(density, form.title.replace(" ", UNBROKEN), of_form(of_round, form)) for form in forms_of(of_round)]
    return found


def layers(table: pd.DataFrame, round: int) -> Shown:
    """What is left of each layer in one round: means over replicates."""
    own = table[table["round"] == round]
    rows = []
    for name in dict.fromkeys(own["layer"]):
        layer = own[own["layer"] == name]
        rows.append(
            [
                str(name),
                str(layer["kind"].iloc[0]),
                left(layer["density"].mean()),
                *(_left_of(layer, what) for what in ("inputs", "outputs")),
                ", ".join(sorted(set(layer["stored_as"].dropna()))) or "–",
                size_of(layer["bytes"].mean()),
            ]
        )
    replicates = own["replicate"].nunique()
    means = f", means (least to greatest) of {replicates} replicates" if replicates > 1 else ""
    return Shown(
        f"What is left of each layer in round {round}{means}: inputs and outputs are units or channels, before and "
        "after those that the mask has cut off were taken out; stored as: in the sparse form.",
        ("layer", "kind", "weights remaining", "inputs", "outputs", "stored as", "bytes"),
        rows,
    )


def _left_of(layer: pd.DataFrame, what: str) -> str:
    return f"{differing(layer[f'{what}_left'], ',.0f')} of {layer[what].iloc[0]:,.0f}"


def _timed(own: pd.DataFrame, measure: str) -> str:
    middle, low, high = (own[f"{measure}{end}_ms"].mean() for end in ("", "_low", "_high"))
    return f"{time_of(middle)} ({time_of(low)} to {time_of(high)})"
