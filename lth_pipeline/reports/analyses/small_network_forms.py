"""The forms a network was measured in: what they are called, how they look, and what they are against dense.

Tables are those of the analysis small_network. A form is a row's `form` and `runtime`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pandas as pd

AS_TRAINED = "as trained"
#: in the order of legends and tables; what each is, in words. Those of EXACT give the answers of the trained network
MEANINGS = {
    AS_TRAINED: "as trained: every weight stored and computed, the pruned ones as zeros",
    "compact": "compact: units, channels and inputs that the mask has cut off are taken out, constants go into biases, "
    "batch norm into the layer before it",
    "sparse": "sparse: the compact network with each layer's weights stored as a list of what is not zero (CSR), of "
    "blocks that are not (BSR), or whole, whichever takes the fewest bytes, and computed so where that is the quicker",
    "2:4": "2:4: at most two of four neighbouring weights kept, in half precision, for the GPU's sparse products",
    "int8": "int8: the compact network with weights of 8 bits (ONNX Runtime's dynamic quantisation), which may answer "
    "otherwise",
}
EXACT = (AS_TRAINED, "compact", "sparse")
COLOURS = {AS_TRAINED: 6, "compact": 4, "sparse": 5, "2:4": 1, "int8": 3}  # places in PALETTE
RUNTIMES: dict[str, tuple[str, Literal["solid", "dashed"]]] = {  # what they are called, how their lines are drawn
    "torch": ("PyTorch", "solid"),
    "onnxruntime": ("ONNX Runtime", "dashed"),
}
#: measure -> column of its ratio, which is above 1 where the row is better than dense: smaller, or faster
GAINS = {
    "bytes": "smaller",
    "bytes_compressed": "smaller_compressed",
    "latency_1_ms": "faster_1",
    "latency_64_ms": "faster_64",
}
KEYS = ["replicate", "runtime"]
LEAST = 1.02  # times: times that differ by less are called the same however quiet the machine was


class Form(NamedTuple):
    form: str
    runtime: str

    @property
    def title(self) -> str:
        """ "sparse, PyTorch"."""
        return f"{self.form}, {RUNTIMES[self.runtime][0]}"


def forms_of(table: pd.DataFrame) -> list[Form]:
    """Those that are there, in the order of legends."""
    there = set(zip(table["form"], table["runtime"], strict=True))
    return [Form(form, runtime) for runtime in RUNTIMES for form in MEANINGS if (form, runtime) in there]


def of_form(table: pd.DataFrame, form: Form) -> pd.DataFrame:
    return table[(table["form"] == form.form) & (table["runtime"] == form.runtime)]


def comparable(table: pd.DataFrame) -> pd.DataFrame:
    """Of the replicates that have dense and a ticket, so that all means are of the same networks; the whole table where
    there is none (there is nothing to compare)."""
    dense, tickets = (set(table.loc[rows, "replicate"]) for rows in (table["round"] == 0, table["round"] > 0))
    both = dense & tickets
    return table[table["replicate"].isin(both)] if both else table


def with_gains(table: pd.DataFrame) -> pd.DataFrame:
    """With a column for each of GAINS: dense as trained, of the same replicate and runtime, divided by the row's own;
    NaN where that was not measured."""
    dense = table[(table["round"] == 0) & (table["form"] == AS_TRAINED)]
    own = table.join(dense.set_index(KEYS)[list(GAINS)].add_suffix("_of_dense"), on=KEYS)
    return table.assign(**{gain: own[f"{measure}_of_dense"] / own[measure] for measure, gain in GAINS.items()})


def accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each round: round, density, accuracy (of the network as trained, mean over replicates), below: how far
    that lies below dense's, on average over the replicates that have both; NaN where none has."""
    exact = table[table["form"].isin(EXACT)]
    own = exact.groupby(["round", "replicate"])[["density", "accuracy"]].first().reset_index()
    dense = own[own["round"] == 0].set_index("replicate")["accuracy"]
    own["below"] = own["replicate"].map(dense) - own["accuracy"]
    return own.groupby("round")[["density", "accuracy", "below"]].mean().reset_index()


def matching(table: pd.DataFrame, margin: float) -> int | None:
    """The sparsest round whose accuracy is not below dense's by more than `margin` on average; None where there is
    none. No test is made: that is the verdict's."""
    rounds = accuracies(table)
    near = rounds[(rounds["round"] > 0) & (rounds["below"] <= margin + 1e-12)]
    return None if near.empty else int(near.loc[near["density"].idxmin(), "round"])


def faithful(table: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Without the rounds' forms whose accuracy is, on average, more than `margin` below that of the network as trained:
    int8 takes no part in a comparison of the best where it costs that much."""
    exact = table[table["form"].isin(EXACT)].groupby(["replicate", "round"])["accuracy"].first()
    lost = table.join(exact.rename("accuracy_as_trained"), on=["replicate", "round"])
    mean = (
        (lost["accuracy_as_trained"] - lost["accuracy"])
        .groupby([lost["form"], lost["runtime"], lost["round"]])
        .transform("mean")
    )
    return table[(mean <= margin + 1e-12).to_numpy()]


def best(table: pd.DataFrame, round: int, measure: str) -> Form | None:
    """The form of a round that is least in `measure` on average, of the forms that most replicates have; None where
    nothing was measured."""
    rows = table[table["round"] == round].dropna(subset=[measure])
    if rows.empty:
        return None
    found = rows.groupby(["form", "runtime"])[measure].agg(["mean", "size"])
    means = found.loc[found["size"] == found["size"].max(), "mean"].to_dict()
    return min((form for form in forms_of(rows) if form in means), key=lambda form: means[form])


def paired(
    table: pd.DataFrame, ticket: tuple[int, Form], dense: tuple[int, Form], measures: Sequence[str]
) -> pd.DataFrame:
    """`measures` of `ticket` and, named ..._of_dense, of `dense`, (round, form) each: a row for each replicate that has
    both."""
    own, other = (
        of_form(table[table["round"] == round], form).set_index("replicate")[list(measures)]
        for round, form in (ticket, dense)
    )
    return own.join(other.add_suffix("_of_dense"), how="inner").dropna()


def against(table: pd.DataFrame, ticket: tuple[int, Form], dense: tuple[int, Form], measure: str) -> pd.Series:
    """How many times less `ticket` is than `dense` in `measure`, as `paired` takes them: a ratio for each replicate."""
    both = paired(table, ticket, dense, [measure])
    return both[f"{measure}_of_dense"] / both[measure]


def noise(table: pd.DataFrame, runtime: str, measure: str) -> float:
    """How many times as long one of two networks that do the same work took, at most: the tickets as trained against
    dense as trained, means over replicates. LEAST at least. table: with its ratios (`with_gains`)."""
    tickets = of_form(table[table["round"] > 0], Form(AS_TRAINED, runtime))
    faster = tickets[GAINS[measure]]
    return max(LEAST, *(ratios.groupby(tickets["round"]).mean().max() for ratios in (faster, 1 / faster)))


def apart(table: pd.DataFrame, ticket: tuple[int, Form], dense: tuple[int, Form], measure: str) -> str:
    """ "faster" or "slower" where the ticket's quartiles and dense's do not meet in any replicate and the two are, on
    average, further apart than networks that do the same work (`noise`), else "". measure: a latency."""
    low, high = (measure.replace("_ms", f"_{end}_ms") for end in ("low", "high"))
    both = paired(table, ticket, dense, [measure, low, high])
    times = both[f"{measure}_of_dense"] / both[measure]
    if both.empty:
        return ""
    if (both[high] < both[f"{low}_of_dense"]).all():
        found = "faster"
    elif (both[low] > both[f"{high}_of_dense"]).all():
        found, times = "slower", 1 / times
    else:
        return ""
    floor = max(noise(table, form.runtime, measure) for _, form in (ticket, dense))
    return found if times.mean() > floor * (1 + 1e-9) else ""  # more than by rounding: one may be what the floor is of
