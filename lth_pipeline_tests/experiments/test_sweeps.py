"""A card with a matrix: the experiments it makes, their names, and which matrices cannot be."""

import pytest

from lth_pipeline.experiments.flat import described
from lth_pipeline.experiments.sweeps import sweeps
from lth_pipeline.recipes import Chain, Step
from lth_pipeline_tests.experiments.writing import GOOD, changed, line_of, load, refusal

BASE = changed("  learning_rate: 1.2e-3\n", "")
MATRIX = """\
matrix:
  training.learning_rate: [0.1, 1.0e-2]
  rewind: {start: {iteration: 0}, late: {iteration: 100}}
  variants:
    plain: {}
    warm: {training: {warmup: 20, clip_norm: 1.0}, seed: 3}
"""


def names(cards, sweep: str = "mine") -> tuple[str, ...]:
    return sweeps(cards)[sweep].members


def matrix(*lines: str, base: str = GOOD) -> str:
    return base + "matrix:\n" + "".join(f"  {line}\n" for line in lines)


def test_there_is_an_experiment_for_each_combination(tmp_path):
    cards = load(tmp_path, mine=BASE + MATRIX)
    assert "mine" not in cards
    sweep = sweeps(cards)["mine"]
    assert (sweep.name, sweep.about) == ("mine", "a card that is right")
    assert sweep.members == (
        "mine_learning_rate_0p1_start_plain",
        "mine_learning_rate_0p1_start_warm",
        "mine_learning_rate_0p1_late_plain",
        "mine_learning_rate_0p1_late_warm",
        "mine_learning_rate_0p01_start_plain",
        "mine_learning_rate_0p01_start_warm",
        "mine_learning_rate_0p01_late_plain",
        "mine_learning_rate_0p01_late_warm",
    )
    assert sweep.varied == {
        "training.learning_rate": ("0.1", "0.01"),
        "rewind": ("start", "late"),
        "variants": ("plain", "warm"),
    }
    one = cards["mine_learning_rate_0p01_late_warm"]
    assert (one.training.learning_rate, one.training.warmup, one.training.clip_norm) == (0.01, 20, 1.0)
    assert (one.rewind.iteration, one.seed, one.replicates) == (100, 3, 2)
    assert one.training.iterations == 300  # what is not varied is the card's
    assert one.description == "a card that is right · learning_rate 0.01, rewind late, warm"
    plain = cards["mine_learning_rate_0p1_start_plain"]
    assert (plain.training.warmup, plain.seed) == (None, 0)


def test_the_place_in_a_sweep_is_no_setting(tmp_path):
    cards = load(tmp_path, mine=BASE + MATRIX, alone=GOOD)
    one = cards["mine_learning_rate_0p1_late_warm"]
    assert one.sweep.at == {"training.learning_rate": "0.1", "rewind": "late", "variants": "warm"}
    assert "sweep" not in one.model_dump()
    assert not [field for field, _, _ in described(one) if field.startswith("sweep")]
    assert cards["alone"].sweep is None and "alone" not in sweeps(cards)


def test_an_experiment_of_a_sweep_makes_what_the_written_out_card_makes(tmp_path):
    written = changed("1.2e-3", "0.1") + "rewind: {iteration: 100}\n"
    cards = load(tmp_path, mine=BASE + MATRIX, written=written)
    for step in (Step("initial_weights"), Step("trained", 0, "dense"), Step("trained", 2, "ticket")):
        one, two = (
            Chain(cards, name, 0).recipe(step, lambda _: "0" * 64)
            for name in ("mine_learning_rate_0p1_late_plain", "written")
        )
        assert one.id == two.id


def test_cards_are_sorted_by_name_and_a_sweep_stands_in_the_order_of_its_card(tmp_path):
    cards = load(tmp_path, mine=matrix("seed: [9, 10, 1]"), zebra=GOOD)
    order = [name for name in cards if name.startswith(("digits", "mine", "zebra"))]
    assert order[0] == "digits" and order[-4:] == ["mine_seed_9", "mine_seed_10", "mine_seed_1", "zebra"]
    singles = [name for name, card in cards.items() if card.sweep is None]
    assert singles == sorted(singles)


def test_a_value_more_renames_nothing(tmp_path):
    before = names(load(tmp_path, mine=matrix("seed: [1, 2]")))
    after = names(load(tmp_path, mine=matrix("seed: [3, 2, 1]")))
    assert set(before) < set(after)


@pytest.mark.parametrize(
    ("entry", "labels"),
    [
        ("training.weight_decay: [null, 1.0e-5, 1e-4, 2]", ["none", "1e_05", "0p0001", "2"]),
        ("model.widths: [[30, 10], [40]]", ["30_10", "40"]),
        ("training.nesterov: [true, false]", ["true", "false"]),
        ("model.initialisation: [glorot_normal, kaiming_normal]", ["glorot_normal", "kaiming_normal"]),
        ("training.step_factor: [0.25, .5]", ["0p25", "0p5"]),
    ],
)
def test_a_value_names_its_experiment(tmp_path, entry, labels):
    sgd = changed("optimiser: adam", "optimiser: sgd\n  momentum: 0.9\n  schedule: step\n  step_at: [200]")
    text = sgd.replace("  widths: [30, 10]\n", "") if "widths" in entry else sgd
    field = entry.split(":")[0].rpartition(".")[2]
    assert names(load(tmp_path, mine=matrix(entry, base=text))) == tuple(f"mine_{field}_{label}" for label in labels)


def test_a_twin_inherits_settings_and_matrix(tmp_path):
    quick = (
        "based_on: mine\nquick: true\ntraining: {iterations: 200, learning_rate: 0.01}\n"
        "matrix:\n  training.learning_rate: null\n  rewind: {late: {iteration: 50}}\n"
    )
    cards = load(tmp_path, mine=BASE + MATRIX, mine_quick=quick + "  seed: [1, 2]\n  variants: null\n")
    found = sweeps(cards)["mine_quick"]
    assert found.varied == {"rewind": ("start", "late"), "seed": ("1", "2")}
    late = cards["mine_quick_late_seed_2"]
    assert (late.rewind.iteration, late.training.iterations, late.quick) == (50, 200, True)


def test_a_twin_without_a_matrix_of_its_own_varies_the_same(tmp_path):
    cards = load(tmp_path, mine=matrix("seed: [1, 2]"), twin="based_on: mine\nquick: true\n")
    assert sweeps(cards)["twin"].varied == {"seed": ("1", "2")}
    one = load(tmp_path, twin="based_on: mine\nmatrix: null\n")["twin"]
    assert one.sweep is None and one.seed == 0


def test_a_card_can_follow_one_experiment_of_a_sweep(tmp_path):
    cards = load(
        tmp_path,
        a_branch="branch_of: {experiment: mine_seed_2, round: 2}\ntraining: {learning_rate: 0.01}\n",
        a_copy="based_on: mine_seed_2\nreplicates: 1\n",
        mine=matrix("seed: [1, 2]"),
    )
    assert (cards["a_branch"].seed, cards["a_branch"].sweep, cards["a_copy"].seed) == (2, None, 2)


def test_a_branch_can_have_a_matrix(tmp_path):
    branch = "branch_of: {experiment: mine, round: 2}\nmatrix:\n  training.learning_rate: [0.01, 0.02]\n"
    cards = load(tmp_path, mine=GOOD, other=branch)
    found = [cards[name] for name in names(cards, "other")]
    assert [card.training.learning_rate for card in found] == [0.01, 0.02]
    assert {card.branch_of.experiment for card in found} == {"mine"}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("seed: []", "matrix.seed = []: varies nothing; give two or more"),
        ("seed: [4]", "matrix.seed = [4]: varies nothing"),
        ("seed: {a: 1}", "matrix.seed = {'a': 1}: varies nothing"),
        ("seed: 4", "matrix.seed = 4: must be a list of values, or a mapping: label -> value"),
        ("variants: [1, 2]", "matrix.variants = [1, 2]: must be a mapping: label -> partial card"),
        ("training.learning_rte: [1, 2]", "no such setting; did you mean training.learning_rate?"),
        ("learning_rate: [1, 2]", "no such setting; did you mean training.learning_rate?"),
        ("varients: {a: {}, b: {}}", "no such setting; did you mean variants?"),
        ("training: {batch_size: 3, iterations: 100}", "write training.batch_size: […]"),
        ("seed: {Big: 1, small: 2}", "matrix.seed.Big: a label is of lower-case letters"),
        ("pruning.rates: [{fc: 0.1}, {fc: 0.2}]", "cannot be named by its value; give labels"),
        ('"pruning.layer_rates.fc*": [0.1, 0.2]', "vary pruning.layer_rates as a whole, by labels: "),
        ("pruning.layer_rates.stage1.block1.conv1: [0.1, 0.2]", "vary pruning.layer_rates as a whole, by labels: "),
        ("pruning.layer_rates: {fc1: 0.1, fc2: 0.2}", "matrix.pruning.layer_rates.fc1 = 0.1: must be a mapping"),
        ("seed: [1, 1]", "matrix.seed: two values are called seed_1"),
        ("training.clip_norm: [1, 1.0]", "two values are called clip_norm_1"),
        ("seed: {a: 1, b: 1}", "mine_a and mine_b are the same experiment"),
        ("replicates: [1, 2]", "matrix.replicates sets it each time; leave it out here"),
        ("training.batch_size: [30, 40]", "training.batch_size = 60: has no effect"),
        ("seed: {a: 1, b: -1}", "matrix.seed.b = -1: must be at least 0 (in mine_b)"),
        ("seed: [1, -1]", "matrix.seed = -1: must be at least 0 (in mine_seed_minus_1)"),
        ("variants: {a: {sed: 1}, b: {}}", "matrix.variants.a.sed = 1: unknown key; did you mean seed?"),
        ("variants: {a: {model: {width: [3]}}, b: {}}", "matrix.variants.a.model.width = [3]: unknown key; did you"),
        ("variants: {a: {branch_of: x}, b: {}}", "matrix.variants.a.branch_of = 'x': belongs to the card"),
        ("variants: {a: 3, b: {}}", "matrix.variants.a = 3: must be a partial card"),
        ("seed: {a: 300000000000000000000, b: 1}", "matrix.seed.a"),
        (f"seed: {{{'x' * 60}: 1, b: 2}}", "of 65 characters, at most 63; give shorter labels"),
        (f"seed: [{', '.join(map(str, range(201)))}]", "makes 201 = 201 experiments; at most 200"),
        ("rewind: {a: {iteration: 400}, b: {}}", "matrix.rewind.a.iteration = 400: must be below training.iterations"),
        ("data.validation_size: {a: 100, b: 1500}", "data.validation_size = 200: has no effect"),
    ],
)
def test_a_matrix_that_cannot_be_is_refused(tmp_path, entry, said):
    text = matrix(entry)
    message = refusal(tmp_path, mine=text)
    assert said in message
    assert message.startswith(f"{tmp_path / 'mine.yaml'}, line ")


@pytest.mark.parametrize(
    "field", ["matrix", "based_on", "branch_of", "branch_of.round", "description", "name", "sweep"]
)
def test_what_belongs_to_the_card_is_not_varied(tmp_path, field):
    assert "belongs to the card and cannot be varied" in refusal(tmp_path, mine=matrix(f"{field}: [a, b]"))


@pytest.mark.parametrize("text", ["matrix: 3\n", "matrix: {}\n", "matrix: [seed]\n"])
def test_a_matrix_is_a_mapping_of_something(tmp_path, text):
    assert f", line {line_of(GOOD + text, 'matrix')}: matrix" in refusal(tmp_path, mine=GOOD + text)


def test_the_rates_of_layers_are_varied_by_labels(tmp_path):
    text = matrix("pruning.layer_rates: {low: {fc1: 0.1}, high: {fc2: 0.3}, kind: null}")
    cards = load(tmp_path, mine=text)
    assert [cards[name].pruning.layer_rates for name in names(cards)] == [{"fc1": 0.1}, {"fc2": 0.3}, None]


def test_a_name_that_is_too_long_is_told_so(tmp_path):
    assert "at most 63 characters before its ending; it has 64" in refusal(tmp_path, **{"x" * 64: GOOD})


def test_a_fault_is_told_with_the_line_of_the_entry_that_made_it(tmp_path):
    text = GOOD + "matrix:\n  variants:\n    fine: {}\n    wild:\n      pruning: {rates: {fc: 1.5}}\n"
    text = text.replace("  rates: {fc: 0.2}\n", "")
    message = refusal(tmp_path, mine=text.replace("fine: {}", "fine: {pruning: {rates: {fc: 0.2}}}"))
    assert f", line {line_of(text, '1.5')}: matrix.variants.wild.pruning.rates.fc = 1.5" in message
    assert "(in mine_wild)" in message


def test_a_fault_of_the_networks_is_told_so_too(tmp_path):
    """Found by the check that knows networks and data, after the settings were read."""
    message = refusal(tmp_path, mine=matrix("pruning.rates: {fc: {fc: 0.2}, all: {fc: 0.2, conv: 0.1}}", base=NO_RATES))
    assert "matrix.pruning.rates.all.conv = 0.1: has no effect: mlp has no conv layers" in message
    assert "(in mine_all)" in message


NO_RATES = changed("  rates: {fc: 0.2}\n", "")


def test_a_fault_of_all_is_told_once_at_its_own_line(tmp_path):
    text = matrix("seed: [1, 2]", base=changed("batch_size: 60", "batch_size: 0"))
    assert refusal(tmp_path, mine=text) == (
        f"{tmp_path / 'mine.yaml'}, line {line_of(text, 'batch_size')}: training.batch_size = 0: must be at least 1"
    )


def test_two_entries_do_not_set_the_same(tmp_path):
    text = matrix("rewind: {a: {iteration: 1}, b: {iteration: 2}}", "rewind.iteration: [3, 4]")
    assert "matrix.rewind.iteration: sets rewind.iteration, which rewind sets too" in refusal(tmp_path, mine=text)


def test_a_branch_of_a_whole_sweep_is_refused_with_its_experiments(tmp_path):
    message = refusal(
        tmp_path, mine=matrix("seed: [1, 2]"), other="branch_of: {experiment: mine, round: 1}\nreplicates: 1\n"
    )
    assert "branch_of.experiment = 'mine': is a sweep; branch off one of its experiments: " in message
    assert "mine_seed_1, mine_seed_2" in message


def test_an_unknown_experiment_of_a_sweep_is_guessed(tmp_path):
    message = refusal(tmp_path, mine=matrix("seed: [1, 2]"), other="based_on: mine_seed_3\n")
    assert "based_on = 'mine_seed_3': no such experiment; did you mean mine_seed_" in message


def test_names_are_given_once(tmp_path):
    text = matrix("seed: [1, 2]")
    message = refusal(tmp_path, mine=text, mine_seed_2=GOOD)
    line = line_of(text, "matrix")
    assert message.startswith(f"{tmp_path / 'mine.yaml'}, line {line}: matrix: makes an experiment 'mine_seed_2'")
    assert "mine_seed_2.yaml" in message


def test_a_sweep_does_not_follow_its_own_experiment(tmp_path):
    message = refusal(tmp_path, mine="based_on: mine_seed_1\n" + matrix("seed: [1, 2]"))
    assert "form a circle: mine → mine_seed_1" in message


def test_the_loaders_field_is_no_key_of_a_card(tmp_path):
    message = refusal(tmp_path, mine=GOOD + "sweep: {sweep: a, about: b, at: {}}\n")
    assert ": sweep = " in message and "unknown key" in message


def test_only_what_is_written_is_inherited(tmp_path):
    """A setting that a card fills in from another one is not the parent's word."""
    steps = changed("  rates: {fc: 0.2}\n  output_rate: 0.1\n  rounds: 3\n", "  densities: [0.5, 0.2]\n")
    cards = load(tmp_path, mine=steps, other="based_on: mine\npruning: {densities: [0.5, 0.3, 0.1]}\n")
    assert (cards["mine"].pruning.rounds, cards["other"].pruning.rounds) == (2, 3)
