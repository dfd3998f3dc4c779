"""Wrong settings, one by one: each is named with its file, line, field and value, and with what is right."""

import pytest

from lth_pipeline_tests.experiments.writing import changed, line_of, refusal

RATE, ITERATIONS, BATCH = "learning_rate: 1.2e-3", "iterations: 300", "batch_size: 60"
EVERY, WIDTHS, LAST = "evaluate_every: 50", "widths: [30, 10]", "replicates: 2"
RATES, OUTPUT, ARMS = "rates: {fc: 0.2}", "output_rate: 0.1", "arms: [ticket, reinit]"
PRUNING = f"scope: layerwise\n  {RATES}\n  {OUTPUT}\n  rounds: 3"
GLOBAL = "scope: global\n  rounds: 60"

#: (right, wrong, "field = value", remedy): the line is that of the last line of `wrong`
UNKNOWN = [
    (RATE, "learning_rat: 1", "training.learning_rat = 1", "did you mean learning_rate?"),
    (LAST, f"{LAST}\nprunning: 1", "prunning = 1", "did you mean pruning?"),
    (RATES, "rates: {dense: 0.2}", "pruning.rates.dense = 'dense'", "must be one of 'fc', 'conv' or 'shortcut'"),
    ("name: digits", "name: digit", "data.name = 'digit'", "must be one of 'digits', 'mnist'"),
    ("optimiser: adam", "optimiser: rms", "training.optimiser = 'rms'", "must be one of 'adam', 'adamw' or 'sgd'"),
    (ARMS, "arms: [ticket, fresh]", "arms.1 = 'fresh'", "must be one of 'ticket', 'reinit', "),
    (LAST, f"{LAST}\nname: other", "name = 'other'", "leave this out"),
    (BATCH, f"{BATCH}\n  batch_size: 70", "training.batch_size", "stands twice; keep one"),
]
TYPES = [
    (RATE, "learning_rate: fast", "training.learning_rate = 'fast'", "must be a finite number"),
    (RATE, "learning_rate: .nan", "training.learning_rate = nan", "must be a finite number"),
    (RATE, "learning_rate: nan", "training.learning_rate = ", "must be a finite number"),
    (RATE, "learning_rate: .inf", "training.learning_rate = inf", "must be a finite number"),
    (RATE, "learning_rate: true", "training.learning_rate = True", "must be a finite number"),
    (RATE, "learning_rate: [0.1]", "training.learning_rate = [0.1]", "must be a finite number"),
    (ITERATIONS, "iterations: true", "training.iterations = True", "must be a whole number"),
    (ITERATIONS, "iterations: 99.5", "training.iterations = 99.5", "must be a whole number"),
    (BATCH, "batch_size: '60'", "training.batch_size = '60'", "must be a whole number"),
    (LAST, f"{LAST}\nrewind: 3", "rewind = 3", "must be a mapping"),
    (RATES, "rates: 0.2", "pruning.rates = 0.2", "must be a mapping"),
]
RANGES = [
    (RATES, "rates: {fc: -0.1}", "pruning.rates.fc = -0.1", "must be at least 0"),
    (RATES, "rates: {fc: 1}", "pruning.rates.fc = 1", "must be below 1"),
    (OUTPUT, "output_rate: 1.0", "pruning.output_rate = 1.0", "must be below 1"),
    (RATE, "learning_rate: 0", "training.learning_rate = 0", "must be above 0"),
    (LAST, "replicates: 0", "replicates = 0", "must be at least 1"),
    (LAST, f"{LAST}\nseed: -1", "seed = -1", "must be at least 0"),
    (WIDTHS, "widths: [30, 0]", "model.widths.1 = 0", "must be at least 1"),
    (WIDTHS, "widths: []", "model.widths = ", "at least 1 item"),
]
TOGETHER = [
    (PRUNING, "scope: layerwise\n  rounds: 3\n  rates: {fc: 0}", "pruning.rates = {'fc': 0.0}", "a rate above 0"),
    (RATES, "rates: {fc: 0.2, conv: 0.1}", "pruning.rates.conv = 0.1", "mlp has no conv layers"),
    (PRUNING, f"{GLOBAL}\n  {RATES}\n  {OUTPUT}", "pruning.output_rate = 0.1", "leave it out"),
    (PRUNING, f"{GLOBAL}\n  rates: {{fc: 0.2, conv: 0.1}}", "pruning.rates = {'fc': 0.2", "has one rate"),
    ("rounds: 3", "rounds: 60", "pruning.rounds = 60", "weight away whole in round"),
    (
        PRUNING,
        "scope: layerwise\n  rounds: 3\n  output_rate: 0\n  rates: {fc: 1.0e-9}",
        "pruning.rates",
        "nothing in round 1",
    ),
    (PRUNING, f"rates: {{fc: 0.1}}\n  {GLOBAL}0", "pruning.rounds = 600", "prunes nothing in round"),
    (PRUNING, f"rates: {{fc: 0.7}}\n  {GLOBAL}", "pruning.rounds = 60", "prunes the network away whole in round"),
    (EVERY, f"{EVERY}\n  momentum: 0.9", "training.momentum = 0.9", "has no effect on adam"),
    (EVERY, "evaluate_every: 301", "training.evaluate_every = 301", "training.iterations (300)"),
    (BATCH, "batch_size: 1201", "training.batch_size = 1201", "not exceed the 1,200 training images"),
    ("size: 200", "size: 1400", "data.validation_size = 1400", "digits (scikit-learn) has 1,400 training"),
    (LAST, f"{LAST}\nrewind: {{iteration: 300}}", "rewind.iteration = 300", "training.iterations (300)"),
    (ARMS, "arms: [reinit]", "arms = ['reinit']", "must contain ticket"),
    (ARMS, "arms: [ticket, ticket]", "arms = ", "may stand here once"),
]


def last_line(case) -> str:
    return case[1].splitlines()[-1].strip()


def cases(table):
    return pytest.mark.parametrize(
        ("right", "wrong", "setting", "remedy"), table, ids=[last_line(case) for case in table]
    )


def check(folder, right: str, wrong: str, setting: str, remedy: str) -> None:
    text = changed(right, wrong)
    line = line_of(text, wrong.splitlines()[-1])
    start = f"{folder / 'mine.yaml'}, line {line}: {setting}"
    (fault,) = (fault for fault in refusal(folder, mine=text).splitlines() if fault.startswith(start))
    assert remedy in fault


@cases(UNKNOWN)
def test_what_is_not_known_or_stands_twice(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)


@cases(TYPES)
def test_values_of_another_type(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)


@cases(RANGES)
def test_numbers_out_of_range(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)


@cases(TOGETHER)
def test_settings_that_do_not_go_together_or_have_no_effect(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)
