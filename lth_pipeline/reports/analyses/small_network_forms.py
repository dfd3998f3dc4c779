"""The forms a network was measured in: what they are called, how they look, and what they are against dense.

Tables are those of the analysis small_network. A form is a row's `form` and `runtime`."""

from __future__ import annotations

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
    """The form of a round that is least in `measure` on average; None where nothing was measured."""
    rows = table[table["round"] == round].dropna(subset=[measure])
    if rows.empty:
        return None
    means = rows.groupby(["form", "runtime"])[measure].mean()
    return min(forms_of(rows), key=lambda form: means[form])


def against(table: pd.DataFrame, ticket: tuple[int, Form], dense: tuple[int, Form], measure: str) -> pd.Series:
    """How many times less `ticket` is than `dense` in `measure`, (round, form) each: a ratio for each replicate."""
    one, other = (
        of_form(table[table["round"] == round], form).set_index("replicate")[measure] for round, form in (ticket, dense)
    )
    return (other / one).dropna()


def apart(table: pd.DataFrame, ticket: tuple[int, Form], dense: tuple[int, Form], measure: str) -> str:
    """ "faster" or "slower" where the ticket's quartiles and dense's do not meet in any replicate, else "". measure: a
    latency, "latency_1_ms"."""
    low, high = (measure.replace("_ms", f"_{end}_ms") for end in ("low", "high"))
    own, other = (
        of_form(table[table["round"] == round], form).set_index("replicate")[[low, high]]
        for round, form in (ticket, dense)
    )
    both = own.join(other.add_suffix("_of_dense"), how="inner").dropna()
    if both.empty:
        return ""
    if (both[high] < both[f"{low}_of_dense"]).all():
        return "faster"
    return "slower" if (both[low] > both[f"{high}_of_dense"]).all() else ""
