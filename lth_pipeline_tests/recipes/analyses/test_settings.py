"""Every setting of `analysis:` changes what is analysed, and nothing that is trained."""

from importlib import import_module

import pytest

from lth_pipeline.experiments.settings.analysis import AnalysisSettings
from lth_pipeline.recipes.analyses.analysis import Subject
from lth_pipeline.recipes.analyses.catalog import ANALYSES
from lth_pipeline_tests.recipes.making import card, load, workshop_in

ARMS = ["ticket", "reinit"]
#: setting -> (another value, the analyses that read it)
SETTINGS = {
    "margin": (0.02, {"verdict"}),
    "rounds": (
        [0, 1],
        {
            *("loss_landscape", "training_path", "connectivity", "robustness", "label_noise", "ensembles"),
            *("paper_figures", "small_network"),
        },
    ),
    "examples": (50, {"loss_landscape", "training_path", "robustness"}),
    "landscape_points": (7, {"loss_landscape", "training_path"}),
    "line_points": (5, {"connectivity"}),
    "rewind_points": ([0.0, 0.5], {"connectivity"}),
    "severities": ([2], {"robustness"}),
    "radii": ([0.2], {"robustness"}),
    "noisy_labels": ([0.5], {"label_noise"}),
    "semi_structured": (True, {"small_network"}),
    "resamples": (300, {"verdict"}),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(workshop with one replicate of a small card trained, folder of cards)"""
    folder = tmp_path_factory.mktemp("home")
    workshop = workshop_in(folder / "store")
    chain = workshop.chain(load(folder / "cards", small=card(arms=ARMS)), "small", 0)
    for round in range(3):
        for step in chain.trainings(round):
            workshop.make(chain, step)
    return workshop, folder


def recipes(made, **analysis) -> dict[str, list[str]]:
    workshop, folder = made
    cards = load(folder / "cards", small=card(arms=ARMS, analysis=analysis))
    subject = Subject(workshop, [workshop.chain(cards, "small", 0)])
    found = {}
    for name in ANALYSES:
        parts = import_module(f"lth_pipeline.recipes.analyses.{name}").parts(subject)
        found[name] = [part.recipe.id for part in parts]
        assert len(set(found[name])) == len(parts) > 0
    return found


@pytest.mark.parametrize("name", AnalysisSettings.model_fields)
def test_a_setting_makes_the_analyses_that_read_it_anew_and_no_other(made, name):
    value, read_by = SETTINGS[name]
    before, after = recipes(made), recipes(made, **{name: value})
    assert {analysis for analysis in ANALYSES if before[analysis] != after[analysis]} == read_by
