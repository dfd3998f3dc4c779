"""Networks that train together: each as if it had trained alone."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from lth_pipeline.lottery.data.augmentation import Augmentation
from lth_pipeline.lottery.data.dataset import Data, Part
from lth_pipeline.lottery.digest import digest
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator, stream_seed
from lth_pipeline.lottery.training import draws
from lth_pipeline.lottery.training.order import batches
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.stacked_forward import dense
from lth_pipeline.lottery.training.together import Network, can_train_together, fits, train_together
from lth_pipeline.lottery.training.train import train
from lth_pipeline_tests.lottery.small import COMMON, DATA, MODEL, SCHEDULES, bits

DEVICE = torch.device("cpu")
CONV = build("resnet_cifar", (3, 8, 8), 3, depth=8, filters=4, initialisation="kaiming_normal")


def images(examples: int, seed: int, as_bytes: bool) -> Part:
    """Three classes of different brightness, as bytes with their scaling or ready."""
    labels = torch.arange(examples) % 3
    noise = torch.randint(120, (examples, 3, 8, 8), generator=generator(seed))
    pixels = (noise + 60 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
    scaling = (255.0, torch.full((3, 1, 1), 0.4), torch.full((3, 1, 1), 0.25))
    if as_bytes:
        return Part(pixels, labels, scaling)
    return Part((pixels.float() / 255 - scaling[1]) / scaling[2], labels)


IMAGES = Data(images(40, 1, True), images(15, 2, False), images(15, 3, False), mean=(0.4,) * 3, std=(0.25,) * 3)

FULLY_CONNECTED = {
    **SCHEDULES,
    "nesterov": Schedule("sgd", 0.1, momentum=0.9, nesterov=True, weight_decay=0.01, **COMMON),
    "adam with decay": Schedule("adam", 0.01, weight_decay=0.1, **COMMON),
    "adamw": Schedule("adamw", 0.01, weight_decay=0.1, **COMMON),
    "clipped": Schedule("adam", 0.01, clip_norm=0.5, **COMMON),
    "cosine": Schedule("sgd", 0.1, schedule="cosine", warmup=5, **COMMON),
    "steps": Schedule("sgd", 0.1, schedule="step", step_at=(8, 20), **COMMON),
    "smoothed": Schedule("adam", 0.01, label_smoothing=0.1, **COMMON),
    "rewound": Schedule("adam", 0.01, start=7, schedule="cosine", **COMMON),
    "tf32, which a CPU has not": Schedule("adam", 0.01, precision="tf32", **COMMON),
}
IMPATIENT = Schedule("sgd", 0.5, batch_size=8, iterations=60, evaluate_every=2, patience=1)
SGD = Schedule("sgd", 0.05, momentum=0.9, **COMMON)
CONVOLUTIONS = {
    "sgd": SGD,
    "augmented": replace(SGD, augmentation=Augmentation(flip=True, crop=1)),
    "mirrored": replace(SGD, augmentation=Augmentation(flip=True)),
    "clipped, smoothed": replace(SGD, clip_norm=0.5, label_smoothing=0.1),
}
ROUNDING = {"rtol": 1e-4, "atol": 2e-5}  # a handful of float32 roundings of 26 steps


def networks(model=MODEL, count=3, **options) -> list[Network]:
    """Different weights, masks (the second has none) and draws."""
    return [network(model, number, **options) for number in range(count)]


def network(model, number: int, masked: bool = True, **options) -> Network:
    weights, draw = model.initialise(generator(number)), generator(100 + number)
    mask = {layer.weight: torch.rand(layer.shape, generator=draw) < 0.5 for layer in model.layers}
    if number == 1 or not masked:
        return Network(weights, None, partial(seeds, number), **options)
    return Network(masks.apply(mask, weights), mask, partial(seeds, number), **options)


def seeds(replicate: int, purpose: str, number: int) -> int:
    return stream_seed(replicate, purpose, number=number)


def alone(model, data, schedule, network: Network, **options):
    return train(model, network.weights, network.mask, data, schedule, network.seeds, way="autograd", **options)


def assert_alike(trained, other) -> None:
    """The same within rounding: weights, rows, accuracy to one example."""
    assert list(trained.weights) == list(other.weights)
    for name, tensor in trained.weights.items():
        torch.testing.assert_close(tensor.cpu(), other.weights[name], **ROUNDING, msg=name, equal_nan=True)
    assert len(trained.rows) == len(other.rows)
    for row, expected in zip(trained.rows, other.rows, strict=True):
        assert row.keys() == expected.keys() and type(row["iteration"]) is int
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-5, nan_ok=True)
    assert trained.train_accuracy == pytest.approx(other.train_accuracy, abs=1e-9)
    assert (trained.iterations, trained.diverged_at) == (other.iterations, other.diverged_at)


def assert_each_as_alone(model, data, schedule, stack, **options) -> list:
    together = train_together(model, stack, data, schedule, **options)
    for network, trained in zip(stack, together, strict=True):
        assert_alike(trained, alone(model, data, schedule, network, **options))
        if network.mask:
            for name, alive in network.mask.items():
                assert (trained.weights[name][~alive].view(torch.int32) == 0).all()
    return together


@pytest.mark.parametrize("schedule", FULLY_CONNECTED.values(), ids=list(FULLY_CONNECTED))
def test_fully_connected_networks(schedule):
    trained = assert_each_as_alone(MODEL, DATA, schedule, networks())
    assert len({digest(each.weights) for each in trained}) == 3


@pytest.mark.parametrize("schedule", CONVOLUTIONS.values(), ids=list(CONVOLUTIONS))
def test_networks_with_convolutions_and_batch_norm(schedule):
    stack = networks(CONV)
    for network, trained in zip(stack, assert_each_as_alone(CONV, IMAGES, schedule, stack), strict=True):
        assert all((trained.weights[name] != network.weights[name]).any() for name in CONV.buffers)


def test_adam_on_dense_networks_with_convolutions():
    """Dense, for Adam divides a gradient by its size: before a batch norm a filter with one weight left has no gradient
    but rounding, which Adam makes a whole step of."""
    assert_each_as_alone(CONV, IMAGES, Schedule("adam", 0.01, clip_norm=1.0, **COMMON), networks(CONV, masked=False))


def test_dense_networks_and_one_by_itself():
    assert_each_as_alone(MODEL, DATA, SCHEDULES["adam"], networks(masked=False))
    assert_each_as_alone(MODEL, DATA, SCHEDULES["adam"], networks(count=1))
    assert train_together(MODEL, [], DATA, SCHEDULES["adam"]) == []


def test_in_bfloat16_the_pass_is_in_bfloat16_and_learns():
    schedule = replace(SCHEDULES["adam"], iterations=120, precision="bfloat16")
    for trained in train_together(MODEL, networks(), DATA, schedule):
        assert all(tensor.dtype == torch.float32 for tensor in trained.weights.values())
        assert trained.rows[-1]["validation_loss"] < 0.3 * trained.rows[0]["validation_loss"]
    exact = train_together(MODEL, networks(), DATA, replace(schedule, precision="float32"))
    assert digest(exact[0].weights) != digest(train_together(MODEL, networks(), DATA, schedule)[0].weights)


def test_blocks_of_draws_follow_each_other(monkeypatch):
    """Of 7 steps: none ends at an evaluation or an epoch."""
    whole = train_together(CONV, networks(CONV), IMAGES, CONVOLUTIONS["augmented"])
    monkeypatch.setattr(draws, "STEPS", 7)
    cut = train_together(CONV, networks(CONV), IMAGES, CONVOLUTIONS["augmented"])
    assert list(map(bits, cut)) == list(map(bits, whole))


@pytest.mark.parametrize(("examples", "size"), [(40, 8), (7, 3), (5, 12)])
def test_the_examples_are_those_of_a_network_alone(examples, size):
    schedule = Schedule("sgd", 0.1, size, 50, 10)
    numbers, _ = draws.Draws(schedule, [partial(seeds, 0), partial(seeds, 1)], examples).block(11, 23, DEVICE)
    for number in (0, 1):
        expected = batches(examples, size, 11, 34, partial(seeds, number, "data_order"))
        assert torch.equal(numbers[:, number, 0], torch.stack(list(expected)))


def test_stacked_logits_are_the_models_own():
    stack = networks()
    stacked = {name: torch.stack([each.weights[name] for each in stack]) for name in stack[0].weights}
    flat = DATA.test.images.flatten(1).T
    for logits in (dense(stacked, MODEL.layers, flat), dense(stacked, MODEL.layers, flat.expand(3, -1, -1))):
        for found, network in zip(logits, stack, strict=True):
            torch.testing.assert_close(found.T, MODEL.logits(network.weights, DATA.test.images))


# -- networks that end early


def test_each_ends_where_its_patience_does():
    trained = assert_each_as_alone(MODEL, DATA, IMPATIENT, networks(count=5))
    ends = [each.iterations for each in trained]
    assert len(set(ends)) > 2 and min(ends) < 10, ends
    assert len({each.seconds for each in trained}) > 1
    early = [network for network, end in zip(networks(count=5), ends, strict=True) if end < IMPATIENT.iterations]
    assert len(assert_each_as_alone(MODEL, DATA, IMPATIENT, early)) > 1  # and all end where the last of them does


def test_one_that_diverges_leaves_the_others_as_they_are():
    stack = networks()
    huge = {name: tensor * 1e25 for name, tensor in stack[0].weights.items()}
    stack[0] = replace(stack[0], weights=huge)
    for schedule in (SCHEDULES["sgd with momentum"], FULLY_CONNECTED["clipped"]):
        trained = assert_each_as_alone(MODEL, DATA, schedule, stack)
        assert [each.diverged_at is None for each in trained] == [False, True, True]


@pytest.mark.parametrize("schedule", [*SCHEDULES.values(), FULLY_CONNECTED["clipped"]], ids=[*SCHEDULES, "clipped"])
def test_pruned_weights_stay_zero_where_training_diverges(schedule):
    stack = networks()
    diverged = train_together(MODEL, stack, DATA, replace(schedule, learning_rate=1e30))
    for network, trained in zip(stack, diverged, strict=True):
        assert not all(tensor.isfinite().all() for tensor in trained.weights.values())
        assert network.mask is None or masks.pruned_are_zero(network.mask, trained.weights)


def test_one_that_has_ended_is_not_told_of_the_others_evaluations():
    told = [[], [], []]
    stack = [replace(each, on_evaluation=lambda row, _, n=n: told[n].append(row)) for n, each in enumerate(networks())]
    assert [each.rows for each in train_together(MODEL, stack, DATA, IMPATIENT)] == told


# -- states


def with_states(stack: list[Network]) -> tuple[list[Network], list[list]]:
    states = [[] for _ in stack]
    keep = [lambda row, state, n=n: states[n].append(state()) for n in range(len(stack))]
    return [replace(each, on_evaluation=keep[n]) for n, each in enumerate(stack)], states


@pytest.mark.parametrize(
    ("model", "data", "schedule"),
    [(MODEL, DATA, each) for each in SCHEDULES.values()]
    + [(MODEL, DATA, replace(SCHEDULES["adam"], start=7)), (CONV, IMAGES, CONVOLUTIONS["augmented"])],
    ids=[*SCHEDULES, "rewound", "convolutions"],
)
def test_resuming_from_any_state_is_never_having_stopped(model, data, schedule, monkeypatch):
    monkeypatch.setattr(draws, "STEPS", 3)  # else all these steps are one block
    kept = []
    whole = train_together(model, networks(model), data, schedule, on_steps=lambda states: kept.append(states()))
    assert {10, 20, 26} < {states[0].iteration for states in kept} and len(kept) > 7
    for states in kept:
        before = [digest(state.weights) + digest(state.optimiser) for state in states]
        resumed = [replace(each, resume=state) for each, state in zip(networks(model), states, strict=True)]
        assert list(map(bits, train_together(model, resumed, data, schedule))) == list(map(bits, whole))
        assert [digest(state.weights) + digest(state.optimiser) for state in states] == before


@pytest.mark.parametrize("schedule", [IMPATIENT, replace(SCHEDULES["adam"], learning_rate=1e30)])
def test_resuming_where_some_have_ended_is_never_having_stopped(schedule, monkeypatch):
    monkeypatch.setattr(draws, "STEPS", 3)
    kept = []
    whole = train_together(MODEL, networks(), DATA, schedule, on_steps=lambda states: kept.append(states()))
    assert any(len({len(state.rows) for state in states}) > 1 for states in kept) or schedule is not IMPATIENT
    for states in kept:
        resumed = [replace(each, resume=state) for each, state in zip(networks(), states, strict=True)]
        assert list(map(bits, train_together(MODEL, resumed, DATA, schedule))) == list(map(bits, whole))


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=list(SCHEDULES))
def test_a_state_is_trains_own_and_goes_over_to_it_and_back(schedule):
    stack, states = with_states(networks())
    whole = train_together(MODEL, stack, DATA, schedule)
    own = []
    alone(MODEL, DATA, schedule, stack[0], on_evaluation=lambda row, state: own.append(state()))
    for mine, its in zip(states[0], own, strict=True):
        assert mine.optimiser.keys() == its.optimiser.keys()
        for name, tensor in its.optimiser.items():
            torch.testing.assert_close(mine.optimiser[name], tensor.cpu(), **ROUNDING)
    for place in (0, 1):
        assert_alike(alone(MODEL, DATA, schedule, stack[0], resume=states[0][place]), whole[0])
        (back,) = train_together(MODEL, [replace(stack[0], on_evaluation=None, resume=own[place])], DATA, schedule)
        assert_alike(back, whole[0])


def test_seconds_are_shares_and_go_on_where_they_were():
    stack, states = with_states(networks())
    trained = train_together(MODEL, stack, DATA, SCHEDULES["adam"])
    assert all(0 < state[1].seconds < each.seconds for state, each in zip(states, trained, strict=True))
    resumed = [replace(each, resume=replace(states[n][1], seconds=100.0)) for n, each in enumerate(networks())]
    assert all(100 < each.seconds < 110 for each in train_together(MODEL, resumed, DATA, SCHEDULES["adam"]))


@pytest.mark.parametrize("stop", [1, 10, 13])
def test_stopping_gives_the_weights_that_the_whole_training_has_there(stop):
    patient = replace(SCHEDULES["adam"], patience=1, learning_rate=0.0)
    assert [each.iterations for each in train_together(MODEL, networks(), DATA, patient, stop=stop)] == [stop] * 3
    assert_each_as_alone(MODEL, DATA, SCHEDULES["adam"], networks(), stop=stop)


def test_the_given_weights_are_left_as_they_are():
    stack = networks()
    before = [digest(each.weights) for each in stack]
    trained = train_together(MODEL, stack, DATA, SCHEDULES["adam"])
    assert [digest(each.weights) for each in stack] == before
    assert not any(tensor.requires_grad for each in trained for tensor in each.weights.values())


# -- what is refused


def test_what_cannot_train_together_is_refused():
    dropping = replace(MODEL, dropout=0.5)
    schedule, stack = SCHEDULES["adam"], networks()
    assert can_train_together(MODEL, schedule) and not can_train_together(dropping, schedule)
    with pytest.raises(ValueError, match="dropout"):
        train_together(dropping, stack, DATA, schedule)
    streamed = replace(DATA, test=replace(DATA.test, streamed=True))
    assert fits(DATA) and not fits(streamed)
    with pytest.raises(ValueError, match="streamed"):
        train_together(MODEL, stack, streamed, schedule)
    with pytest.raises(ValueError, match="CUDA"):
        train_together(MODEL, stack, DATA, schedule, graph=True)
    with pytest.raises(ValueError, match="names and shapes"):
        train_together(MODEL, [stack[0], network(CONV, 0)], DATA, schedule)
    with pytest.raises(ValueError, match=r"'rmsprop'.*adam, adamw, sgd"):
        train_together(MODEL, stack, DATA, replace(schedule, optimiser="rmsprop"))


def test_networks_that_are_not_at_one_iteration_are_refused():
    stack, states = with_states(networks())
    train_together(MODEL, stack, DATA, SCHEDULES["adam"])
    with pytest.raises(ValueError, match=r"not from .*the start"):
        train_together(MODEL, [replace(stack[0], resume=states[0][1]), stack[1]], DATA, SCHEDULES["adam"])
    apart = [replace(stack[n], resume=states[n][n + 1]) for n in (0, 1)]
    with pytest.raises(ValueError, match=r"10.*20|20.*10"):
        train_together(MODEL, apart, DATA, SCHEDULES["adam"])
