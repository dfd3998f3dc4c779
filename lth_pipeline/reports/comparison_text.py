"""A comparison in words and tables for people."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.section import Shown
from lth_pipeline.reports.comparison import Comparison, gaps, summary
from lth_pipeline.reports.comparison_look import shown_arms
from lth_pipeline.reports.table import by_round, differences
from lth_pipeline.reports.wording import left, written

MOST_NAMED = 6  # experiments in the headline
FEW = 4  # experiments that stand side by side in a table of settings; more are its rows


def headline(compared: Comparison) -> str:
    """The tickets at the sparsest density that all have reached; nothing is tested here."""
    means = {member: by_round(compared.of(member)) for member in compared.members}
    tickets = {member: lines[lines["arm"] == "ticket"] for member, lines in means.items()}
    if any(lines.empty for lines in tickets.values()):
        without = ", ".join(compared.labels[member] for member, lines in tickets.items() if lines.empty)
        return f"Not every experiment has a ticket yet: none of {without}."
    reached = max(lines["density"].min() for lines in tickets.values())
    nearest = {member: lines.loc[(lines["density"] - reached).abs().idxmin()] for member, lines in tickets.items()}
    order = sorted(nearest, key=lambda member: -nearest[member]["test_accuracy_at_end"])
    shown = order if len(order) <= MOST_NAMED else [order[0], order[-1]]
    said = [
        f"{compared.labels[member]} {_own(nearest[member])} % (n = {int(nearest[member]['n'])})" for member in shown
    ]
    which = "" if shown is order else f", the highest and the lowest of {len(order)}"
    return (
        f"At {left(reached)} of the weights, the fewest that all have reached, the tickets end with a test "
        f"accuracy of {', '.join(said)}{which}: mean ± standard deviation over replicates, highest first."
    )


def sentences(compared: Comparison) -> list[str]:
    """One for each experiment: how its ticket does in its sparsest round."""
    return [sentence(compared, member) for member in compared.members]


def sentence(compared: Comparison, member: str) -> str:
    label, frame = compared.labels[member], compared.of(member)
    lines = by_round(frame)
    tickets, dense = lines[lines["arm"] == "ticket"], lines[lines["arm"] == "dense"]
    if tickets.empty:
        accuracy = f" Its test accuracy at the end is {_own(dense.iloc[0])} %." if len(dense) else ""
        return f"{label}: no ticket is trained to its end yet.{accuracy}"
    last = tickets.iloc[-1]
    said = f"{label}: at {left(last['density'])} of the weights the ticket ends with {_own(last)} % test accuracy"
    if len(dense):
        gain = last["test_accuracy_at_end"] - dense.iloc[0]["test_accuracy_at_end"]
        said += f", {written(100 * gain, '+.2f')} points from dense"
    for control in (arm for arm in shown_arms(compared) if arm != "ticket"):
        paired = differences(frame, control)
        if len(paired):
            gap = paired.iloc[-1]
            where = "" if gap["round"] == last["round"] else f" (at {left(gap['density'])} of the weights)"
            said += f" and {percent(gap['mean'], gap['sd'], sign='+')} from {ARMS[control].title}{where}"
    return f"{said} (n = {int(last['n'])})."


def sparsest(compared: Comparison) -> Shown:
    """A line for each experiment: the sparsest round that has a ticket."""
    controls = [arm for arm in shown_arms(compared) if arm != "ticket"]
    rows = []
    for member in compared.members:
        frame = compared.of(member)
        lines = by_round(frame)
        tickets, dense = lines[lines["arm"] == "ticket"], lines[lines["arm"] == "dense"]
        if tickets.empty:
            continue
        last = tickets.iloc[-1]
        last_gaps = {control: differences(frame, control) for control in controls}
        rows.append(
            (
                compared.labels[member],
                left(last["density"]),
                str(int(last["n"])),
                percent(last["test_accuracy_at_early_stop"], last["test_accuracy_at_early_stop_sd"]),
                _own(last),
                _own(dense.iloc[0]) if len(dense) else "–",
                *(
                    percent(gap.iloc[-1]["mean"], gap.iloc[-1]["sd"], sign="+") if len(gap) else "–"
                    for gap in last_gaps.values()
                ),
                f"{last['early_stop_iteration']:,.0f}",
            )
        )
    columns = ("experiment", "weights left", "n", "at early stop, %", "at the end, %", "dense at the end, %")
    columns += (*(f"ticket − {ARMS[control].title}" for control in controls), "early-stop iteration")
    caption = (
        "The ticket in its sparsest round: test accuracy, and its difference at the end from its control in percentage "
        "points, replicate by replicate. Mean ± standard deviation."
    )
    return Shown(caption, columns, rows)


def apart(compared: Comparison) -> Shown:
    """The settings that tell apart the experiments that are there; of a sweep also the facts that are not the same for
    all, which elsewhere are settings too."""
    swept = compared.lineup.kind == "sweep"
    facts = compared.differing if swept else []
    at = {
        member: {**compared.lineup.at[member], **{name: compared.facts[member][name] for name in facts}}
        for member in compared.members
    }
    # in what only those differ that have not been run
    what = [name for name in next(iter(at.values())) if swept or len({own[name] for own in at.values()}) > 1]
    labels = at if swept else [compared.labels[member] for member in at]
    caption = "What tells them apart." if what else "Their cards have the same settings."
    if len(at) <= FEW:
        return Shown(caption, ("setting", *labels), [(name, *(own[name] for own in at.values())) for name in what])
    cells = [(label, *(own[name] for name in what)) for label, own in zip(labels, at.values(), strict=True)]
    return Shown(caption, ("experiment", *what), cells)


def rounds(compared: Comparison) -> Shown:
    """Every round and arm of every experiment."""
    columns = ("experiment", "round", "weights left", "arm", "n", "test accuracy at early stop, %")
    return Shown("Means over replicates ± standard deviation.", columns, list(_summary_cells(compared)))


def controls(compared: Comparison) -> Shown:
    """The ticket against every control there is."""
    columns = ("experiment", "control", "weights left", "n", "ticket − control, percentage points")
    cells = [
        (
            compared.labels[line.experiment],
            ARMS[line.control].title,
            left(line.density),
            str(int(line.n)),
            percent(line.mean, line.sd, sign="+"),
        )
        for line in gaps(compared).itertuples()
    ]
    caption = (
        "Tickets against each control, test accuracy at early stop, in the sparsest round that has both: mean of "
        "paired differences ± their standard deviation."
    )
    return Shown(caption, columns, cells)


def markdown_summary(compared: Comparison) -> str:
    """The summary as Markdown, with what must be said beside it."""
    lines = [
        "| experiment | round | density | arm | n | test accuracy at early stop |",
        "|---|---:|---:|---|---:|---:|",
        *(f"| {' | '.join(cells)} |" for cells in _summary_cells(compared)),
    ]
    return "\n".join([*lines, *(f"\n*{note}*" for note in compared.notes)])


def _summary_cells(compared: Comparison) -> Iterator[tuple[str, ...]]:
    for line in summary(compared).itertuples():
        density, accuracy = left(line.density), percent(line.mean, line.sd)
        about = compared.labels[line.experiment], str(line.round)
        yield *about, density, ARMS[line.arm].title, str(line.n), accuracy


def _own(line: pd.Series) -> str:
    return percent(line["test_accuracy_at_end"], line["test_accuracy_at_end_sd"])


def percent(mean: float, sd: float, sign: str = "") -> str:
    """ "97.31 ± 0.20"; without the spread where there is none."""
    return written(100 * mean, f"{sign}.2f") + ("" if pd.isna(sd) else f" ± {100 * sd:.2f}")
