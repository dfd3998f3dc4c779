"""Whatever stands in a card's file: an experiment, or a CardError. Never another exception."""

import copy
import shutil

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_pipeline.experiments import CardError, Experiment, cards
from lth_pipeline_tests.experiments.writing import GOOD, load

#: what means something in YAML, so that random texts get past its scanner
MARKS = [
    ": ",
    "\n",
    "\n  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "'",
    '"',
    "#",
    "&a ",
    "*a",
    "!!int ",
    "? ",
    "|\n ",
    "<<",
]
WORDS = [
    "data",
    "name",
    "rates",
    "fc",
    "null",
    "true",
    "0.5",
    "1e5",
    "-3",
    "2001-01-01",
    ".nan",
    "é",
    "\U0001f39f",
]

texts = st.text(max_size=60) | st.lists(st.sampled_from(MARKS + WORDS), max_size=25).map("".join)


@st.composite
def spoiled_texts(draw):
    """The good card with a stretch of it replaced."""
    start = draw(st.integers(0, len(GOOD)))
    stop = draw(st.integers(start, min(len(GOOD), start + 20)))
    return GOOD[:start] + draw(st.text(max_size=8) | st.sampled_from(MARKS + WORDS)) + GOOD[stop:]


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 30)  # many rounds have a test of their own
    | st.floats()
    | st.sampled_from(["ticket", "reinit", "global", "sgd", "mnist", "2e-4", "nan", "digits", ""])
    | st.text(max_size=8)
    | st.dates()
    | st.binary(max_size=4)
)
keys = st.sampled_from(["fc", "conv", "name", "round", "experiment", "iteration", "[key]"]) | scalars
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def spoiled_cards(draw):
    """The settings of the good card with up to three of them replaced, removed or added."""
    card = yaml.safe_load(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        settings = card
        while draw(st.booleans()):
            deeper = [value for value in settings.values() if isinstance(value, dict) and value]
            if not deeper:
                break
            settings = draw(st.sampled_from(deeper))
        key = draw(st.sampled_from([*settings, "branch_of", "rewind", "seed", "momentum"]) | keys)
        if draw(st.booleans()):
            settings.pop(key, None)
        else:
            settings[key] = copy.deepcopy(draw(trees))
    return card


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for all examples of a property, beside two built-in cards: to load all of them 600 times takes a minute."""
    few = tmp_path_factory.mktemp("builtin")
    for name in ("digits", "lenet_mnist"):
        shutil.copy(cards.BUILTIN / f"{name}.yaml", few)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cards, "BUILTIN", few)
        yield tmp_path_factory.mktemp("cards")


def loads_or_is_refused(folder, text: str) -> None:
    try:
        card = load(folder, mine=text)["mine"]
    except CardError as error:
        assert str(folder / "mine.yaml") in str(error)
    else:
        assert isinstance(card, Experiment)


@settings(max_examples=300)
@given(text=texts | spoiled_texts())
def test_any_text(folder, text):
    loads_or_is_refused(folder, text)


@settings(max_examples=300)
@given(card=spoiled_cards() | trees)
def test_any_structure(folder, card):
    class Plain(yaml.SafeDumper):
        """Writes a value out each time, since cards have no aliases."""

        def ignore_aliases(self, data):
            return True

    loads_or_is_refused(folder, yaml.dump(card, Dumper=Plain, allow_unicode=True))
