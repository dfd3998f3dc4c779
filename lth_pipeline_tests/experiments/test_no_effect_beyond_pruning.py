"""Settings of rewinding, arms and early tickets that are wrong, do nothing, or do not go together: refused."""

import pytest

from lth_pipeline_tests.experiments.test_wrong_settings import cases, check
from lth_pipeline_tests.experiments.writing import changed, line_of, load, refusal

LAST = "replicates: 2"
ARMS = "arms: [ticket, reinit]"
EVERY = "  evaluate_every: 50\n"
PRUNING = "  scope: layerwise\n  rates: {fc: 0.2}\n  output_rate: 0.1\n  rounds: 3"
REWINDING = [
    (LAST, f"{LAST}\nrewind: {{mode: back}}", "rewind.mode = 'back'", "'weights', 'learning_rate' or 'fine_tuning'"),
    (LAST, f"{LAST}\nrewind: {{fraction: 0}}", "rewind.fraction = 0", "must be above 0"),
    (LAST, f"{LAST}\nrewind: {{fraction: 1}}", "rewind.fraction = 1", "must be below 1"),
    (LAST, f"{LAST}\nrewind: {{epoch: 0}}", "rewind.epoch = 0", "must be above 0"),
    (LAST, f"{LAST}\nrewind: {{iteration: -1}}", "rewind.iteration = -1", "must be at least 0"),
    (
        LAST,
        f"{LAST}\nrewind: {{iteration: 5, fraction: 0.1}}",
        "rewind.fraction = 0.1",
        "there is one rewind point; leave out iteration or fraction",
    ),
    (
        LAST,
        f"{LAST}\nrewind: {{fraction: 0.1, epoch: 1}}",
        "rewind.epoch = 1",
        "there is one rewind point; leave out fraction or epoch",
    ),
    (
        LAST,
        f"{LAST}\nrewind: {{fraction: 0.001}}",
        "rewind.fraction = 0.001",
        "is iteration 0; it must be between 0 and training.iterations (300)",
    ),
    (LAST, f"{LAST}\nrewind: {{fraction: 0.999}}", "rewind.fraction = 0.999", "is iteration 300; it must be between"),
    (
        LAST,
        f"{LAST}\nrewind: {{epoch: 15.5}}",
        "rewind.epoch = 15.5",
        "is iteration 310; it must be between 0 and training.iterations (300)",
    ),
    (LAST, f"{LAST}\nrewind: {{epoch: 0.02}}", "rewind.epoch = 0.02", "is iteration 0; it must be between"),
    (
        LAST,
        f"{LAST}\nrewind: {{mode: learning_rate}}",
        "rewind.mode = 'learning_rate'",
        "has nothing to take back where the learning rate is constant; use fine_tuning",
    ),
]
ARM = [
    (ARMS, "arms: [ticket, reinits]", "arms.1 = 'reinits'", "must be one of 'ticket', 'reinit', 'reinit_same_sign'"),
    (ARMS, "arms: [dense_small]", "arms = ['dense_small']", "must contain ticket"),
    (ARMS, "arms: [ticket, dense_small]\ndraws: 2", "draws = 2", "has no effect on the arms ticket, dense_small"),
    (ARMS, "arms: [ticket, ticket_distilled]\ndraws: 3", "draws = 3", "none is drawn at random; leave it out"),
    (ARMS, f"{ARMS}\ndraws: 0", "draws = 0", "must be at least 1"),
    (
        ARMS,
        f"{ARMS}\ndistillation: {{weight: 0.5}}",
        "distillation = ",
        "has no effect without the arm ticket_distilled",
    ),
    (
        ARMS,
        "arms: [ticket, ticket_distilled]\ndistillation: {weight: 0}",
        "distillation.weight = 0",
        "must be above 0",
    ),
    (
        ARMS,
        "arms: [ticket, ticket_distilled]\ndistillation: {weight: 1.1}",
        "distillation.weight = 1.1",
        "must be at most 1",
    ),
    (
        ARMS,
        "arms: [ticket, ticket_distilled]\ndistillation: {temperature: 0}",
        "distillation.temperature = 0",
        "must be above 0",
    ),
    (
        ARMS,
        "arms: [ticket, ticket_distilled]\ndistillation: {temprature: 2}",
        "distillation.temprature = 2",
        "did you mean temperature?",
    ),
]
EARLY = [
    (LAST, f"{LAST}\nearly_bird: {{checks: 3}}", "early_bird = ", "has no effect without find_early: true"),
    (LAST, f"{LAST}\nfind_early: true\nearly_bird: {{distance: 0}}", "early_bird.distance = 0", "must be above 0"),
    (LAST, f"{LAST}\nfind_early: true\nearly_bird: {{distance: 1}}", "early_bird.distance = 1", "must be below 1"),
    (LAST, f"{LAST}\nfind_early: true\nearly_bird: {{checks: 0}}", "early_bird.checks = 0", "must be at least 1"),
    (
        LAST,
        f"{LAST}\nfind_early: true\nearly_bird: {{distance: 0.41}}",
        "early_bird.distance = 0.41",
        "is more than two masks of round 1, at 80.4 %, can differ: give a smaller one",
    ),
    (
        LAST,
        f"{LAST}\nfind_early: true\nearly_bird: {{checks: 6}}",
        "early_bird.checks = 6",
        "no mask can settle so: there are 6, one every 50 iterations, with 5 distances between them",
    ),
    (
        LAST,
        f"{LAST}\nfind_early: true\nearly_bird: {{every: 75}}",
        "early_bird.every = 75",
        "must be a multiple of training.evaluate_every (50)",
    ),
    (LAST, f"{LAST}\nfind_early: true\nearly_bird: {{every: 0}}", "early_bird.every = 0", "must be at least 1"),
]


@cases(REWINDING)
def test_rewinding(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)


@cases(ARM)
def test_arms(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)


@cases(EARLY)
def test_early_tickets(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)


def refused(folder, start: str, remedy: str, **cards: str) -> None:
    """start: of the one fault, behind the folder."""
    (fault,) = refusal(folder, **cards).splitlines()
    assert fault.startswith(f"{folder}/{start}"), fault
    assert remedy in fault


def test_a_cosine_ends_where_fine_tuning_would_begin(tmp_path):
    text = changed(EVERY, f"{EVERY}  schedule: cosine\n") + "rewind: {mode: fine_tuning}\n"
    line = line_of(text, "rewind:")
    remedy = "trains on at the last learning rate, which schedule: cosine brings to 0; use learning_rate"
    refused(tmp_path, f"mine.yaml, line {line}: rewind.mode = 'fine_tuning': ", remedy, mine=text)
    assert load(tmp_path, mine=text.replace("fine_tuning", "learning_rate"))


@pytest.mark.parametrize("rate", ["schedule: cosine", "warmup: 10", "schedule: step\n  step_at: [200]"])
def test_a_learning_rate_that_moves_can_be_taken_back(tmp_path, rate):
    text = changed(EVERY, f"{EVERY}  {rate}\n") + "rewind: {mode: learning_rate}\n"
    assert load(tmp_path, mine=text)["mine"].rewind.mode == "learning_rate"


@pytest.mark.parametrize("point", ["iteration: 150", "fraction: 0.5", "epoch: 7.5"])
def test_patience_beyond_what_is_left_after_rewinding(tmp_path, point):
    """Of a ticket; the dense network alone could run out of it."""
    text = changed(EVERY, f"{EVERY}  patience: 3\n") + f"rewind: {{{point}}}\n"
    line = line_of(text, "patience")
    remedy = "has no effect: so many evaluations take all the 150 iterations of a ticket; give fewer"
    refused(tmp_path, f"mine.yaml, line {line}: training.patience = 3: ", remedy, mine=text)
    assert load(tmp_path, mine=text.replace("patience: 3", "patience: 2"))


@pytest.mark.parametrize("criterion", ["initial_magnitude", "random", "snip", "grasp", "synflow", "gradient_magnitude"])
def test_a_criterion_that_is_not_followed(tmp_path, criterion):
    text = changed("rounds: 3", f"rounds: 3\n  criterion: {criterion}") + "find_early: true\n"
    line = line_of(text, "find_early")
    remedy = f"(magnitude, magnitude_increase, movement), not {criterion}"
    refused(tmp_path, f"mine.yaml, line {line}: find_early = True: needs a criterion", remedy, mine=text)


def test_ten_examples_for_each_class_must_be_there(tmp_path):
    """Said before anything is trained, not when the first mask is due."""
    small = changed("validation_size: 200", "validation_size: 200\n  train_size: 80")
    for criterion in ("snip", "grasp", "gradient_magnitude"):
        text = changed("rounds: 3", f"rounds: 3\n  criterion: {criterion}", small)
        remedy = "is missing: ten for each class are 100, more than the 80 training images"
        refused(tmp_path, "mine.yaml: pruning.examples: ", remedy, mine=text)
    assert load(tmp_path, mine=changed("rounds: 3", "rounds: 3\n  criterion: snip\n  examples: 80", small))


def test_batch_norm_scores_two_examples_or_more(tmp_path):
    text = changed("  name: mlp\n  widths: [30, 10]", "  name: resnet_cifar\n  depth: 8")
    text = changed(
        PRUNING, "  scope: layerwise\n  rates: {conv: 0.2}\n  rounds: 3\n  criterion: snip\n  examples: 1", text
    )
    line = line_of(text, "examples")
    refused(tmp_path, f"mine.yaml, line {line}: pruning.examples = 1: ", "must be at least 2: batch norm", mine=text)


@pytest.mark.parametrize("pruned", ["structure: units", "leave_out: [output]"])
def test_a_rate_for_a_kind_whose_only_layer_is_the_output_that_stays(tmp_path, pruned):
    text = changed("  name: mlp\n  widths: [30, 10]", "  name: resnet_cifar\n  depth: 8")
    text = changed(PRUNING, f"  scope: layerwise\n  rates: {{conv: 0.2, fc: 0.2}}\n  rounds: 3\n  {pruned}", text)
    line = line_of(text, "rates:")
    refused(tmp_path, f"mine.yaml, line {line}: pruning.rates.fc = 0.2: ", "has no effect", mine=text)


def test_a_small_network_cannot_be_smaller_than_one_unit_a_layer(tmp_path):
    text = changed(PRUNING, "  scope: layerwise\n  densities: [0.5, 0.02]")
    text = changed(ARMS, "arms: [ticket, dense_small]", text)
    remedy = "dense_small cannot be so small in round 2: mlp cannot be narrowed to"
    refused(tmp_path, f"mine.yaml, line {line_of(text, 'arms')}: arms = ", remedy, mine=text)
