"""Whose dense network it is that a branch's tickets are held against."""

from __future__ import annotations

from lth_pipeline.reports.analyses.section import About


def of_parent(about: About, there: bool) -> list[str]:
    """A paragraph, or none where the experiment is no branch. there: whether the dense network was looked at."""
    branch = about.experiment.branch_of
    if branch is None:
        return []
    whose = f"of {branch.experiment}, which this experiment branches from"
    if there:
        return [f"The dense network is that {whose}: it has that experiment's seed and training settings."]
    reason = "it learned other data (or diverged), and nothing can be held against it"
    return [f"The dense network {whose}, is left out: {reason}."]
