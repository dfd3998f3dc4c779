"""The section on masks: where weights survive, what they were, how far they went."""

from __future__ import annotations

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.mask_structure_initial import initial_magnitudes, initial_values
from lth_pipeline.reports.analyses.mask_structure_movement import movement, movement_histograms, signs
from lth_pipeline.reports.analyses.mask_structure_overlap import overlap
from lth_pipeline.reports.analyses.mask_structure_places import density_of_layers, first_layer
from lth_pipeline.reports.analyses.mask_structure_tables import ALL, OWN, Tables, tables_of
from lth_pipeline.reports.analyses.mask_structure_units import dead_units, degrees
from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.wording import left, of_replicates, ranged

CHARTS = (
    density_of_layers,
    first_layer,
    dead_units,
    degrees,
    overlap,
    initial_values,
    initial_magnitudes,
    movement,
    movement_histograms,
    signs,
)


def section(findings: Findings, about: About) -> Section:
    tables = tables_of(findings)
    if tables is None or not tables.last:
        return Section("Nothing has been pruned yet, so there is no mask to look at.")
    charts = [chart for draw in CHARTS if (chart := draw(tables, about))]
    return Section(_headline(tables), charts, shown=[_by_layer(tables), _by_round(tables)])


def _headline(tables: Tables) -> str:
    last = tables.last
    said = [
        f"{_percent(_dead(tables, last))} of the hidden units are dead"
        + (f" (a random mask: {_percent(chance)})" if _known(chance := _dead(tables, last, "expected_dead")) else "")
    ]
    shared, expected = (_overlap(tables, last, column).mean() for column in ("share", "expected_share"))
    if _known(shared):
        said.append(f"two replicates' masks share {_percent(shared)} of their survivors (chance: {_percent(expected)})")
    of_arm = {arm: _changed(tables, last, arm).mean() for arm in tables.arms}
    changed = [f"{ARMS[arm].title} {_percent(value)}" for arm, value in of_arm.items() if _known(value)]
    if changed:
        said.append(f"survivors whose sign training changes: {', '.join(changed)}")
    count = tables.layers["replicate"].nunique()
    return f"At {left(tables.density(last))} of the weights ({of_replicates(count)}): {'; '.join(said)}."


def _by_layer(tables: Tables) -> Shown:
    """The last round, layer by layer."""
    last, rows = tables.last, []
    for layer in tables.layer_names:
        here = tables.at(tables.layers, last, layer)
        units, initial = tables.at(tables.units, last, layer), tables.at(tables.initial, last, layer)
        rows.append(
            (
                layer,
                f"{here['left'].mean():,.0f} of {here['size'].iloc[0]:,}",
                _ranged(here["layer_density"]),
                _ranged(here["effective"] / here["left"]),
                f"{units['dead'].mean():.1f} of {units['units'].iloc[0]:,}",
                ranged(units["expected_dead"].astype(float), ".1f"),
                ranged(initial["ratio"].astype(float), ".2f"),
                _ranged(_changed(tables, last, "ticket", layer)),
            )
        )
    return Shown(
        f"The ticket's mask in round {last}, layer by layer: mean of the replicates (least to greatest). On a path: "
        "the share of the survivors through which a path of survivors leads from the image to a class. Dead units "
        "have no incoming or no outgoing weight. Magnitude: mean |initial value| of the survivors to that of all.",
        (
            *("layer", "weights left", "left, %", "on a path, %", "dead units", "in a random mask"),
            *("initial magnitude", "signs changed, %"),
        ),
        rows,
    )


def _by_round(tables: Tables) -> Shown:
    rows = []
    for number in tables.rounds:
        pixels = tables.pixels[tables.pixels["round"] == number] if len(tables.pixels) else tables.pixels
        rows.append(
            (
                str(number),
                left(tables.density(number)),
                _percent(_dead(tables, number)),
                _percent(_dead(tables, number, "expected_dead")),
                _ranged(_overlap(tables, number, "share")),
                _percent(_overlap(tables, number, "expected_share").mean()),
                ranged(_overlap(tables, number, "z"), ".1f"),
                ranged(_overlap(tables, number, "z_by_input"), ".1f"),
                ranged(pixels["correlation_with_sd"].astype(float), ".2f") if len(pixels) else "–",
            )
        )
    return Shown(
        "Round by round: mean (least to greatest of replicates, or of pairs of them). Shared: of the survivors of two "
        "replicates' masks. z: how many standard deviations of chance the shared survivors lie above chance within "
        "each layer; given the inputs: above chance where each input of a layer keeps its number of weights. Pixels: "
        "Spearman's rank correlation of a pixel's surviving weights with its standard deviation over the images.",
        (
            *("round", "weights left", "dead hidden units, %", "in a random mask, %", "shared, %", "by chance, %", "z"),
            *("z given the inputs", "pixels"),
        ),
        rows,
    )


def _dead(tables: Tables, number: int, column: str = "dead") -> float:
    """The share of all hidden units."""
    here = tables.hidden[tables.hidden["round"] == number]
    return here[column].astype(float).sum(min_count=1) / here["units"].sum()


def _overlap(tables: Tables, number: int, column: str) -> pd.Series:
    """Of all pairs of replicates."""
    between = tables.overlaps
    if between.empty:
        return pd.Series(dtype=float)
    chosen = (between["between"] == "replicates") & (between["round"] == number) & (between["layer"] == ALL)
    return between.loc[chosen, column].astype(float)


def _changed(tables: Tables, number: int, arm: str, layer: str = ALL) -> pd.Series:
    table = tables.signs
    chosen = (table["round"] == number) & (table["layer"] == layer)
    return table.loc[chosen & table["arm"].isin(OWN if arm == "ticket" else [arm]), "changed"].astype(float)


def _ranged(shares: pd.Series) -> str:
    return ranged(100 * shares.astype(float), ".1f")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if _known(share) else "–"


def _known(value: float) -> bool:
    return value == value
