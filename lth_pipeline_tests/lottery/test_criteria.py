"""Every criterion by its formula, on every network, and what must hold of all of them."""

import subprocess
import sys
from math import isfinite

import pytest
import torch

from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.models.model import Mode
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.lottery.pruning.scores import scores
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.lottery import small
from lth_pipeline_tests.lottery.networks import lively
from lth_pipeline_tests.lottery.test_every_network import SMALL
from lth_pipeline_tests.lottery.test_every_network import network as small_network

OF_TRAINED = [name for name, criterion in CRITERIA.items() if "trained" in criterion.reads]
WITH_GRADIENTS = ["snip", "grasp", "synflow", "gradient_magnitude"]
MASK = small.half_mask()
EXAMPLES = (small.DATA.train.images[:9], small.DATA.train.labels[:9])
TRAINED = small.MODEL.initialise(generator(31))


def given(**changes) -> dict:
    """All that any criterion reads, for the small network."""
    return {
        "trained": TRAINED,
        "initial": small.WEIGHTS,
        "model": small.MODEL,
        "examples": EXAMPLES,
        "draws": generator(9),
        "image_shape": (1, 2, 3),
    } | changes


def with_norms(dropout: float = 0.0):
    """(model, weights, mask, examples) of a network with batch norm whose statistics are no batch's."""
    model = build("resnet_cifar", (1, 4, 4), 3, initialisation="kaiming_normal", depth=8, filters=2)
    examples = torch.randn(4, 1, 4, 4, generator=generator(3)).double(), torch.tensor([0, 1, 2, 0])
    return model, lively(model), masks.ones(model), examples


def copied(tensors):
    return {name: tensor.clone() for name, tensor in tensors.items()}


def equal(first, second) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_criteria_stand_in_their_order_and_say_what_they_read():
    assert list(CRITERIA) == [
        *("magnitude", "magnitude_increase", "movement", "initial_magnitude", "random"),
        *("snip", "grasp", "synflow", "gradient_magnitude"),
    ]
    assert all(criterion.reads <= {"trained", "initial", "examples", "draws"} for criterion in CRITERIA.values())
    norms = {name for name, criterion in CRITERIA.items() if criterion.of_unit == "norm"}
    assert norms == {"magnitude", "movement", "initial_magnitude"}
    assert {name: c.steps for name, c in CRITERIA.items() if c.steps != 1} == {"synflow": 100}


def test_the_criteria_are_known_without_torch():
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from lth_pipeline.lottery.pruning.criteria import CRITERIA; assert CRITERIA['snip'].about"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("criterion", "formula"),
    [
        ("magnitude", lambda trained, initial: trained.abs()),
        ("magnitude_increase", lambda trained, initial: trained.abs() - initial.abs()),
        ("movement", lambda trained, initial: (trained - initial).abs()),
        ("initial_magnitude", lambda trained, initial: initial.abs()),
    ],
)
def test_what_needs_no_gradient_is_its_formula(criterion, formula):
    found = scores(criterion, MASK, **given())
    assert list(found) == list(MASK)
    for name, alive in MASK.items():
        expected = formula(TRAINED[name], small.WEIGHTS[name])
        assert torch.equal(found[name], expected * alive)  # 0 where pruned, whatever the weights hold there


@pytest.mark.parametrize(("criterion", "weights"), [("snip", small.WEIGHTS), ("gradient_magnitude", TRAINED)])
def test_sensitivity_is_the_change_of_the_loss_to_first_order(criterion, weights):
    """|w g| by central differences of the mean loss in float64, biases included in the network."""
    images, labels = EXAMPLES[0].double(), EXAMPLES[1]
    ticket = {name: tensor.double() for name, tensor in masks.apply(MASK, weights).items()}
    for name in ticket:
        if name not in MASK:
            ticket[name] = ticket[name] + 0.1
    key = "trained" if criterion == "gradient_magnitude" else "initial"
    found = scores(criterion, MASK, **given(examples=(images, labels), **{key: ticket}))
    for name, alive in MASK.items():
        for place in map(tuple, alive.nonzero().tolist()[:5]):
            losses = []
            for factor in (1 + 1e-5, 1 - 1e-5):
                moved = copied(ticket)
                moved[name][place] *= factor
                losses.append(torch.nn.functional.cross_entropy(small.MODEL.logits(moved, images), labels))
            change = abs(float(losses[0] - losses[1])) / 2e-5
            assert float(found[name][place]) == pytest.approx(change, rel=1e-4, abs=1e-9)


def test_random_scores_are_uniform_draws_in_the_order_of_names():
    found = scores("random", MASK, draws=generator(4))
    draws = generator(4)
    for name in sorted(MASK):
        drawn = torch.rand(MASK[name].shape, generator=draws, dtype=torch.float64)
        assert torch.equal(found[name], drawn * MASK[name])
    dense = scores("random", small.ONES, draws=generator(4))
    assert all(torch.equal(dense[name] * MASK[name], found[name]) for name in MASK)  # the mask moves no draw
    assert not equal(found, scores("random", MASK, draws=generator(5)))


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_order_in_which_tensors_are_given_changes_no_bit(criterion):
    found = scores(criterion, MASK, **given())
    turned = {key: dict(reversed(given()[key].items())) for key in ("trained", "initial")}
    assert equal(found, scores(criterion, dict(reversed(MASK.items())), **given(**turned)))


@pytest.mark.parametrize("criterion", CRITERIA)
def test_the_global_generator_is_neither_read_nor_moved(criterion):
    torch.manual_seed(1)
    first, state = scores(criterion, MASK, **given()), torch.get_rng_state()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert equal(first, scores(criterion, MASK, **given()))
    assert torch.equal(torch.get_rng_state(), before) and not torch.equal(state, before)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_nothing_given_is_changed_batch_norms_statistics_included(criterion):
    model, weights, mask, examples = with_norms()
    before, mask_before = copied(weights), copied(mask)
    found = scores(
        criterion,
        mask,
        **given(trained=weights, initial=weights, model=model, examples=examples, image_shape=(1, 4, 4)),
    )
    assert equal(weights, before) and equal(mask, mask_before)
    assert not any(tensor.requires_grad for tensor in (*weights.values(), *found.values()))


@pytest.mark.parametrize("criterion", ["snip", "grasp", "gradient_magnitude"])
def test_gradients_are_taken_with_the_batchs_statistics(criterion):
    model, weights, mask, examples = with_norms()
    arguments = given(model=model, examples=examples)
    found = scores(criterion, mask, **{**arguments, "trained": weights, "initial": weights})
    moved = copied(weights)
    for norm in model.norms:
        for buffer in norm.buffers:
            moved[buffer] += 1.0
    assert equal(found, scores(criterion, mask, **{**arguments, "trained": moved, "initial": moved}))
    with pytest.raises(PruningError, match="at least 2 examples to score weights on, got 1"):
        one = tuple(tensor[:1] for tensor in examples)
        scores(criterion, mask, **{**arguments, "trained": weights, "initial": weights, "examples": one})


def test_snip_with_batch_norm_is_the_gradient_in_training():
    model, weights, mask, (images, labels) = with_norms()
    live = {name: t.clone().requires_grad_(name in mask) for name, t in weights.items()}
    torch.nn.functional.cross_entropy(model.logits(live, images, Mode(training=True)), labels).backward()
    for name, found in scores("snip", mask, initial=weights, model=model, examples=(images, labels)).items():
        torch.testing.assert_close(found, (weights[name] * live[name].grad).abs())


def test_synflow_reads_the_running_statistics_and_the_sign_of_nothing_else():
    model, weights, mask, _ = with_norms()
    learned = set(weights) - model.buffers
    turned = {name: -tensor if name in learned else tensor for name, tensor in weights.items()}
    arguments = {"model": model, "image_shape": (1, 4, 4)}
    found = scores("synflow", mask, initial=weights, **arguments)
    assert equal(found, scores("synflow", mask, initial=turned, **arguments))
    wider = {name: 4 * t if name.endswith("running_var") else t for name, t in weights.items()}
    assert not equal(found, scores("synflow", mask, initial=wider, **arguments))


@pytest.mark.parametrize("criterion", ["snip", "grasp", "gradient_magnitude"])
def test_nothing_is_dropped_while_scoring(criterion):
    settings = {"widths": (8, 5), "initialisation": "glorot_normal"}
    dropping = build("mlp", (1, 2, 3), 3, dropout=0.5, **settings)
    assert equal(scores(criterion, MASK, **given(model=dropping)), scores(criterion, MASK, **given()))


def test_gradients_are_taken_where_the_caller_has_switched_them_off():
    with torch.no_grad():
        assert equal(scores("grasp", MASK, **given()), scores("grasp", MASK, **given()))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("criterion", [name for name in CRITERIA if name != "random"])
def test_weights_that_are_not_finite_are_refused_by_name(criterion, value):
    key = "trained" if criterion in OF_TRAINED else "initial"
    weights = copied(given()[key])
    place = tuple(MASK["fc2.weight"].nonzero()[0].tolist())
    weights["fc2.weight"][place] = value
    message = {
        "trained": r"^fc2\.weight: the trained weights are not finite; training diverged, try a smaller learning rate$",
        "initial": r"^fc2\.weight: the initial weights are not finite$",
    }[key]
    with pytest.raises(PruningError, match=message):
        scores(criterion, MASK, **given(**{key: weights}))


@pytest.mark.parametrize("criterion", CRITERIA)
def test_what_a_pruned_weight_holds_does_not_matter(criterion):
    broken = {key: copied(given()[key]) for key in ("trained", "initial")}
    for weights in broken.values():
        for name, alive in MASK.items():
            weights[name][~alive] = float("nan")
    found = scores(criterion, MASK, **given(**broken))
    assert equal(found, scores(criterion, MASK, **given()))
    assert all(not values[~MASK[name]].any() for name, values in found.items())


@pytest.mark.parametrize(("criterion", "key"), [("snip", "initial"), ("gradient_magnitude", "trained")])
def test_scores_that_are_not_finite_are_refused(criterion, key):
    weights = copied(given()[key])
    weights["fc1.bias"] += float("inf")
    advice = {"initial": "the network's outputs or their gradients overflow", "trained": "training diverged"}[key]
    with pytest.raises(PruningError, match=rf"\.weight: the scores by {criterion} are not finite; {advice}"):
        scores(criterion, MASK, **given(**{key: weights}))


@pytest.mark.parametrize("criterion", CRITERIA)
def test_what_a_criterion_reads_must_be_given_and_nothing_else(criterion):
    reads = CRITERIA[criterion].reads
    enough = {key: value for key, value in given().items() if key in reads | {"model", "image_shape"}}
    assert equal(scores(criterion, MASK, **enough), scores(criterion, MASK, **given()))
    for key in reads:
        with pytest.raises(ValueError, match=f"{criterion} needs what is not given: {key}"):
            scores(criterion, MASK, **given(**{key: None}))


@pytest.mark.parametrize("name", [name for name in SMALL if name not in ("vgg13", "vgg16", "vgg19")])
def test_every_criterion_scores_every_kind_of_network(name):
    """The deeper VGGs are more of the same as vgg11."""
    model, weights, mask, data = small_network(name)
    trained = {key: tensor * 1.1 if key in mask else tensor for key, tensor in weights.items()}
    examples = (data.train.images[:4], data.train.labels[:4])
    for criterion in CRITERIA:
        found = scores(
            criterion,
            mask,
            **given(trained=trained, initial=weights, model=model, examples=examples, image_shape=SMALL[name][0]),
        )
        assert list(found) == list(mask), criterion
        for key, alive in mask.items():
            assert found[key].shape == alive.shape, f"{criterion}: {key}"
            least, greatest = (float(value) for value in found[key].aminmax())
            assert isfinite(least) and isfinite(greatest), f"{criterion}: {key}"
            assert least or greatest, f"{criterion}: {key} has no score at all"
            if criterion not in ("magnitude_increase", "grasp"):
                assert least >= 0, f"{criterion}: {key}"
