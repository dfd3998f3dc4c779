"""What an analysis gives to whoever shows it: Dagster's pages, MLflow, the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lth_pipeline.experiments import Experiment
from lth_pipeline.reports.charts.chart import Chart

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class About:
    """What a section is of. data: what the data set is called. replicates: those that were analysed. notes: what must
    be said in every picture."""

    experiment: Experiment
    data: str
    replicates: Sequence[int]
    notes: Sequence[str] = ()

    @property
    def head(self) -> str:
        """Stands at the head of every chart: experiment, data, iterations, n, seed."""
        card = self.experiment
        n = len(self.replicates)
        return f"{card.name} · {self.data} · {card.training.iterations:,} iterations · n = {n} · seed {card.seed}"


@dataclass(frozen=True)
class Findings:
    """What an analysis found, read back: {name: table}, each with its rows' columns; {name: array}. The names of
    arrays begin with what they are of: "replicate0/round03/ticket/…"."""

    tables: Mapping[str, pd.DataFrame]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """A table for people: every cell is text. caption: what it is, with units."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """headline: one or two sentences, what was found, with n. text: paragraphs. shown: tables for people; the CSV files
    are those of `Findings`."""

    headline: str
    charts: Sequence[Chart] = ()
    text: Sequence[str] = ()
    shown: Sequence[Shown] = ()
