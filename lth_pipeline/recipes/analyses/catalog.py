"""Which analyses there are, in the order of the report. No torch at import: Dagster's definitions list them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Analysis:
    """One question.

    name: of its asset, of `recipes/analyses/<name>.py` (`parts`, `checks`) and of
        `reports/analyses/<name>.py` (`section`).
    scope: "experiment": all replicates at once; "replicate": each by itself.
    question: what it asks, in words; the asset's description.
    chapter: of the report: "verdict", "figures", "why" or "cost".
    trains: whether it trains networks or passes much data through them, so that it holds a device.
    always: whether it is so quick that `lth run` makes it, too; the others are made when they are asked for.
    checks: {name of an asset check: what it says}; what `checks` gives.
    """

    name: str
    title: str
    scope: Literal["experiment", "replicate"]
    question: str
    chapter: Literal["verdict", "figures", "why", "cost"]
    trains: bool = False
    always: bool = False
    checks: Mapping[str, str] = field(default_factory=dict)


_ALL = (
    Analysis(
        "verdict",
        "Verdict",
        "experiment",
        "Did a ticket win? Every round's arms with intervals, the ticket against its controls and against dense, the "
        "sparsest density that matches, the sparsest that wins.",
        "verdict",
        always=True,
        checks={
            "ticket_beats_reinit": "At 5 % of the weights or fewer a ticket beats random reinit (paired, Holm).",
            "ticket_matches_dense": "At 20 % of the weights or fewer a ticket is not worse than dense by the margin.",
        },
    ),
    Analysis(
        "paper_figures",
        "The paper's figures",
        "experiment",
        "Learning curves at chosen densities, early stop, accuracy at early stop and at the end, training accuracy.",
        "figures",
        always=True,
    ),
    Analysis(
        "mask_structure",
        "Structure of the mask",
        "experiment",
        "Where are the weights that survive, what were they, and how far did they go?",
        "why",
    ),
    Analysis(
        "loss_landscape",
        "Loss landscape",
        "replicate",
        "How flat is the loss around the dense network, and around the ticket?",
        "why",
        trains=True,
        checks={"landscape_minimum": "No point of a surface lies clearly below the trained network at its centre."},
    ),
    Analysis(
        "training_path",
        "Path of training",
        "replicate",
        "Which way did training go, and how large was the gradient on it?",
        "why",
        trains=True,
        checks={
            "same_training": "The training that was followed again came out as the one that is recorded, on another "
            "route up to its first step."
        },
    ),
    Analysis(
        "connectivity",
        "Linear mode connectivity",
        "replicate",
        "Is training stable to the order of its data: is there a barrier between two copies?",
        "why",
        trains=True,
        checks={"ends_agree": "At both ends of the line the error is that of the trained copies."},
    ),
    Analysis(
        "robustness",
        "Robustness",
        "replicate",
        "How do dense, ticket and control bear corrupted images and attacks, and how sure are they of themselves?",
        "why",
        trains=True,
        checks={"clean_accuracy": "On clean images every network has the accuracy that its training recorded."},
    ),
    Analysis(
        "label_noise",
        "Label noise",
        "replicate",
        "How do dense, ticket and control learn from labels some of which are wrong?",
        "why",
        trains=True,
    ),
    Analysis(
        "ensembles",
        "Ensembles",
        "experiment",
        "What are several tickets worth together, against a dense network of as many parameters?",
        "why",
        trains=True,
    ),
    Analysis(
        "cost",
        "Cost",
        "experiment",
        "What did finding the ticket take, and how many trainings of it pay that back?",
        "cost",
        always=True,
    ),
    Analysis(
        "small_network",
        "The small network",
        "replicate",
        "Is the ticket smaller and faster than the dense network: on disk, in memory, in time, in which form?",
        "cost",
        trains=True,
        checks={
            "same_outputs": "Every exact form has the logits of the trained network up to float32's rounding, and its "
            "predictions on the whole test set."
        },
    ),
)
ANALYSES = {analysis.name: analysis for analysis in _ALL}
