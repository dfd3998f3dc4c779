"""The one-page summary of a training, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.wording import left


def summary(
    title: str,
    arm: str,
    facts: Mapping[str, Any],
    layers: Mapping[str, tuple[int, int]],
    links: Mapping[str, str],
    notes: Sequence[str] = (),
) -> str:
    """facts: of the training and its mask. layers: weight name -> (survivors, size). links: text -> address.

    notes: what must be said beside it.
    """
    lines = [
        f"# {title}",
        "",
        f"**{ARMS[arm].title}**: {ARMS[arm].meaning}.",
        "",
        *(f"> {note}\n" for note in notes),
        "| | |",
        "|---|---|",
        f"| weights left | {facts['weights']:,} ({left(facts['density'])}) |",
        f"| early-stop iteration | {facts['early_stop_iteration']:,} |",
        f"| test accuracy at early stop | {100 * facts['test_accuracy_at_early_stop']:.2f} % |",
        f"| test accuracy at the end | {100 * facts['test_accuracy_at_end']:.2f} % |",
        f"| training accuracy at the end | {100 * facts['train_accuracy_at_end']:.2f} % |",
        f"| least validation loss | {facts['validation_loss_min']:.4f} |",
        f"| training time | {facts['seconds']:.1f} s ({facts['iterations_per_second']:,.0f} iterations a second) |",
        "",
        "| layer | left | of | density |",
        "|---|---:|---:|---:|",
        *(f"| {name} | {left:,} | {size:,} | {100 * left / size:.2f} % |" for name, (left, size) in layers.items()),
        "",
        *(f"- {text}: {target}" for text, target in links.items()),
        "",
    ]
    return "\n".join(lines)
