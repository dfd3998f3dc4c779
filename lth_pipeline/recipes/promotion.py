"""Which tickets of an experiment are published, and whether they may be: none that is worse than its dense network.

What is published is the network at the end of its training, so that is what is held against the dense network's end:
in the replicate that it comes from, and on average over all that have both. docs/publish.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from lth_pipeline.recipes.analyses import verdict
from lth_pipeline.recipes.analyses.analysis import Found, Rows
from lth_pipeline.recipes.chosen import (
    BETTER_OF,
    LEAST,
    Chosen,
    against_dense,
    best_round,
    chosen_replicate,
    chosen_round,
    trained,
)
from lth_pipeline.recipes.errors import PublishedError

SPARSEST, BEST, NAMED = "sparsest-matching", "best", "chosen"  # aliases
END = verdict.JUDGED["end"]
RULES = (SPARSEST, BEST)  # which nobody else gives: they say that the verdict supports the ticket
ROUNDING = 1e-9  # of a difference of shares: what lies no further below the margin lies on it


@dataclass(frozen=True)
class Asked:
    """What a person asked for. round, replicate: None where the rule is to choose. alias: empty for the usual ones.

    Raises PublishedError for an alias that is the rule's.
    """

    round: int | None = None
    replicate: int | None = None
    alias: str = ""

    def __post_init__(self) -> None:
        if self.alias.lower() in RULES:  # a database may take capitals for small letters
            raise PublishedError(
                f"alias {self.alias!r} is given by the rule alone, to a ticket that the verdict supports: leave it "
                f"out, or give another one (where a ticket is named it is {NAMED!r})"
            )

    @property
    def by_rule(self) -> bool:
        return self.round is None and self.replicate is None


@dataclass(frozen=True)
class Candidate:
    """A ticket that is to be published under `aliases`. why: who chose it, in words."""

    round: int
    replicate: int
    aliases: tuple[str, ...]
    why: str


class Judged(NamedTuple):
    """Whether a candidate may be published, and why, in words. ticket, dense: test accuracies of the replicate at the
    end of training; mean: ticket minus dense over replicates. None where they are not known."""

    passed: bool
    why: str
    ticket: float | None = None
    dense: float | None = None
    mean: float | None = None


def candidates(found: Found, rows: Rows, asked: Asked) -> list[Candidate] | str:
    """What is to be published: by the rule the sparsest ticket that matches, and the best of those that do; or the one
    that was named. In words why nothing, where the rule finds none.

    found: the verdict; rows: the results. Raises PublishedError for a ticket that is not trained.
    """
    if not asked.by_rule:
        return _named(found, rows, asked)
    sparsest, best = chosen_round(found, rows), best_round(found, rows)
    if sparsest.round is None or best.round is None:
        return sparsest.why
    own = (SPARSEST, asked.alias) if asked.alias else (SPARSEST,)
    if best.round == sparsest.round:
        return [_candidate(rows, sparsest, (*own, BEST))]
    return [_candidate(rows, sparsest, own), _candidate(rows, best, (BEST,))]


def judge(found: Found, rows: Rows, candidate: Candidate, margin: float) -> Judged:
    """Whether a ticket is not worse than dense by more than `margin` (a share of 1), by itself and on average."""
    round, replicate = candidate.round, candidate.replicate
    ticket, dense = _end(rows, round, replicate), _end(rows, 0, replicate)
    row = next((row for row in against_dense(found, END) if row["round"] == round), None)
    if ticket is None or dense is None or row is None:
        nothing = "its dense network diverged" if dense is None else "it learned other data than the dense network"
        return Judged(False, f"Round {round}, replicate {replicate}: {nothing}, so that it cannot be judged.", ticket)
    mean, n = row["mean"], row["n"]
    apart = [ticket - dense, mean]
    passed = all(difference >= -margin - ROUNDING for difference in apart)
    digits = _digits(apart, margin)
    said = (
        f"Round {round}, replicate {replicate}: test accuracy {100 * ticket:.{digits}f} %, its dense network "
        f"{100 * dense:.{digits}f} % ({_points(apart[0], digits)}); on average over {_replicates(n)} "
        f"{_points(mean, digits)}. {'Within' if passed else 'Beyond'} the margin of {100 * margin:.{digits}f} "
        f"percentage points."
    )
    return Judged(passed, f"{said} {_worth(found, round, n)}", ticket, dense, mean)


def passing_replicates(found: Found, rows: Rows, round: int, margin: float) -> list[int]:
    """Those whose ticket of `round` may be published."""
    there = [Candidate(round, row["replicate"], (), "") for row in trained(rows, round)]
    return [each.replicate for each in there if judge(found, rows, each, margin).passed]


def what_then(found: Found, rows: Rows, name: str) -> str:
    """What the user of experiment `name` may do where the rule finds nothing, to be put behind why; empty where nothing
    helps."""
    if against_dense(found, END):
        return f". To publish one all the same, name it: lth publish {name} --round R"
    if not any(row["arm"] == "ticket" for row in rows):
        return f". Train it first: lth run {name}"
    return ""


def _named(found: Found, rows: Rows, asked: Asked) -> list[Candidate] | str:
    aliases = (asked.alias or NAMED,)
    if asked.round is None:
        chosen = chosen_round(found, rows)
        if chosen.round is None:
            return chosen.why
        round, why = chosen.round, f"the replicate by a person, the round by the rule: {chosen.why}"
    else:
        round, why = asked.round, "the round by a person"
        why += ", of that the replicate of least validation loss" if asked.replicate is None else ", and the replicate"
    there = [row["replicate"] for row in trained(rows, round)] if round else []
    if not there:
        rounds = sorted({row["round"] for row in rows if row["round"] and trained(rows, row["round"])})
        raise PublishedError(
            f"round {round}: there is no trained ticket of it; there are those of round "
            f"{', '.join(map(str, rounds)) or '(none)'}"
        )
    replicate = _least_loss(rows, round) if asked.replicate is None else asked.replicate
    if replicate not in there:
        listed = ", ".join(map(str, there))
        raise PublishedError(
            f"round {round}, replicate {replicate}: not trained, or it diverged; there are replicate {listed} of that "
            f"round"
        )
    return [Candidate(round, replicate, aliases, why)]


def _candidate(rows: Rows, chosen: Chosen, aliases: tuple[str, ...]) -> Candidate:
    replicate = chosen_replicate(rows, chosen.round)
    return Candidate(chosen.round, replicate, aliases, f"{chosen.why}; of that the replicate of least validation loss")


def _least_loss(rows: Rows, round: int) -> int:
    """The replicate; where all dense networks diverged, of all tickets, so that `judge` can say why it is refused."""
    chosen = chosen_replicate(rows, round)
    return chosen if chosen is not None else min(trained(rows, round), key=lambda row: row[BETTER_OF])["replicate"]


def _end(rows: Rows, round: int, replicate: int) -> float | None:
    found = [row[END] for row in trained(rows, round) if row["replicate"] == replicate]
    return found[0] if found else None


def _worth(found: Found, round: int, n: int) -> str:
    """What the verdict says of the round, which is more than that difference does."""
    if n < LEAST:
        return f"That shows little: {_replicates(n)} may differ by chance, and the verdict needs at least {LEAST}."
    row = next((row for row in against_dense(found) if row["round"] == round), None)
    if row and row["matching"]:
        return "By the verdict it matches the dense network."
    return "By the verdict it is not shown to match the dense network."


def _replicates(n: int) -> str:
    return "1 replicate" if n == 1 else f"{n} replicates"


def _digits(differences: Iterable[float], margin: float) -> int:
    """How many to show of percentages, so that a difference beside the margin does not look like one on it."""
    beside = [each for each in differences if abs(each + margin) > ROUNDING]
    return next(
        (
            digits
            for digits in range(2, 6)
            if all(round(-100 * each, digits) != round(100 * margin, digits) for each in beside)
        ),
        6,
    )


def _points(difference: float, digits: int) -> str:
    return f"{100 * difference:+.{digits}f} percentage points"
