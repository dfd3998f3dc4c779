"""The cost of the search in words, and its numbers as people read them."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from lth_pipeline.reports.wording import digits, left, with_error

#: the table's column `never` -> why no payback is told
WHY = {
    "not rewound": "No payback is told: tickets that are not rewound go on from trained weights, so that to train one "
    "again takes the search again",
    "published": "No payback is told: the ticket was published elsewhere, and what finding it took is not in this",
    "other data": "No payback is told: the dense network, the parent's, learned other data",
}
BUSY = (
    "The seconds tell little here: of replicates that did the same work one took more than twice as long as another: "
    "the machine was busy with other things, too, or trainings shared it."
)
PAYBACK = (
    "A payback of N: after N uses (trainings, or images) the search and the ticket's uses have cost together what "
    "the dense network's would have; never, where a use of the ticket saves nothing. Iterative pruning that takes "
    "the same share p in every round comes near 1 / p trainings with zeros skipped, however sparse the ticket is."
)
#: what stands before FLOP -> what stands after images
UNITS = {
    "": "",
    "k": ", thousands",
    "M": ", millions",
    "G": ", billions",
    "T": ", trillions",
    "P": ", 10¹⁵",
    "E": ", 10¹⁸",
}


def sentence(last: pd.Series, busy: bool) -> str:
    by_seconds = "" if busy else f", and {after(last, 'payback_seconds')} by the seconds measured here"
    took = f"about {digits(last['search_seconds'], 2)} s on a busy machine" if busy else _of_search(last)
    trainings = f"{last['search_trainings']:.0f} training{'s' if last['search_trainings'] != 1 else ''}"
    return (
        f"Finding the ticket of {left(last['density'])} of the weights took {trainings} before it: "
        f"{last['search_iterations']:,.0f} iterations, {took} "
        f"and about {energy_of(last['search_kwh'])} (an estimate; n = {last['n']:.0f}). {_pays(last, by_seconds)}."
    )


def _pays(last: pd.Series, by_seconds: str) -> str:
    if last["never"] in WHY:
        return WHY[last["never"]]
    return (
        "Trained again and again in place of the dense network, the ticket pays that back "
        f"{after(last, 'payback_flops')} if every zero is skipped{by_seconds}"
    )


def _of_search(row: pd.Series) -> str:
    return seconds_of(row["search_seconds"], row["search_seconds_sd"])


def paragraphs(summary: dict[str, Any], tickets: pd.DataFrame, busy: bool) -> list[str]:
    last = tickets.iloc[-1]
    return [
        *([BUSY] if busy else []),
        "The search is every training that the ticket comes of (the dense network, and in iterative pruning the "
        "tickets of the rounds before). The other arms are not in it: those of all rounds took "
        f"{digits(tickets['controls_seconds'].sum())} s more, in each replicate. Operations are multiplications and "
        "additions of convolutions and fully connected layers, 2 for each weight and place it is used at; a training "
        "step takes 3 forward passes. Biases, norms, activations, the optimiser and evaluations are not counted.",
        "Zeros skipped: only weights that survive are counted, which is what hardware and software for such sparsity "
        f"could reach at best. Most of today's compute zeros like any other number.{_against_dense(last)}",
        f"Energy is seconds times watts that are assumed, not measured: {summary['devices']}. All "
        f"{summary['trainings']} trainings of this experiment together took {digits(summary['seconds'])} s and about "
        f"{energy_of(summary['kwh'])}.",
        *([] if last["never"] in WHY else [PAYBACK]),
    ]


def _against_dense(last: pd.Series) -> str:
    if last["never"] == "other data":
        return ""
    share = digits(100 * last["seconds"] / last["dense_seconds"], 2)
    return (
        f" What was measured here: the ticket of {left(last['density'])} has "
        f"{left(last['forward_flops_masked'] / last['forward_flops_dense'])} of the dense network's operations, and "
        f"its training took {share} % of the dense network's time ({digits(last['seconds'])} s and "
        f"{digits(last['dense_seconds'])} s on average, evaluations included)."
    )


def unit_of(greatest: float) -> tuple[float, str]:
    """(what to divide by, its prefix) so that the greatest is between 1 and 1000."""
    place = int(math.log10(greatest) // 3) if not pd.isna(greatest) and greatest >= 1 else 0
    place = min(place, len(UNITS) - 1)
    return 1000.0**place, list(UNITS)[place]


def operations_of(value: float) -> str:
    scale, unit = unit_of(value)
    return f"{digits(value / scale)} {unit}FLOP"


def energy_of(kwh: float) -> str:
    return f"{digits(kwh, 2)} kWh" if kwh >= 1 else f"{digits(1000 * kwh, 2)} Wh"


def seconds_of(mean: float, sd: float | None) -> str:
    return f"{digits(mean) if pd.isna(sd) else with_error(mean, sd)} s"


def number_of(value: float | None) -> str:
    return "never" if pd.isna(value) else digits(value, 2)


def after(row: pd.Series, name: str) -> str:
    """In words, from the least to the greatest replicate where they differ."""
    if pd.isna(row[name]):
        return "never"
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    differ = pd.isna(high) or high > 1.01 * low
    spread = f" ({number_of(low)} to {number_of(high)})" if differ else ""
    return f"after {digits(row[name], 2)} trainings{spread}"
