"""Cards: any text, and any structure written as YAML."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st

from lth_pipeline.experiments import CardError, Experiment, cards
from lth_pipeline_tests.experiments.writing import GOOD, load
from lth_pipeline_tests.fuzz.damage import damaged_texts
from lth_pipeline_tests.fuzz.reader import Read, Reader, accepts

#: what means something in YAML, so that random texts get past its scanner
MARKS = (": ", "\n", "\n  ", "- ", "{", "}", "[", "]", ", ", "'", '"', "#", "&a ", "*a", "!!int ", "!!python/name:os ")
WORDS = ("data", "name", "rates", "fc", "null", "true", "0.5", "1e5", "-3", "2001-01-01", ".nan", "é", "\U0001f39f")
TRAPS = ("\0", "\x1b[2J", "\u202e", "\ud800", "? ", "|\n ", "<<: ", "!!timestamp noon", "1_000", "0o17", "1:30", "%")
OTHERS = (
    GOOD,
    "branch_of: {experiment: digits, round: 2}\npruning: {rates: {fc: 0.1}}\n",
    "based_on: lenet_mnist\nmatrix:\n  pruning.rounds: [1, 2]\n  rewind: {late: {iteration: 100}, early: {}}\n",
    "based_on: digits\ndata: {name: images, path: pets.tar, image_size: 32, colour: grey}\n",
    "based_on: digits\nticket_from: {experiment: lenet_mnist, round: 1, weights: own}\n",
)
#: what the others name
BUILTIN = {
    "digits": (
        "data: {name: digits, validation_size: 200}\nmodel: {name: mlp, widths: [30, 10]}\n"
        "training: {optimiser: adam, learning_rate: 1.2e-3, batch_size: 60, iterations: 300, evaluate_every: 50}\n"
        "pruning: {scope: layerwise, rates: {fc: 0.2}, rounds: 3}\n"
        "arms: [ticket]\nreplicates: 1\n"
    ),
    "lenet_mnist": "based_on: digits\ndata: {name: mnist}\n",
}
#: numbers that something could be made of, one for each
HUGE = (0, -1, 2**31, 2**63, 2**64, 10**9, 10**9 - 1, 10**20, 10**400, 1e308, 1e-320, float("inf"), float("nan"))
FIELDS = (
    *("data.name", "data.path", "data.validation_size", "data.image_size", "model.name", "model.widths"),
    *("model.depth", "model.filters", "training.batch_size", "training.iterations", "training.step_at"),
    *("training.learning_rate", "pruning.rates", "pruning.densities", "pruning.steps", "pruning.examples"),
    *("pruning.layer_rates", "replicates", "draws", "seed", "arms", "rewind", "branch_of", "ticket_from", "matrix"),
    *("based_on", "early_bird", "distillation", "description", "momentum"),
)

scalars = st.one_of(
    st.none() | st.booleans(),
    st.sampled_from(HUGE),
    st.integers(-(10**20), 30) | st.floats(),
    st.sampled_from(["ticket", "reinit", "global", "sgd", "mnist", "2e-4", "nan", "digits", "", "../../x", "x" * 5000]),
    st.text(max_size=8) | st.dates() | st.binary(max_size=4),
)
keys = st.sampled_from(["fc", "conv", "name", "round", "experiment", "iteration", "[key]"]) | scalars
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=8
)
deep = st.integers(2, 60).map(lambda levels: _nested(levels))


def _nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"fc": value}
    return value


def _spoiled(card: str, changes: list[tuple[str, bool, Any]]) -> Any:
    settings = yaml.safe_load(card)
    for name, removed, value in changes:
        group, _, last = name.rpartition(".")
        target = settings.setdefault(group, {}) if group else settings
        if not isinstance(target, dict):
            continue
        if removed:
            target.pop(last, None)
        else:
            target[last] = copy.deepcopy(value)
    return settings


class _Plain(yaml.SafeDumper):
    """Writes a value out each time, since cards have no aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _written(card: Any) -> str:
    return yaml.dump(card, Dumper=_Plain, allow_unicode=True)


def _inputs() -> st.SearchStrategy[str]:
    marks = (*MARKS, *WORDS, *TRAPS)
    change = st.tuples(st.sampled_from(FIELDS), st.sampled_from((False, False, False, True)), trees | deep)
    structures = st.builds(_spoiled, st.sampled_from(OTHERS), st.lists(change, min_size=1, max_size=3))
    loose = st.text(max_size=60) | st.lists(st.sampled_from(marks), max_size=25).map("".join)
    return damaged_texts(OTHERS, marks) | structures.map(_written) | (trees | deep).map(_written) | loose


@contextmanager
def _cards(folder: Path) -> Iterator[Read]:
    """Beside two small built-in cards only: to load all that there are takes 0.1 s."""
    few, mine = folder / "builtin", folder / "cards"
    for made in (few, mine):
        made.mkdir()
    for name, text in BUILTIN.items():
        (few / f"{name}.yaml").write_text(text)

    def read(text: str) -> bool:
        def right() -> None:
            found = load(mine, mine=text)
            made = [card for name, card in found.items() if name.startswith("mine")]
            assert made and all(isinstance(card, Experiment) for card in made)

        return accepts(right, CardError, mine / "mine.yaml")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cards, "BUILTIN", few)
        yield read


READERS = (Reader("cards", 500, _inputs, _cards),)
