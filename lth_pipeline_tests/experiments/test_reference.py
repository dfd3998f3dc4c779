"""docs/settings.md is what the code says, and the lists in the settings are those of the networks and data sets."""

from typing import get_args

import pytest

from lth_pipeline.experiments.reference import entries, page
from lth_pipeline.experiments.settings import DataSettings, ModelSettings
from lth_pipeline.experiments.settings.model import FOR
from lth_pipeline.lottery.data import DATASETS
from lth_pipeline.lottery.models.catalog import NETWORKS
from lth_pipeline.lottery.models.initialisation import INITIALISATIONS
from lth_pipeline_tests.places import PROJECT


def choices(settings, field: str) -> set[str]:
    return set(get_args(settings.model_fields[field].annotation))


def test_the_page_is_current():
    """If this fails: python -m lth_pipeline.experiments.reference > docs/settings.md"""
    assert (PROJECT / "docs" / "settings.md").read_text() == page()


def test_every_setting_has_a_meaning_and_its_values():
    listed = list(entries())
    assert all(entry.meaning and entry.values for entry in listed if "." in entry.field)
    assert len({entry.field for entry in listed}) == len(listed) > 45
    shown = {entry.field: entry for entry in listed}
    assert shown["training.optimiser"].values == "`adam`, `adamw`, `sgd`"
    assert shown["training.momentum"].values == "number from 0 below 1"
    assert shown["data.normalisation"].default == "standard"
    assert shown["model.widths"].values == "list of whole number from 1"
    assert (shown["data.validation_size"].default, shown["seed"].default) == ("required", "0")
    assert "Frankle & Carbin 2019" in shown["training.warmup"].source


def test_networks_and_data_sets_are_those_of_the_catalogs():
    assert choices(ModelSettings, "name") == set(NETWORKS)
    assert choices(ModelSettings, "initialisation") == set(INITIALISATIONS)
    assert choices(DataSettings, "name") == {*DATASETS, "images"}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_takes_the_settings_that_its_builder_does(name):
    assert {field for field, networks in FOR.items() if name in networks} == set(NETWORKS[name].settings)
