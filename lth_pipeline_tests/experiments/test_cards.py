"""A card of one's own: what is read from it, and what is said about one that is not finished."""

import pytest

from lth_pipeline.recipes import load_cards
from lth_pipeline_tests.experiments.writing import GOOD, changed, line_of, load, refusal


def test_a_good_card_loads_beside_the_built_in_ones(tmp_path):
    cards = load(tmp_path, mine=GOOD)
    assert set(cards) == {*load_cards([]), "mine"}
    assert cards["mine"].model.widths == (30, 10)
    assert (cards["mine"].seed, cards["mine"].rewind.iteration) == (0, 0)


def test_a_folder_that_is_not_there_holds_no_cards(tmp_path):
    assert load_cards([tmp_path / "nowhere"]) == load_cards([])


@pytest.mark.parametrize(("written", "value"), [("2e-4", 2e-4), ("1E3", 1e3), ("1", 1.0), ("'0.5'", 0.5)])
def test_numbers_are_read_as_a_person_means_them(tmp_path, written, value):
    """To YAML 1.1, 2e-4 is text."""
    card = load(tmp_path, mine=changed("1.2e-3", written))["mine"]
    assert card.training.learning_rate == value


@pytest.mark.parametrize(
    ("line", "field", "meaning"),
    [
        ("  batch_size: 60\n", "training.batch_size", "examples a step"),
        ("replicates: 2\n", "replicates", "how many seeds"),
    ],
)
def test_a_missing_setting_is_named_with_what_it_means(tmp_path, line, field, meaning):
    message = refusal(tmp_path, mine=changed(line, ""))
    assert message.startswith(f"{tmp_path / 'mine.yaml'}: {field}: is missing")
    assert meaning in message


def test_all_faults_of_a_card_are_told_at_once(tmp_path):
    text = changed("learning_rate: 1.2e-3", "learning_rate: -1", changed("batch_size: 60", "batch_size: 0"))
    first, second = refusal(tmp_path, mine=text).splitlines()
    assert "training.learning_rate = -1" in first
    assert "training.batch_size = 0" in second


def test_a_long_value_is_cut_short(tmp_path):
    message = refusal(tmp_path, mine=changed("1.2e-3", "fast" * 1000))
    assert "'fastfast" in message and len(message) < 400


@pytest.mark.timeout(20)
@pytest.mark.parametrize("rounds", [5000, 10**6, 10**30])
def test_far_too_many_rounds_are_refused_at_once(tmp_path, rounds):
    """The ladder is exact arithmetic: it must be left where it runs out, not climbed to the end first."""
    message = refusal(tmp_path, mine=changed("rounds: 3", f"rounds: {rounds}"))
    assert f"line {line_of(GOOD, 'rounds')}: pruning.rounds = {rounds}: " in message
