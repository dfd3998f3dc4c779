"""Settings of pruning that are wrong or do nothing: all are refused.

A card that is accepted and does not do what it says is worse than one that is refused.
"""

import re

from lth_pipeline_tests.experiments.test_wrong_settings import cases, check
from lth_pipeline_tests.experiments.writing import GOOD, changed, load, refusal

PRUNING = "  scope: layerwise\n  rates: {fc: 0.2}\n  output_rate: 0.1\n  rounds: 3"


def pruning(text: str, scope: str = "layerwise") -> str:
    """What replaces PRUNING: the line at fault stands last."""
    return f"  scope: {scope}\n" + "\n".join(f"  {line}" for line in text.split("; "))


RATES = "rounds: 3; rates: {fc: 0.2}"
#: (right, wrong, "field = value", remedy)
CRITERIA = [
    (
        PRUNING,
        pruning(f"{RATES}; criterion: magnitudes"),
        "pruning.criterion = 'magnitudes'",
        "must be one of 'magnitude', 'magnitude_increase'",
    ),
    (PRUNING, pruning(f"{RATES}; examples: 50"), "pruning.examples = 50", "it is for snip, grasp, gradient_magnitude"),
    (PRUNING, pruning(f"{RATES}; steps: 5"), "pruning.steps = 5", "no effect on criterion: magnitude; it is for snip"),
    (
        PRUNING,
        pruning(f"{RATES}; criterion: synflow; examples: 50"),
        "pruning.examples = 50",
        "has no effect on criterion: synflow",
    ),
    (
        PRUNING,
        pruning(f"{RATES}; criterion: gradient_magnitude; steps: 2"),
        "pruning.steps = 2",
        "it is for snip, grasp, synflow",
    ),
    (PRUNING, pruning(f"{RATES}; criterion: snip; examples: 0"), "pruning.examples = 0", "must be at least 1"),
    (PRUNING, pruning(f"{RATES}; criterion: snip; steps: 0"), "pruning.steps = 0", "must be at least 1"),
    (
        PRUNING,
        pruning(f"{RATES}; criterion: snip; examples: 1201"),
        "pruning.examples = 1201",
        "must not exceed the 1,200 training images",
    ),
    (PRUNING, pruning(f"{RATES}; structure: filters"), "pruning.structure = 'filters'", "one of 'weights' or 'units'"),
    (PRUNING, pruning(f"{RATES}; mode: once"), "pruning.mode = 'once'", "one of 'iterative' or 'one_shot'"),
    (PRUNING, pruning(f"{RATES}; empty_layers: no"), "pruning.empty_layers = False", "one of 'refuse' or 'allow'"),
]
LADDERS = [
    (
        PRUNING,
        pruning("densities: [0.5, 0.2]; rates: {fc: 0.2}"),
        "pruning.rates = {'fc': 0.2}",
        "has no effect beside densities; leave one of them out",
    ),
    (
        PRUNING,
        pruning("densities: [0.5, 0.2]; layer_rates: {fc1: 0.2}"),
        "pruning.layer_rates = {'fc1': 0.2}",
        "has no effect beside densities",
    ),
    (
        PRUNING,
        pruning("densities: [0.5, 0.2]; output_rate: 0.1"),
        "pruning.output_rate = 0.1",
        "has no effect beside densities",
    ),
    (PRUNING, pruning("densities: [0.2, 0.5]"), "pruning.densities = [0.2, 0.5]", "must fall from one to the next"),
    (PRUNING, pruning("densities: [0.5, 0.5]"), "pruning.densities = [0.5, 0.5]", "must fall from one to the next"),
    (PRUNING, pruning("densities: [1.0, 0.5]"), "pruning.densities.0 = 1.0", "must be below 1"),
    (PRUNING, pruning("densities: [0.5, 0]"), "pruning.densities.1 = 0", "must be above 0"),
    (PRUNING, pruning("densities: []"), "pruning.densities = ", "at least 1 item"),
    (
        PRUNING,
        pruning("densities: [0.5, 0.2]; rounds: 3"),
        "pruning.rounds = 3",
        "must be the number of densities, 2; leave it out",
    ),
    (PRUNING, pruning("densities: [0.5, 0.0001]"), "pruning.densities = [0.5, 0.0001]", "away whole in round 2"),
    (PRUNING, pruning("densities: [0.99999, 0.5]"), "pruning.densities", "prunes nothing in round 1; give lower ones"),
    (
        PRUNING,
        pruning("densities: [0.5, 0.00001]", "global"),
        "pruning.densities",
        "prunes the network away whole in round 2; give higher ones",
    ),
    (
        PRUNING,
        pruning("rounds: 3; rates: {fc: 0.2}; output_rate: 0.1; output_factor: 0.5"),
        "pruning.output_factor = 0.5",
        "has no effect beside output_rate; leave one out",
    ),
    (PRUNING, pruning(f"{RATES}; output_factor: 1"), "pruning.output_factor = 1", "must be below 1"),
    (
        PRUNING,
        pruning("rounds: 3; rates: {fc: 0}; layer_rates: {fc1: 0}; output_rate: 0"),
        "pruning.rates",
        "prunes nothing; give at least one kind a rate above 0",
    ),
    (
        PRUNING,
        pruning(f"{RATES}; output_factor: 0.5", "global"),
        "pruning.output_factor = 0.5",
        "has no effect in a global ranking; use leave_out",
    ),
    (
        PRUNING,
        pruning(f"{RATES}; layer_rates: {{fc1: 0.1}}", "global"),
        "pruning.layer_rates = {'fc1': 0.1}",
        "has no effect in a global ranking; use leave_out",
    ),
    (PRUNING, pruning(f"{RATES}; leave_out: [fc1, fc1]"), "pruning.leave_out", "every entry may stand here once"),
    (
        PRUNING,
        pruning(f"{RATES}; leave_out: [layer*]"),
        "pruning.leave_out.0 = 'layer*'",
        "means no layer of mlp; its layers are fc1, fc2, output",
    ),
    (
        PRUNING,
        pruning(f"{RATES}; layer_rates: {{fc3: 0.1}}"),
        "pruning.layer_rates.fc3 = 'fc3'",
        "means no layer of mlp; its layers are fc1, fc2, output",
    ),
    (
        PRUNING,
        pruning(f"{RATES}; layer_rates: {{fc1: 0.1, fc*: 0.2}}"),
        "pruning.layer_rates = ['fc1', 'fc*']",
        "fc1 has more than one rate; give it one",
    ),
    (
        PRUNING,
        pruning(f"{RATES}; layer_rates: {{fc1: 0.1}}; leave_out: [fc1]"),
        "pruning.leave_out = ['fc1']",
        "fc1 has a rate in layer_rates",
    ),
    (
        PRUNING,
        pruning(f"{RATES}; leave_out: [output]; output_rate: 0.1"),
        "pruning.output_rate = 0.1",
        "has no effect: output is in leave_out; leave one out",
    ),
    (
        PRUNING,
        pruning(f"{RATES}; layer_rates: {{output: 0.3}}; output_factor: 0.5"),
        "pruning.output_factor = 0.5",
        "has no effect: output is in layer_rates; leave one out",
    ),
    (
        PRUNING,
        pruning("rounds: 3; layer_rates: {fc1: 0.2}; leave_out: [fc2]"),
        "pruning.leave_out = ['fc2']",
        "fc2 has no effect: these layers are not pruned anyway",
    ),
    (
        PRUNING,
        pruning("rounds: 3; leave_out: ['*']; rates: {fc: 0.2}"),
        "pruning.rates",
        "has no effect",
    ),
    (
        PRUNING,
        pruning("rounds: 3; layer_rates: {'*': 0.1}; rates: {fc: 0.2}"),
        "pruning.rates.fc = 0.2",
        "has no effect: what it is for is left out, or has another rate",
    ),
    (
        PRUNING,
        pruning("rounds: 3; layer_rates: {fc1: 0.2}; output_factor: 0.5"),
        "pruning.output_factor = 0.5",
        "has no effect: the output's kind has no rate",
    ),
]
UNITS = [
    (
        PRUNING,
        pruning(f"{RATES}; structure: units; {setting}"),
        f"pruning.{setting.partition(':')[0]} = ",
        "has no effect where whole units are pruned: the output's units are the classes, and stay",
    )
    for setting in ("output_rate: 0.1", "output_rate: 0", "output_factor: 0.5")
] + [
    (
        PRUNING,
        pruning(f"{RATES}; structure: units; layer_rates: {{output: 0.1}}"),
        "pruning.layer_rates",
        "has no effect where whole units are pruned",
    ),
    (
        PRUNING,
        pruning("structure: units; densities: [0.5, 0.2]", "global"),
        "pruning.densities = [0.5, 0.2]",
        "no density can be promised; give rates",
    ),
    (
        PRUNING,
        pruning(f"{RATES}; structure: units; leave_out: [output]"),
        "pruning.leave_out = ['output']",
        "these layers are not pruned anyway",
    ),
]


@cases(CRITERIA)
def test_criteria(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)


@cases(LADDERS)
def test_ladders(tmp_path, right, wrong, setting, remedy):
    check_anywhere(tmp_path, changed(right, wrong), setting, remedy)


@cases(UNITS)
def test_units(tmp_path, right, wrong, setting, remedy):
    check_anywhere(tmp_path, changed(right, wrong), setting, remedy)


def check_anywhere(folder, text: str, setting: str, remedy: str) -> None:
    """The fault names the line of its own field, wherever that stands."""
    (fault,) = (fault for fault in refusal(folder, mine=text).splitlines() if setting in fault)
    assert remedy in fault
    found = re.match(rf"{re.escape(str(folder / 'mine.yaml'))}, line (\d+): {re.escape(setting)}", fault)
    assert found, fault
    key = setting.split(" ")[0].split(".")[1]
    assert text.splitlines()[int(found[1]) - 1].strip().startswith(key)


def test_the_card_that_all_these_spoil_is_right(tmp_path):
    assert load(tmp_path, mine=GOOD)["mine"].pruning.rounds == 3
