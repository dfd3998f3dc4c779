"""Which ticket is taken where nobody names one: the round by the verdict's rule, the replicate by its validation loss.

Never by the test accuracy of a single network, which would be a choice of lucky ones:

    subject = Subject(workshop, chains)
    round, why = chosen_round(verdict_of(subject), subject.rows())
    replicate = chosen_replicate(subject.rows(), round)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from lth_pipeline.recipes.analyses import verdict
from lth_pipeline.recipes.analyses.analysis import Found, Rows, Subject, look_up

LEAST = 3  # pairs of ticket and dense network: with fewer the verdict shows nothing
BETTER_OF = "validation_loss_min"  # the column of the results that chooses; less is better


class Chosen(NamedTuple):
    """round: None where none can be chosen. why: in words, for people: by which rule, or why none."""

    round: int | None
    why: str


def verdict_of(subject: Subject) -> Found:
    """The verdict on an experiment as the store stands: what was found, or found now (a fraction of a second); empty
    tables where nothing is trained."""
    found = {"differences": [], "summary": []}
    for part in verdict.parts(subject):
        known = look_up(subject.workshop, part)
        found = (known.found if known else part.compute()).tables
    return Found(found)


def chosen_round(found: Found, rows: Rows) -> Chosen:
    """The sparsest round that matches by the verdict's rule. found: the verdict; rows: the results."""
    matching = matching_rounds(found)
    if not matching:
        return Chosen(None, why_none(found, rows))
    round = matching[-1]
    return Chosen(round, f"the sparsest of {_rounds(matching)} by the verdict's rule")


def best_round(found: Found, rows: Rows) -> Chosen:
    """Of the rounds that match, the one whose tickets have the least mean validation loss."""
    means = {round: loss for round in matching_rounds(found) if (loss := _mean_loss(rows, round)) is not None}
    if not means:
        return Chosen(None, why_none(found, rows))
    round = min(means, key=lambda round: (means[round], -round))
    return Chosen(round, f"the least mean validation loss ({means[round]:.4g}) of {_rounds(means)}")


def chosen_replicate(rows: Rows, round: int) -> int | None:
    """The replicate whose network of `round` (0: dense) has the least validation loss, of those in which neither it nor
    the dense network diverged; None without any."""
    dense = {row["replicate"] for row in trained(rows, 0)}
    there = [row for row in trained(rows, round) if row["replicate"] in dense]
    return min(there, key=lambda row: (row[BETTER_OF], row["replicate"]))["replicate"] if there else None


def matching_rounds(found: Found) -> list[int]:
    """The rounds that match, from dense to sparse."""
    return [row["round"] for row in against_dense(found) if row["matching"]]


def against_dense(found: Found, measure: str = verdict.JUDGED["early_stop"]) -> Rows:
    """The verdict's rows of ticket minus dense, a round each."""
    rows = found.tables["differences"]
    return [row for row in rows if (row["against"], row["measure"]) == ("dense", measure)]


def trained(rows: Rows, round: int) -> Rows:
    """The rows of the tickets of `round`, of the dense networks for 0, that did not diverge."""
    arm = "ticket" if round else "dense"
    return [row for row in rows if (row["round"], row["arm"]) == (round, arm) and row["diverged_at"] is None]


def why_none(found: Found, rows: Rows) -> str:
    """Why no round matches, in words."""
    if not rows:
        return "nothing is trained yet"
    if not any(row["arm"] == "ticket" for row in rows):
        return "no ticket is trained yet"
    judged = against_dense(found)
    if not judged:
        both = {row["replicate"] for row in trained(rows, 0)} & _with_a_ticket(rows)
        if both:
            return "its tickets learned other data than the dense network: there is nothing to hold them against"
        return "there is no replicate of which neither the dense network nor every ticket diverged"
    most = max(row["n"] for row in judged)
    if most < LEAST:
        pairs = "1 replicate shows" if most == 1 else f"{most} replicates show"
        return f"{pairs} nothing: the verdict needs at least {LEAST} to say that a ticket matches its dense network"
    first = judged[0]
    if first["lower_bound"] is None:
        return f"its densest ticket, of round {first['round']}, has {first['n']} of the {LEAST} replicates it takes"
    alone = [str(row["round"]) for row in judged if row["within_margin"]]
    by_itself = f"; taken alone round {', '.join(alone)} would match, but every denser one must, too" if alone else ""
    margin = next(row["value"] for row in found.tables["summary"] if row["key"] == "margin")
    return (
        f"no ticket is shown to match its dense network: in round {first['round']}, the densest, it may be worse by "
        f"{-100 * first['lower_bound']:.2f} percentage points (95 % bound, n = {first['n']}), and "
        f"the margin is {100 * margin:.2f}{by_itself}; more replicates tell more"
    )


def _rounds(matching: Collection[int]) -> str:
    if len(matching) == 1:
        return "the one round that matches the dense network"
    return f"the {len(matching)} rounds that match the dense network"


def _with_a_ticket(rows: Rows) -> set[int]:
    return {row["replicate"] for row in rows if row["arm"] == "ticket" and row["diverged_at"] is None}


def _mean_loss(rows: Rows, round: int) -> float | None:
    return _mean(row[BETTER_OF] for row in trained(rows, round))


def _mean(values: Iterable[float]) -> float | None:
    several = list(values)
    return sum(several) / len(several) if several else None
