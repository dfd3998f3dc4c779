"""What analyses read and what they found: shared by their assets, the report and what plans them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from lth_pipeline.experiments import Experiment
from lth_pipeline.orchestration import results
from lth_pipeline.orchestration.begun import Begun
from lth_pipeline.recipes import Workshop
from lth_pipeline.recipes.analyses.analysis import Check, Found, Part, Subject
from lth_pipeline.recipes.analyses.catalog import Analysis
from lth_pipeline.recipes.facts import title_of

if TYPE_CHECKING:
    from lth_pipeline.reports.analyses.section import About, Findings, Section

NOTHING = "There is no network to look at: what was trained diverged."


def subject_of(
    cards: Mapping[str, Experiment], name: str, replicate: int | None, workshop: Workshop, begun: Begun
) -> Subject:
    """One replicate of experiment `name`, or all of them (None), as the store stands."""
    if replicate is None:
        return results.subject_of(cards, name, workshop, begun)
    return Subject(workshop, [workshop.chain(cards, name, replicate)], begun.get(name, set()))


def parts_of(analysis: Analysis, subject: Subject) -> list[Part]:
    return import_module(f"lth_pipeline.recipes.analyses.{analysis.name}").parts(subject)


def shown_id(parts: Sequence[Part], subject: Subject) -> str:
    """The id of an analysis as it is shown: what it is made of, and what its pictures say and draw of the card."""
    card = subject.experiment
    said = [card.quick, title_of(card.data), card.training.iterations, card.seed, card.analysis.rounds]
    text = json.dumps([[part.recipe.id for part in parts], said])
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def checks_of(analysis: Analysis, found: Found, experiment: Experiment) -> list[Check]:
    if not analysis.checks:
        return []
    return import_module(f"lth_pipeline.recipes.analyses.{analysis.name}").checks(found, experiment)


def section_of(analysis: Analysis, findings: Findings, about: About) -> Section:
    return import_module(f"lth_pipeline.reports.analyses.{analysis.name}").section(findings, about)


def findings_of(found: Found) -> Findings:
    """As tables of pandas and arrays of numpy."""
    import pandas as pd

    from lth_pipeline.reports.analyses.section import Findings

    return Findings(
        {name: pd.DataFrame(rows) for name, rows in found.tables.items()},
        {name: tensor.numpy() for name, tensor in found.arrays.items()},
    )


def about_of(experiment: Experiment, subject: Subject) -> About:
    """What the sections of `subject` are of."""
    from lth_pipeline.reports.analyses.section import About
    from lth_pipeline.reports.drawing import QUICK

    trained = [chain.replicate for chain in subject.chains if subject.workshop.look_up(chain, chain.main(0))]
    return About(experiment, title_of(experiment.data), trained, [QUICK] if experiment.quick else [])
