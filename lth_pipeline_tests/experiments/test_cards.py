"""A card of one's own: what is read from it, and what is said about a wrong one."""

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


LR, WIDTHS, RATES = "learning_rate: 1.2e-3", "widths: [30, 10]", "rates: {fc: 0.2}"
ITERATIONS, BATCH, EVERY = "iterations: 300", "batch_size: 60", "evaluate_every: 50"
OUTPUT_RATE, SCOPE, ROUNDS = "output_rate: 0.1", "scope: layerwise", "rounds: 3"
ARMS, HELD_OUT, REPLICATES = "arms: [ticket, reinit]", "validation_size: 200", "replicates: 2"
NO_OUTPUT = changed(f"  {OUTPUT_RATE}\n", "")

#: (id, text, where the line shows, "field = value", remedy)
WRONG = [
    (
        "unknown key",
        changed(LR, "learning_rat: 1"),
        "rat: 1",
        "training.learning_rat = 1",
        "did you mean learning_rate?",
    ),
    ("unknown section", GOOD + "prunning: 1\n", "prunning", "prunning = 1", "did you mean pruning?"),
    (
        "unknown kind",
        changed(RATES, "rates: {dense: 0.2}"),
        "dense",
        "pruning.rates.dense = 'dense'",
        "'fc' or 'conv'",
    ),
    (
        "unknown set",
        changed("digits", "digit"),
        "digit",
        "data.name = 'digit'",
        "must be one of 'digits', 'mnist'",
    ),
    (
        "negative rate",
        changed(RATES, "rates: {fc: -0.1}"),
        "-0.1",
        "pruning.rates.fc = -0.1",
        "must be at least 0",
    ),
    ("rate 1", changed(RATES, "rates: {fc: 1}"), "fc: 1", "pruning.rates.fc = 1", "must be below 1"),
    (
        "output rate 1",
        changed(OUTPUT_RATE, "output_rate: 1.0"),
        "1.0",
        "pruning.output_rate = 1.0",
        "must be below 1",
    ),
    (
        "text for a number",
        changed(LR, "learning_rate: fast"),
        "fast",
        "training.learning_rate = 'fast'",
        "finite number",
    ),
    (
        "NaN",
        changed(LR, "learning_rate: .nan"),
        ".nan",
        "training.learning_rate = nan",
        "must be a finite number",
    ),
    (
        "NaN as text",
        changed(LR, "learning_rate: nan"),
        "nan",
        "training.learning_rate = ",
        "must be a finite number",
    ),
    (
        "infinite",
        changed(LR, "learning_rate: .inf"),
        ".inf",
        "training.learning_rate = inf",
        "must be a finite number",
    ),
    ("no rate", changed(LR, "learning_rate: 0"), "learning", "training.learning_rate = 0", "must be above 0"),
    (
        "true for a whole number",
        changed(ITERATIONS, "iterations: true"),
        "true",
        "training.iterations = True",
        "whole number",
    ),
    (
        "true for a number",
        changed(LR, "learning_rate: true"),
        "true",
        "training.learning_rate = True",
        "finite number",
    ),
    (
        "part of a step",
        changed(ITERATIONS, "iterations: 99.5"),
        "99.5",
        "training.iterations = 99.5",
        "whole number",
    ),
    (
        "text for a whole number",
        changed(BATCH, "batch_size: '60'"),
        "'60'",
        "training.batch_size = '60'",
        "whole number",
    ),
    (
        "no replicates",
        changed(REPLICATES, "replicates: 0"),
        "replicates",
        "replicates = 0",
        "must be at least 1",
    ),
    (
        "a width of 0",
        changed(WIDTHS, "widths: [30, 0]"),
        "widths",
        "model.widths.1 = 0",
        "must be at least 1",
    ),
    ("no widths", changed(WIDTHS, "widths: []"), "widths", "model.widths = ", "at least 1 item"),
    ("negative seed", GOOD + "seed: -1\n", "seed", "seed = -1", "must be at least 0"),
    (
        "a number for a section",
        changed("data:\n", "data: 3\nd:\n"),
        "data: 3",
        "data = 3",
        "must be a mapping",
    ),
    (
        "nothing pruned",
        changed(RATES, "rates: {fc: 0}"),
        "fc: 0",
        "pruning.rates = {'fc': 0.0}",
        "a rate above 0",
    ),
    (
        "momentum with adam",
        changed(EVERY, f"{EVERY}\n  momentum: 0.9"),
        "momentum",
        "training.momentum = 0.9",
        "no effect on adam",
    ),
    (
        "conv rate on an MLP",
        changed(RATES, "rates: {fc: 0.2, conv: 0.1}"),
        "conv",
        "pruning.rates.conv = 0.1",
        "no conv layers",
    ),
    (
        "output rate in a global ranking",
        changed(SCOPE, "scope: global"),
        "output",
        "pruning.output_rate = 0.1",
        "leave it out",
    ),
    (
        "two rates in a global ranking",
        changed(SCOPE, "scope: global", changed(RATES, "rates: {fc: 0.2, conv: 0.1}", NO_OUTPUT)),
        "rates",
        "pruning.rates = {'fc': 0.2, 'conv': 0.1}",
        "a global ranking has one rate",
    ),
    (
        "a layer pruned away",
        changed(ROUNDS, "rounds: 60"),
        "rounds",
        "pruning.rounds = 60",
        "away whole in round",
    ),
    (
        "a network pruned away",
        changed(ROUNDS, "rounds: 60", changed(SCOPE, "scope: global", NO_OUTPUT)),
        "rounds",
        "pruning.rounds = 60",
        "prunes the network away whole in round",
    ),
    (
        "nothing to train on",
        changed(HELD_OUT, "validation_size: 1400"),
        "1400",
        "data.validation_size = 1400",
        "1,400 training",
    ),
    (
        "batch too large",
        changed(BATCH, "batch_size: 1201"),
        "1201",
        "training.batch_size = 1201",
        "the 1,200 training images",
    ),
    (
        "rewind to the end",
        GOOD + "rewind: {iteration: 300}\n",
        "rewind",
        "rewind.iteration = 300",
        "below training.iterations (300)",
    ),
    ("no ticket", changed(ARMS, "arms: [reinit]"), "arms", "arms = ['reinit']", "must contain ticket"),
    ("an arm twice", changed(ARMS, "arms: [ticket, ticket]"), "arms", "arms = ", "may stand here once"),
    (
        "an unknown arm",
        changed(ARMS, "arms: [ticket, fresh]"),
        "arms",
        "arms.1 = 'fresh'",
        "must be one of 'ticket' or 'reinit'",
    ),
    (
        "no evaluation",
        changed(EVERY, "evaluate_every: 301"),
        "301",
        "training.evaluate_every = 301",
        "training.iterations (300)",
    ),
    ("a name", GOOD + "name: other\n", "name: other", "name = 'other'", "leave this out"),
    (
        "a key twice",
        changed(BATCH, f"{BATCH}\n  batch_size: 70"),
        "70",
        "training.batch_size",
        "stands twice; keep one",
    ),
]


@pytest.mark.parametrize(
    ("text", "place", "setting", "remedy"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_a_wrong_setting_is_named_with_its_line_value_and_remedy(tmp_path, text, place, setting, remedy):
    message = refusal(tmp_path, mine=text)
    start = f"{tmp_path / 'mine.yaml'}, line {line_of(text, place)}: {setting}"
    (line,) = (line for line in message.splitlines() if line.startswith(start))
    assert remedy in line


@pytest.mark.parametrize(
    ("line", "field", "meaning"),
    [
        ("  batch_size: 60\n", "training.batch_size", "examples a step"),
        ("replicates: 2\n", "replicates", "seeds"),
    ],
)
def test_a_missing_setting_is_named_with_what_it_means(tmp_path, line, field, meaning):
    message = refusal(tmp_path, mine=changed(line, ""))
    assert message.startswith(f"{tmp_path / 'mine.yaml'}: {field}: is missing")
    assert meaning in message


def test_all_faults_of_a_card_are_told_at_once(tmp_path):
    message = refusal(tmp_path, mine=changed(BATCH, "batch_size: 0", changed(LR, "learning_rate: -1")))
    assert [line.split(": ")[1].split(" = ")[0] for line in message.splitlines()] == [
        "training.learning_rate",
        "training.batch_size",
    ]


def test_a_long_value_is_cut_short(tmp_path):
    message = refusal(tmp_path, mine=changed(LR, f"learning_rate: {'fast' * 1000}"))
    assert "'fastfast" in message and len(message) < 400


@pytest.mark.timeout(20)
@pytest.mark.parametrize("rounds", [5000, 10**6, 10**30])
def test_far_too_many_rounds_are_refused_at_once(tmp_path, rounds):
    """The ladder is exact arithmetic: it must be left where it runs out, not climbed to the end first."""
    message = refusal(tmp_path, mine=changed(ROUNDS, f"rounds: {rounds}"))
    assert f"line {line_of(GOOD, ROUNDS)}: pruning.rounds = {rounds}: " in message
