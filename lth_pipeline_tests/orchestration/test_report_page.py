"""What the report says of an analysis that is not complete, and what its charts are called on it."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

from lth_pipeline.orchestration.report import Collected
from lth_pipeline.orchestration.report_page import _plain, lacking
from lth_pipeline.recipes import load_cards
from lth_pipeline.recipes.analyses.catalog import ANALYSES
from lth_pipeline.reports.analyses.section import About, Section
from lth_pipeline.reports.charts.chart import Chart


@dataclass(frozen=True)
class MadePart:
    about: str

    @property
    def recipe(self) -> SimpleNamespace:
        return SimpleNamespace(id=self.about)


def collected(there: list[str], missing: list[str]) -> Collected:
    parts = [MadePart(about) for about in there]
    return Collected(ANALYSES["connectivity"], [*parts, *map(MadePart, missing)], parts, (0,))


def test_what_is_missing_is_said_in_words():
    whole = [f"replicate {number}, round {round}" for number in (2, 3, 4) for round in (0, 1)]
    assert lacking(collected(["replicate 0, round 0"], []), "digits") == ""
    assert lacking(collected(["replicate 0, round 0"], whole), "digits") == (
        "Replicates 2, 3 and 4 are not analysed yet: lth report digits"
    )
    assert lacking(collected(["replicate 0, round 0"], ["replicate 1, round 0"]), "digits") == (
        "Replicate 1 is not analysed yet: lth report digits"
    )
    some = [f"replicate 0, round {round}" for round in range(1, 8)]
    said = lacking(collected(["replicate 0, round 0"], some), "digits")
    assert said.startswith("Replicate 0, round 1; replicate 0, round 2;") and "; 3 parts more are not" in said


def test_titles_lose_the_head_of_the_page_and_those_of_one_network_get_no_n():
    about = About(load_cards([])["digits"], "digits", [0, 1])
    whole = replace(about, replicates=[0, 1, 2])
    charts = [
        Chart(name, f"{name}: {head}", "a", [])
        for name, head in (("all", about.head), ("replicate 0", about.head_of_one))
    ]
    titles = [chart.title for chart in _plain(Section("h", charts), about, whole).charts]
    assert titles == ["all, n = 2", "replicate 0"]
