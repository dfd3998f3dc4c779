"""Settings of networks, data and training that have no effect beside the others, or do not go together: refused."""

import pytest

from lth_pipeline_tests.experiments.test_wrong_settings import cases, check
from lth_pipeline_tests.experiments.writing import changed, load, refusal

NAME, WIDTHS, SIZE = "  name: mlp", "  widths: [30, 10]", "  validation_size: 200"
MODEL = f"{NAME}\n{WIDTHS}"
OPTIMISER, EVERY, DATA = "optimiser: adam", "evaluate_every: 50", "  name: digits"

MODELS = [
    (MODEL, f"{MODEL}\n  depth: 20", "model.depth = 20", "has no effect on mlp; it is for resnet_cifar"),
    (MODEL, f"{MODEL}\n  filters: 8", "model.filters = 8", "has no effect on mlp"),
    (MODEL, "  name: conv2\n  widths: [30]", "model.widths = (30,)", "has no effect on conv2; it is for mlp"),
    (MODEL, "  name: vgg11\n  dropout: 0.5", "model.dropout = 0.5", "has no effect on vgg11; it is for mlp, lenet5"),
    (MODEL, "  name: resnet_cifar\n  depth: 20\n  dropout: 0.5", "model.dropout = 0.5", "has no effect on resnet"),
    (MODEL, f"{MODEL}\n  dropout: 0", "model.dropout = 0", "must be above 0"),
    (MODEL, f"{MODEL}\n  dropout: 1", "model.dropout = 1", "must be below 1"),
    (MODEL, f"{MODEL}\n  initialisation: xavier", "model.initialisation = 'xavier'", "'glorot_normal' or 'kaiming"),
]
DATAS = [
    (SIZE, f"{SIZE}\n  path: here", "data.path = 'here'", "has no effect on digits; it is for own images"),
    (SIZE, f"{SIZE}\n  image_size: 8", "data.image_size = 8", "has no effect on digits"),
    (SIZE, f"{SIZE}\n  colour: grey", "data.colour = 'grey'", "has no effect on digits"),
    (SIZE, f"{SIZE}\n  title: mine", "data.title = 'mine'", "has no effect on digits"),
    (SIZE, f"{SIZE}\n  train_size: 1200", "data.train_size = 1200", "has no effect: the validation split leaves 1,200"),
    (SIZE, f"{SIZE}\n  test_size: 397", "data.test_size = 397", "has no effect: digits (scikit-learn) has 397 test"),
    (
        SIZE,
        f"{SIZE}\n  augmentation: {{crop: 8}}",
        "data.augmentation.crop = 8",
        "side of the images, 8 pixels",
    ),
    (SIZE, f"{SIZE}\n  augmentation: {{flip: false}}", "data.augmentation.flip = False", "changes nothing"),
    (SIZE, f"{SIZE}\n  augmentation: {{flip: 1}}", "data.augmentation.flip = 1", "valid boolean"),
]
TRAININGS = [
    (OPTIMISER, "optimiser: adamw\n  momentum: 0.9", "training.momentum = 0.9", "has no effect on adamw"),
    (EVERY, f"{EVERY}\n  nesterov: true", "training.nesterov = True", "needs optimiser: sgd with a momentum"),
    (EVERY, f"{EVERY}\n  weight_decay: 0", "training.weight_decay = 0", "must be above 0"),
    (EVERY, f"{EVERY}\n  step_at: [100]", "training.step_at = (100,)", "has no effect on schedule: constant"),
    (EVERY, f"{EVERY}\n  step_factor: 0.5", "training.step_factor = 0.5", "has no effect on schedule: constant"),
    (EVERY, f"{EVERY}\n  schedule: linear", "training.schedule = 'linear'", "'constant', 'step' or 'cosine'"),
    (EVERY, f"{EVERY}\n  schedule: step\n  step_at: [200, 100]", "training.step_at = [200, 100]", "must rise"),
    (
        EVERY,
        f"{EVERY}\n  schedule: step\n  step_at: [300]",
        "training.step_at = [300]",
        "below training.iterations (300)",
    ),
    (
        EVERY,
        f"{EVERY}\n  schedule: step\n  warmup: 100\n  step_at: [99, 200]",
        "training.step_at = [99, 200]",
        "must not fall inside the warm-up",
    ),
    (EVERY, f"{EVERY}\n  warmup: 300", "training.warmup = 300", "must be below training.iterations (300)"),
    (EVERY, f"{EVERY}\n  warmup: 1", "training.warmup = 1", "has no effect; give 2"),
    (EVERY, f"{EVERY}\n  label_smoothing: 0", "training.label_smoothing = 0", "must be above 0"),
    (EVERY, f"{EVERY}\n  clip_norm: -1", "training.clip_norm = -1", "must be above 0"),
]


#: the same, where the line at fault is not the last one changed, or is not there at all
ELSEWHERE = [
    (MODEL, "  name: mlp", "mine.yaml: model.widths: is missing; mlp needs it"),
    (MODEL, "  name: resnet_cifar", "mine.yaml: model.depth: is missing; resnet_cifar needs it"),
    (MODEL, "  name: resnet_cifar\n  depth: 21\n  filters: 4", "model.depth = 21: resnet_cifar has no depth 21"),
    (SIZE, f"{SIZE}\n  train_size: 59", "training.batch_size = 60: must not exceed the 59 training images"),
    (DATA, "  name: images", "mine.yaml: data.path: is missing; own images need"),
    (OPTIMISER, "optimiser: adamw", "mine.yaml: training.weight_decay: is missing; without it adamw is adam"),
    (EVERY, f"{EVERY}\n  patience: 6", "training.patience = 6: has no effect: so many evaluations take all the 300"),
    (
        EVERY + "\n",
        f"{EVERY}\n  patience: 3\nrewind: {{iteration: 150}}\n",
        "training.patience = 3: has no effect: so many evaluations take all the 150 iterations of a ticket",
    ),
    (DATA, "  name: mnist1d\n  normalisation: unit", "data.normalisation = 'unit': is for pixels; mnist1d holds"),
    (
        DATA,
        "  name: mnist1d\n  augmentation: {crop: 1}",
        "data.augmentation.crop = 1: is for images; MNIST-1D is one pixel high",
    ),
    (EVERY, f"{EVERY}\n  schedule: step", "mine.yaml: training.step_at: is missing; schedule: step needs it"),
    (MODEL + "\n", "  name: vgg11\n", "model.name = 'vgg11': "),
]


@cases(MODELS)
def test_networks(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)


@cases(DATAS)
def test_data(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)


@cases(TRAININGS)
def test_training(tmp_path, right, wrong, setting, remedy):
    check(tmp_path, right, wrong, setting, remedy)


@pytest.mark.parametrize(("right", "wrong", "message"), ELSEWHERE, ids=[case[2] for case in ELSEWHERE])
def test_what_is_missing_or_at_fault_elsewhere(tmp_path, right, wrong, message):
    assert message in refusal(tmp_path, mine=changed(right, wrong))


@pytest.mark.parametrize(
    "pruning", ["rates: {conv: 0.2, fc: 0.2}\n  output_rate: 0.1", "rates: {conv: 0.2, shortcut: 0.1}"]
)
def test_a_rate_that_only_the_output_could_have_or_no_layer(tmp_path, pruning):
    text = changed(MODEL, "  name: conv2" if "shortcut" in pruning else "  name: resnet_cifar\n  depth: 8")
    said = refusal(tmp_path, mine=changed("rates: {fc: 0.2}\n  output_rate: 0.1", pruning, text))
    kind = "shortcut" if "shortcut" in pruning else "fc"
    assert f"pruning.rates.{kind}" in said and "has no effect" in said


def test_batch_norm_needs_batches_of_two(tmp_path):
    text = changed(MODEL, "  name: resnet_cifar\n  depth: 8").replace("batch_size: 60", "batch_size: 1")
    said = refusal(tmp_path, mine=text.replace("rates: {fc: 0.2}", "rates: {conv: 0.2}"))
    assert "training.batch_size = 1: must be at least 2: batch norm" in said


def test_null_takes_an_inherited_setting_back(tmp_path):
    dropped = load(tmp_path, mine="based_on: conv2_cifar10_dropout\nmodel: {dropout: null}\n")["mine"]
    assert dropped.model.dropout is None
    assert dropped.training == load(tmp_path)["conv2_cifar10_dropout"].training
