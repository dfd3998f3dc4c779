"""The catalog of analyses, and that each has all that it says."""

from importlib import import_module

import pytest

from lth_pipeline.recipes.analyses.catalog import ANALYSES
from lth_pipeline.recipes.recipe import CODE
from lth_pipeline_tests.places import PROJECT


@pytest.mark.parametrize("name", ANALYSES)
def test_every_analysis_has_its_parts_its_section_its_version_and_its_line_in_the_docs(name):
    recipes = import_module(f"lth_pipeline.recipes.analyses.{name}")
    assert callable(recipes.parts) and callable(import_module(f"lth_pipeline.reports.analyses.{name}").section)
    assert callable(getattr(recipes, "checks", None)) == bool(ANALYSES[name].checks)
    assert CODE[name] >= 1
    assert f"`{name}`" in (PROJECT / "docs" / "analyses.md").read_text()
