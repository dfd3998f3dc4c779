"""What is said in figures about an exported network: its own accuracy, against the dense one, over replicates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lth_pipeline.lottery.analysis.proportions import paired_difference, wilson
from lth_pipeline.recipes.analyses import robustness, verdict
from lth_pipeline.recipes.analyses.analysis import Rows, Subject, joined, look_up
from lth_pipeline.recipes.analyses.networks import same_data
from lth_pipeline.recipes.chosen import verdict_of
from lth_pipeline.recipes.small import Ticket, ticket_of

CORRUPTED = "corruptions"  # the part of robustness, and its table, that needs a package of its own


def figures(ticket: Ticket, subject: Subject, correct: np.ndarray | None = None) -> dict[str, Any]:
    """Shares of 1, intervals of 95 %. Nothing is trained, and no analysis made.

    accuracy: hits, images, share, low, high, of this network on the test images. dense: share of the dense network of
    its replicate, and the difference (this minus dense) on the same images, with its interval; None for the dense
    network itself, and where it learned other data. verdict: of this round over replicates, {measure: row}, and the
    margin; empty where there is none. robustness: {what: (this, dense)}; empty where the analysis has not been made.

    subject: the experiment, all its replicates. correct: bool (images,): which test images a file of 8 bits classifies
    correctly, where accuracy and the difference from dense are to be that network's; verdict and robustness are of the
    one that was trained all the same.
    """
    own = _correct(ticket) if correct is None else correct
    return {
        "accuracy": _share(int(own.sum()), len(own)),
        "dense": _against_dense(ticket, subject, own),
        "verdict": _verdict(ticket, subject),
        "margin": subject.experiment.analysis.margin,
        "robustness": _robustness(ticket, subject),
    }


def _share(hits: int, images: int) -> dict[str, Any]:
    low, high = wilson(hits, images)
    return {"hits": hits, "images": images, "share": hits / images, "low": low, "high": high}


def _correct(ticket: Ticket) -> np.ndarray:
    return ticket.logits.argmax(1) == ticket.labels


def _against_dense(ticket: Ticket, subject: Subject, own: np.ndarray) -> dict[str, Any] | None:
    if ticket.step.round == 0 or not same_data(ticket.chain, ticket.step.round):
        return None
    other = _correct(ticket_of(subject.workshop, ticket.chain, 0))
    won, lost = int((own & ~other).sum()), int((other & ~own).sum())
    difference, low, high = paired_difference(won, lost, len(own))
    found = {"share": float(other.mean()), "difference": difference, "low": low, "high": high}
    return {**found, "won": won, "lost": lost}


def _verdict(ticket: Ticket, subject: Subject) -> dict[str, dict[str, Any]]:
    """{"early_stop" or "end": the verdict's row of the ticket minus dense in this round}."""
    if ticket.step.arm != "ticket":
        return {}
    rows = verdict_of(subject).tables["differences"]
    return {
        name: row
        for name, measure in verdict.JUDGED.items()
        for row in rows
        if (row["round"], row["against"], row["measure"]) == (ticket.step.round, "dense", measure)
    }


def _robustness(ticket: Ticket, subject: Subject) -> dict[str, tuple[float, float | None]]:
    alone = Subject(subject.workshop, [ticket.chain], subject.beyond)
    done = [known for part in robustness.parts(alone) if (known := look_up(subject.workshop, part))]
    tables: Mapping[str, Rows] = joined(each.found for each in done).tables
    own, dense = ({"round": ticket.step.round, "arm": ticket.step.arm}, {"round": 0, "arm": "dense"})
    found = {}
    for what, value in {"expected calibration error": "calibration", "accuracy on corrupted images": CORRUPTED}.items():
        column = "ece" if value == "calibration" else "accuracy"
        sides = [_mean(tables.get(value, []), column, of) for of in (own, dense)]
        if sides[0] is not None:
            found[what] = tuple(sides)
    radii = sorted({row["radius"] for row in tables.get("attacks", []) if row["attack"] == "pgd" and row["radius"]})
    for radius in radii:
        at = {"attack": "pgd", "radius": radius}
        sides = [_mean(tables["attacks"], "accuracy", {**of, **at}) for of in (own, dense)]
        if sides[0] is not None:
            found[f"accuracy under attack (PGD, radius {radius:g})"] = tuple(sides)
    return found


def _mean(rows: Rows, column: str, of: Mapping[str, Any]) -> float | None:
    """Over the rows that `of` fits; of corruptions, clean images left out."""
    there = [
        row[column]
        for row in rows
        if row.get("family") != "clean" and all(row[name] == value for name, value in of.items())
    ]
    return sum(there) / len(there) if there else None
