"""Every setting that a card may have changes what is made: no flag silently does nothing.

For each, a card and a second one in which it alone is different, and what both make is compared to the bit. What is
compared is made, not only its recipe: a setting may stand in a recipe that nothing reads.
"""

from functools import reduce

import pytest

from lth_pipeline.experiments.fields import every_field
from lth_pipeline.experiments.settings.analysis import AnalysisSettings
from lth_pipeline.recipes import training
from lth_pipeline_tests.recipes.making import card, load, made, workshop_in

#: settings that say what a card is called, how much of it is run, or where things lie
OF_NO_ARTIFACT = {
    "description": "for lists",
    "quick": "for figures and tables",
    "data.title": "for figures and tables",
    "data.path": "where images lie; their content counts (test_own_images.py)",
    "data.image_size": "of own images (lottery/images)",
    "data.colour": "of own images (lottery/images)",
    "pruning.rounds": "how deep `lth run` goes",
    "pruning.empty_layers": "refuses or records (test_published_mistakes.py)",
    "replicates": "how many seeds `lth run` takes",
    "scheduled": "for the nightly schedule (orchestration/test_schedules.py)",
    "resources.gpus": "for a cluster (orchestration/test_cluster.py)",
    "resources.cpus": "for a cluster",
    "resources.memory_gb": "for a cluster",
    "based_on": "the loader's (experiments/test_based_on.py)",
    "branch_of.experiment": "whose settings the loader lays under (experiments/test_branches.py)",
}
CONV = {"model": {"name": "conv2", "widths": None}, "pruning": {"rates": {"conv": 0.2, "fc": 0.2}}}
RESNET = {
    "model": {"name": "resnet_cifar", "depth": 8, "filters": 4, "widths": None},
    "pruning": {"rates": {"conv": 0.2, "fc": 0.2, "shortcut": 0.2}},
}
STEPS = {"training": {"schedule": "step", "step_at": [6]}}
CONSTANT = {"training": {"schedule": None, "step_at": None}}
DENSITIES = {"pruning": {"rates": None, "rounds": None, "densities": [0.5, 0.2]}}
SNIP = {"pruning": {"criterion": "snip", "examples": 20}}
TAUGHT = {"arms": ["ticket", "ticket_distilled"], "distillation": {"temperature": 2, "weight": 0.5}}
EARLY = {
    "training": {"iterations": 48, "step_at": [30], "learning_rate": 0.3},
    "find_early": True,
    "early_bird": {"distance": 0.3, "checks": 2},
}
TAKING = {"seed": 1, "ticket_from": {"experiment": "other", "round": 1, "weights": "source"}}
#: field -> (what a card needs for it to mean something, another value)
SETTINGS = {
    "data.name": ({}, "mnist1d"),
    "data.validation_size": ({}, 41),
    "data.train_size": ({}, 65),
    "data.test_size": ({}, 41),
    "data.normalisation": ({}, "unit"),
    "data.augmentation.flip": ({"data": {"augmentation": {"crop": 1}}}, True),
    "data.augmentation.crop": ({"data": {"augmentation": {"flip": True}}}, 1),
    "model.name": (CONV, "conv4"),
    "model.widths": ({}, [16, 13]),
    "model.depth": (RESNET, 14),
    "model.filters": (RESNET, 5),
    "model.dropout": ({}, 0.5),
    "model.initialisation": ({}, "kaiming_normal"),
    "training.optimiser": ({"training": {"momentum": None}}, "adam"),
    "training.learning_rate": ({}, 0.11),
    "training.momentum": ({}, 0.8),
    "training.nesterov": ({}, True),
    "training.weight_decay": ({}, 0.02),
    "training.schedule": (CONSTANT, "cosine"),
    "training.step_at": (STEPS, [7]),
    "training.step_factor": (STEPS, 0.2),
    "training.warmup": ({}, 3),
    "training.label_smoothing": ({}, 0.1),
    "training.clip_norm": ({}, 0.1),
    "training.precision": ({}, "bfloat16"),
    "training.patience": ({"training": {"learning_rate": 5.0, "evaluate_every": 2}}, 1),
    "training.batch_size": ({}, 17),
    "training.iterations": ({}, 11),
    "training.evaluate_every": ({}, 5),
    "pruning.scope": ({}, "global"),
    "pruning.criterion": ({}, "movement"),
    "pruning.structure": ({}, "units"),
    "pruning.mode": ({}, "one_shot"),
    "pruning.rates.fc": ({}, 0.3),
    "pruning.rates.conv": (CONV, 0.3),
    "pruning.rates.shortcut": (RESNET, 0.4),
    "pruning.densities": (DENSITIES, [0.5, 0.1]),
    "pruning.layer_rates": ({}, {"fc1": 0.1}),
    "pruning.output_rate": ({}, 0.1),
    "pruning.output_factor": (DENSITIES, 0.5),
    "pruning.leave_out": ({}, ["fc2"]),
    "pruning.examples": (SNIP, 30),
    "pruning.steps": (SNIP, 3),
    "rewind.mode": ({}, "fine_tuning"),
    "rewind.iteration": ({}, 2),
    "rewind.fraction": ({}, 0.2),
    "rewind.epoch": ({}, 0.5),
    "arms": ({}, ["ticket", "reinit"]),
    "draws": ({"arms": ["ticket", "reinit"]}, 2),
    "distillation.temperature": (TAUGHT, 3),
    "distillation.weight": (TAUGHT, 0.6),
    "find_early": ({key: value for key, value in EARLY.items() if key == "training"}, True),
    "early_bird.distance": (EARLY, 0.05),
    "early_bird.checks": (EARLY, 9),
    "early_bird.every": (EARLY, 8),
    "seed": ({}, 1),
    "branch_of.round": ({"branch_of": {"experiment": "other", "round": 1}, "pruning": {"rates": {"fc": 0.3}}}, 2),
    "ticket_from.experiment": (TAKING, "another"),
    "ticket_from.round": (TAKING, 2),
    "ticket_from.weights": (TAKING, "own"),
}


def nested(field: str, value) -> dict:
    return reduce(lambda inner, key: {key: inner}, reversed(field.split(".")), value)


def merged(base: dict, change: dict) -> dict:
    """`change` laid over `base`, mapping by mapping."""
    found = dict(base)
    for key, value in change.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = merged(found[key], value) if both else value
    return found


#: of analyses, which train no network of the card (recipes/analyses/test_settings.py)
OF_ANALYSES = {f"analysis.{field}" for field in AnalysisSettings.model_fields}


#: takes a registry to ask (recipes/test_registry.py: an alias that moves is another ticket)
OF_A_REGISTRY = {"ticket_from.registry"}


def is_a_group(field: str, fields: list[str]) -> bool:
    return any(other.startswith(f"{field}.") for other in fields)


def test_every_setting_is_here():
    fields = list(every_field())
    leaves = {field for field in fields if not is_a_group(field, fields)}
    assert leaves == SETTINGS.keys() | OF_NO_ARTIFACT.keys() | OF_ANALYSES | OF_A_REGISTRY
    assert not SETTINGS.keys() & OF_NO_ARTIFACT.keys()


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return workshop_in(tmp_path_factory.mktemp("store"))


def it_changes_what_is_made(folder, workshop, field: str) -> None:
    base, value = SETTINGS[field]
    others = {"other": card(), "another": card(seed=7)}
    cards = load(folder / "cards", **others, one=card(**base), two=card(**merged(base, nested(field, value))))
    one, two = (made(workshop, cards, name).versions(2) for name in ("one", "two"))
    assert one != two, f"{field} changes nothing"


@pytest.mark.parametrize("field", SETTINGS)
def test_it_changes_what_is_made(tmp_path, workshop, field):
    it_changes_what_is_made(tmp_path, workshop, field)


@pytest.mark.parametrize("field", ["training.weight_decay", "training.momentum"])
def test_a_setting_that_is_not_read_is_seen(tmp_path, monkeypatch, field):
    """Though it stands in the recipe as before."""
    name = field.partition(".")[2]
    plain = training.Schedule
    monkeypatch.setattr(training, "Schedule", lambda **given: plain(**{k: v for k, v in given.items() if k != name}))
    with pytest.raises(AssertionError, match="changes nothing"):
        it_changes_what_is_made(tmp_path, workshop_in(tmp_path / "store"), field)
