"""The small network in words: how much smaller, how much faster, and where it is slower."""

from __future__ import annotations

import math

import pandas as pd

from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.analyses.small_network_forms import (
    AS_TRAINED,
    EXACT,
    GAINS,
    MEANINGS,
    RUNTIMES,
    Form,
    accuracies,
    against,
    apart,
    best,
    faithful,
    forms_of,
    matching,
    of_form,
    paired,
)
from lth_pipeline.reports.wording import digits, left, of_replicates

LATENCIES = {"latency_1_ms": "one image", "latency_64_ms": "64 images"}
LITERATURE = (
    "Zeros at scattered places make a file smaller, but seldom a network faster on hardware and with libraries made "
    "for dense products. Han et al. 2015 (Deep Compression) stored pruned, quantised and Huffman coded networks in 35 "
    "(AlexNet) and 49 (VGG-16) times fewer bytes; to run such networks fast, Han et al. 2016 (EIE) designed a chip, "
    "and Gale et al. 2020 (Sparse GPU Kernels for Deep Learning) wrote kernels. Frankle & Carbin 2019 name it as a "
    "limit of their work that the architectures it finds are not optimised for modern libraries or hardware."
)


def headline(table: pd.DataFrame, about: About) -> str:
    """How small and how fast the sparsest round within the margin is against dense; what is slower."""
    margin = about.experiment.analysis.margin
    n = of_replicates(table["replicate"].nunique())  # `comparable`, so each has dense, and not each every round
    rounds = accuracies(table)
    if not (table["round"] > 0).any():
        return f"Dense alone has been measured ({n}): {_alone(table, 0)}."
    round = matching(table, margin)
    if round is None:
        last = rounds.loc[rounds["density"].idxmin()]
        why = (
            "There is no dense network to hold the tickets against"
            if rounds["below"].isna().all()
            else f"No round of the ticket is within {100 * margin:g} percentage points of dense's test accuracy"
        )
        return (
            f"{why} ({n}). The sparsest, of {left(last['density'])} of the weights and {100 * last['accuracy']:.1f} % "
            f"test accuracy: {_alone(table, int(last['round']))}."
        )
    table = table[table["replicate"].isin(table.loc[table["round"] == round, "replicate"])]
    n, near = of_replicates(table["replicate"].nunique()), faithful(table, margin)
    density = rounds.loc[rounds["round"] == round, "density"].iloc[0]
    times = [said for measure in LATENCIES if (said := _faster(near, round, measure))]
    found = [
        f"The ticket of {left(density)} of the weights (the sparsest whose mean test accuracy is not more than "
        f"{100 * margin:g} percentage points below dense's; {n}; not the verdict's rule){_smaller(near, round)}.",
        f"Each in its fastest form, it {', and '.join(times)}." if times else "",
        slower(table, round),
    ]
    return " ".join(filter(None, found))


def uneven(table: pd.DataFrame) -> list[str]:
    """A sentence on rounds that not all replicates have; none where all have all."""
    counts, n = table.groupby("round")["replicate"].nunique(), table["replicate"].nunique()
    fewer = [f"round {round} in {count}" for round, count in counts[counts < n].items()]
    return [f"Not measured in all of {n} replicates: {', '.join(fewer)}."] if fewer else []


def size_of(count: float) -> str:
    """Bytes: "48.6 kB", "1.07 MB"."""
    if not math.isfinite(count):
        return "–"
    power = min(3, max(0, int(math.log10(count) // 3))) if count >= 1 else 0
    return f"{digits(count / 1000.0**power)} {('bytes', 'kB', 'MB', 'GB')[power]}"


def time_of(milliseconds: float) -> str:
    """ "124 µs", "12.4 ms", "1.24 s"."""
    if not math.isfinite(milliseconds):
        return "–"
    if milliseconds < 1:
        return f"{digits(1000 * milliseconds)} µs"
    return f"{digits(milliseconds)} ms" if milliseconds < 1000 else f"{digits(milliseconds / 1000)} s"


def times_of(ratios: pd.Series) -> str:
    """ "3.4 times (3.2 to 3.6)", "1.002 times": mean, least and greatest replicate, where these differ by more than a
    per cent."""
    count = 4 if ratios.mean() < 1.01 else 3 if ratios.mean() < 2 else 2
    mean, low, high = (digits(each, count) for each in (ratios.mean(), ratios.min(), ratios.max()))
    spread = f" ({low} to {high})" if low != high and ratios.max() > 1.01 * ratios.min() else ""
    return f"{mean} times{spread}"


def slower(table: pd.DataFrame, round: int) -> str:
    """Which forms of a round are slower than dense as trained in the same runtime (`apart`); "" where none is. In a
    sentence of its own."""
    said = []
    for form in _changed(table[table["round"] == round]):
        dense, own = (0, Form(AS_TRAINED, form.runtime)), (round, form)
        took = [
            f"{what} {times_of(1 / against(table, own, dense, measure))} as long"
            for measure, what in LATENCIES.items()
            if apart(table, own, dense, measure) == "slower"
        ]
        if took:
            said.append(f"{form.title}: {' and '.join(took)}")
    return f"Slower than dense as trained in the same runtime: {'; '.join(said)}." if said else ""


def slower_anywhere(table: pd.DataFrame) -> str:
    """As `slower`, over all rounds of the ticket: in how many, and where most. table: with its ratios."""
    density, n = table.groupby("round")["density"].mean(), table["replicate"].nunique()
    said = []
    for form in _changed(table):
        own, dense = of_form(table[table["round"] > 0], form), (0, Form(AS_TRAINED, form.runtime))
        for measure, what in LATENCIES.items():
            longer = 1 / own.set_index("round")[GAINS[measure]].dropna()
            rounds = sorted(set(longer.index))
            slow = [round for round in rounds if apart(table, (round, form), dense, measure) == "slower"]
            if slow:
                most = max(slow, key=lambda round: longer[[round]].mean())
                ratios = longer[[most]]
                of_fewer = f"; {of_replicates(len(ratios))}" if len(ratios) < n else ""
                said.append(
                    f"{form.title}, {what}: in {len(slow)} of {len(rounds)} rounds, at most {times_of(ratios)} as long "
                    f"(at {left(density[most])} of the weights{of_fewer})"
                )
    if not said:
        return ""
    return (
        "Not every form is faster. Slower than dense as trained in the same runtime, beyond the quartiles of both in "
        "every replicate, and by more than the tickets as trained, which compute what it computes, differ from it: "
        f"{'; '.join(said)}."
    )


def paragraphs(table: pd.DataFrame, everything: pd.DataFrame, machine: pd.DataFrame) -> list[str]:
    """table: what is `comparable` of `everything`, with its ratios."""
    there = [form for form in MEANINGS if (table["form"] == form).any()]
    runtimes = [title for runtime, (title, _) in RUNTIMES.items() if (table["runtime"] == runtime).any()]
    left_out = machine["left_out"].dropna().unique() if "left_out" in machine else []
    slow = slower_anywhere(table)
    return [
        *([slow] if slow else []),
        *_who(table, everything),
        f"Forms. {'. '.join(MEANINGS[form][:1].upper() + MEANINGS[form][1:] for form in there)}. Measured in "
        f"{' and in '.join(runtimes)}.{''.join(f' {said[:1].upper()}{said[1:]}.' for said in left_out)}",
        *_same_answers(everything),
        _how(machine),
        LITERATURE,
    ]


def _changed(table: pd.DataFrame) -> list[Form]:
    """Without the networks as trained: these do dense's work, and differ from it by chance alone."""
    return [form for form in forms_of(table) if form.form != AS_TRAINED]


def _who(table: pd.DataFrame, everything: pd.DataFrame) -> list[str]:
    """A paragraph on what was not measured in every replicate; none where all was."""
    gone = sorted(set(everything["replicate"]) - set(table["replicate"]))
    said = uneven(table)
    if gone:
        replicates = f"{'replicates' if len(gone) > 1 else 'replicate'} {', '.join(map(str, gone))}"
        why = "for want of a dense network or of a ticket"
        said.insert(0, f"Left out of comparisons, pictures and tables, {why}: {replicates}.")
    return [" ".join([*said, "Every ratio is over the replicates that have both networks."])] if said else []


def _alone(table: pd.DataFrame, round: int) -> str:
    """The least of a round in each measure, without a ratio."""
    said = {"bytes": "its smallest file", **LATENCIES}
    forms = {measure: best(table, round, measure) for measure in said}
    told = [
        f"{words} {(size_of if measure == 'bytes' else time_of)(_mean(table, round, form, measure))} ({form.title})"
        for (measure, words), form in zip(said.items(), forms.values(), strict=True)
        if form is not None
    ]
    return ", ".join(told)


def _smaller(table: pd.DataFrame, round: int) -> str:
    """Its smallest file against dense's as trained, and against dense's smallest."""
    own, dense = best(table, round, "bytes"), best(table, 0, "bytes")
    if own is None or dense is None:
        return ""
    parts = {"dense as trained": Form(AS_TRAINED, own.runtime), f"dense's smallest form ({dense.form})": dense}
    if dense.form == AS_TRAINED:
        parts.popitem()
    ratios = {name: against(table, (round, own), (0, form), "bytes") for name, form in parts.items()}
    told = [_as_large(ratio, name) for name, ratio in ratios.items() if len(ratio)]
    return f" is {size_of(_mean(table, round, own, 'bytes'))} on disk ({own.form}), {' and '.join(told)}"


def _as_large(ratios: pd.Series, name: str) -> str:
    """ratios: how many times smaller than `name`. What differs by less than half a thousandth is as large."""
    if (ratios - 1).abs().max() < 5e-4:
        return f"as large as {name}"
    if ratios.mean() > 1:
        return f"{times_of(ratios)} smaller than {name}"
    return f"{times_of(1 / ratios)} as large as {name}"


def _faster(table: pd.DataFrame, round: int, measure: str) -> str:
    """Its fastest form against dense's fastest."""
    own, dense = best(table, round, measure), best(table, 0, measure)
    if own is None or dense is None:
        return ""
    pair = (table, (round, own), (0, dense), measure)
    sure, ratios, what = apart(*pair), against(*pair), LATENCIES[measure]
    said = {
        "faster": f"answers {what} {times_of(ratios)} as fast as dense",
        "slower": f"takes {times_of(1 / ratios)} as long as dense for {what}",
        "": f"answers {what} as fast as dense, as far as could be measured",
    }[sure]
    both = paired(*pair[:3], [measure]).mean()
    took, of_dense = (time_of(both[column]) for column in (measure, f"{measure}_of_dense"))
    if own == dense:
        return f"{said} ({took} and {of_dense}, both {_in(own)})"
    return f"{said} ({took} {_in(own)}; dense {of_dense} {_in(dense)})"


def _in(form: Form) -> str:
    return f"{form.form} in {RUNTIMES[form.runtime][0]}"


def _mean(table: pd.DataFrame, round: int, form: Form, measure: str) -> float:
    return float(of_form(table[table["round"] == round], form)[measure].mean())


def _same_answers(table: pd.DataFrame) -> list[str]:
    """How far each form's answers are from those of the trained network."""
    exact = table[table["form"].isin(EXACT)]
    wrong, known = exact[exact["same"] == False], exact.dropna(subset=["max_difference"])  # noqa: E712 (a column)
    said = []
    if len(wrong):
        said.append(
            f"{len(wrong)} of {len(exact)} networks that should answer as the trained ones do not (the check "
            "same_outputs names them)."
        )
    elif len(known):
        worst = known.loc[known["max_difference"].idxmax()]
        turned = int(known["changed"].sum())  # the networks are the same: only ties can have turned
        predictions = f"{turned:,} predictions, ties to rounding, differ" if turned else "no prediction differs"
        said.append(
            "All forms but those of fewer bits give the trained networks' answers on the whole test set: logits differ "
            f"by {digits(worst['max_difference'], 2)} at most (the greatest there: {digits(worst['scale'])}), "
            f"{predictions}."
        )
    for form in (form for form in MEANINGS if form not in EXACT):
        changed = table.loc[table["form"] == form, "changed"].dropna()
        if len(changed):
            low, high = changed.min(), changed.max()
            many = f"{low:,.0f} to {high:,.0f}" if high > low else f"{high:,.0f}"
            said.append(f"In the form {form} {many} predictions of a network are others.")
    return [" ".join(said)] if said else []


def _how(machine: pd.DataFrame) -> str:
    row = {name: value for name, value in machine.iloc[-1].items() if not pd.isna(value)} if len(machine) else {}
    threads = row.get("threads")
    by = [
        row.get("processor"),
        f"ONNX Runtime on {row['cpu']}" if row.get("cpu", row.get("processor")) != row.get("processor") else "",
        f"{threads:.0f} thread{'s' if threads != 1 else ''}" if threads else "",
        *(f"{name} {row[name]}" for name in ("torch", "onnxruntime") if name in row),
    ]
    where = ", ".join(str(each) for each in by if each)
    compressor = row.get("compressor", "a general compressor")
    return (
        f"How it was measured{f': {where}' if where else ''}. All forms and rounds of a replicate took turns in one "
        "run; a time is the median of the turns, between their quartiles, and every ratio is of one replicate, run and "
        f"runtime. Times, and less so their ratios, are of this machine. Compressed: the file by {compressor}. Memory "
        "in PyTorch: bytes of the tensors that are alive at once at batch 64, weights included; in ONNX Runtime: what "
        "its process grew by. These can be compared only within a runtime."
    )
