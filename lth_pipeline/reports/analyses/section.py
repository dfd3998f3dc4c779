"""What an analysis gives to whoever shows it: Dagster's pages, MLflow, the report."""

from __future__ import annotations

import math
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
        return self._head(f"n = {len(self.replicates)} · ")

    @property
    def head_of_one(self) -> str:
        """The same of a chart of single networks: without n."""
        return self._head("")

    def _head(self, n: str) -> str:
        card = self.experiment
        return f"{card.name} · {self.data} · {card.training.iterations:,} iterations · {n}seed {card.seed}"

    def shade(self, density: float) -> float:
        """Where a density stands between the dense network (0) and the sparsest that the card asks for (1), by its
        logarithm: in all charts of an experiment one density has one colour."""
        pruning = self.experiment.pruning
        rates = [*(pruning.rates or {}).values(), *(pruning.layer_rates or {}).values()]
        sparsest = min(pruning.densities) if pruning.densities else (1 - min(max(rates), 0.99)) ** pruning.rounds
        return min(1.0, max(0.0, math.log(density) / math.log(sparsest))) if density > 0 else 1.0


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
