"""Every way to make a step gives what autograd gives: to the bit where the sums are the same, else up to rounding."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lth_pipeline.lottery.data.dataset import Data, Part
from lth_pipeline.lottery.digest import digest
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator, stream_seed
from lth_pipeline.lottery.training import curve, evaluation, ways
from lth_pipeline.lottery.training.distillation import Teacher
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.train import train

CPU = torch.device("cpu")
FAST = ["by hand", "sparse"]
OPTIMISERS = {
    "adam": {"optimiser": "adam", "learning_rate": 1e-3},
    "adam, decay": {"optimiser": "adam", "learning_rate": 1e-3, "weight_decay": 1e-2},
    "adamw, smoothing": {"optimiser": "adamw", "learning_rate": 1e-3, "weight_decay": 1e-2, "label_smoothing": 0.1},
    "sgd, clipped": {"optimiser": "sgd", "learning_rate": 0.05, "momentum": 0.9, "clip_norm": 0.1},
    "nesterov, cosine": {
        "optimiser": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-3,
        "schedule": "cosine", "warmup": 5,
    },
}  # fmt: skip


def seeds(purpose: str, number: int) -> int:
    return stream_seed(0, purpose, number=number)


def part(examples: int, inputs: int, seed: int) -> Part:
    draws = generator(seed)
    images = torch.randn(examples, 1, 1, inputs, generator=draws)
    return Part(images, torch.randint(3, (examples,), generator=draws))


def network(inputs: int, widths: tuple[int, ...]):
    model = build("mlp", (1, 1, inputs), 3, widths=widths, initialisation="glorot_normal")
    data = Data(part(50, inputs, 1), part(12, inputs, 2), part(12, inputs, 3), mean=(0.0,), std=(1.0,))
    weights = model.initialise(generator(4))
    for layer in model.layers:  # zero biases would hide a unit whose inputs are all gone
        weights[f"{layer.name}.bias"] += 0.1 * torch.randn(layer.shape[0], generator=generator(5))
    return model, data, weights


def drawn(model, density: float, seed: int) -> dict[str, torch.Tensor]:
    draws = generator(seed)
    return {layer.weight: torch.rand(layer.shape, generator=draws) < density for layer in model.layers}


def schedule(optimiser: str) -> Schedule:
    return Schedule(batch_size=8, iterations=30, evaluate_every=10, **OPTIMISERS[optimiser])


def agree(one, other, *, bits: bool) -> None:
    """bits: in all of it; otherwise within 1e-5, ten times what 30 steps of float32 rounding were seen to make."""
    if bits:
        assert digest(one.weights) == digest(other.weights)
        assert digest(curve.to_tensors(one.rows)) == digest(curve.to_tensors(other.rows))
        return
    for name, tensor in one.weights.items():
        torch.testing.assert_close(tensor, other.weights[name], rtol=1e-4, atol=1e-5)
    for a, b in zip(one.rows, other.rows, strict=True):
        assert a == pytest.approx(b, rel=1e-4, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("masked", [False, True])
def test_a_step_by_hand_has_autograds_bits(optimiser, masked):
    model, data, weights = network(40, (30, 20))
    mask = drawn(model, 0.6, 1) if masked else None  # no row or column is gone
    begun = masks.apply(mask, weights) if masked else weights
    by_hand, reference = (
        train(model, begun, mask, data, schedule(optimiser), seeds, way=way) for way in ("by hand", "autograd")
    )
    agree(by_hand, reference, bits=True)


@pytest.mark.parametrize("way", FAST)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@settings(max_examples=8, deadline=None)
@given(
    inputs=st.integers(1, 30),
    widths=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    density=st.sampled_from([0.0, 0.03, 0.2, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
def test_a_step_under_any_mask_is_autograds_up_to_rounding(way, optimiser, inputs, widths, density, seed):
    """Empty layers, units without inputs (they still have a bias) and units that nothing reads are among them."""
    model, data, weights = network(inputs, tuple(widths))
    mask = drawn(model, density, seed)
    begun = masks.apply(mask, weights)
    fast, reference = (train(model, begun, mask, data, schedule(optimiser), seeds, way=w) for w in (way, "autograd"))
    agree(fast, reference, bits=False)
    assert masks.pruned_are_zero(mask, fast.weights)


@pytest.mark.parametrize("way", FAST)
def test_whole_units_and_inputs_that_are_gone(way):
    model, data, weights = network(40, (30, 20))
    mask = masks.ones(model)
    mask["fc1.weight"][::2] = False
    mask["fc1.weight"][:, 5:25] = False
    mask["fc2.weight"][:, 1::2] = False
    begun = masks.apply(mask, weights)
    fast, reference = (train(model, begun, mask, data, schedule("adam"), seeds, way=w) for w in (way, "autograd"))
    agree(fast, reference, bits=False)
    before, after = weights["fc1.bias"][::2], fast.weights["fc1.bias"][::2]
    assert ((after != before) == (before > 0)).all()  # a unit without inputs goes on being a constant that learns


@pytest.mark.parametrize("way", FAST)
def test_a_teacher_is_listened_to(way):
    model, data, weights = network(40, (30, 20))
    mask = drawn(model, 0.2, 1)
    begun, teacher = masks.apply(mask, weights), Teacher(model, model.initialise(generator(9)), 4.0, 0.9)
    with_teacher, reference, without = (
        train(model, begun, mask, data, schedule("adam"), seeds, way=w, teacher=t)
        for w, t in ((way, teacher), ("autograd", teacher), (way, None))
    )
    agree(with_teacher, reference, bits=False)
    assert digest(with_teacher.weights) != digest(without.weights)


@pytest.mark.parametrize("way", FAST)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_resuming_is_never_having_stopped(way, optimiser):
    model, data, weights = network(40, (30, 20))
    mask, states = drawn(model, 0.1, 1), []
    begun = masks.apply(mask, weights)
    whole = train(
        model, begun, mask, data, schedule(optimiser), seeds, way=way, on_evaluation=lambda _, s: states.append(s())
    )
    for state in states:
        agree(train(model, begun, mask, data, schedule(optimiser), seeds, way=way, resume=state), whole, bits=True)


@pytest.mark.parametrize("way", FAST)
def test_what_a_step_shows_is_whole_and_the_pruned_are_zero_in_it(way):
    model, data, weights = network(40, (30, 20))
    mask, seen = drawn(model, 0.1, 1), []

    def on_step(iteration, live, state):
        live = live()
        assert {name: tensor.shape for name, tensor in live.items()} == {n: t.shape for n, t in weights.items()}
        assert all((live[name][~alive].view(torch.int32) == 0).all() for name, alive in mask.items())
        seen.append(digest(live))

    train(model, masks.apply(mask, weights), mask, data, schedule("adam"), seeds, way=way, on_step=on_step)
    assert len(set(seen)) == 30


@pytest.mark.parametrize("way", ["autograd", *FAST])
def test_pruned_weights_are_zero_even_where_training_diverges(way):
    model, data, weights = network(40, (30, 20))
    mask = drawn(model, 0.2, 1)
    hot = replace(schedule("sgd, clipped"), learning_rate=1e30)
    trained = train(model, masks.apply(mask, weights), mask, data, hot, seeds, way=way)
    assert trained.diverged_at == 10
    assert masks.pruned_are_zero(mask, trained.weights)


@pytest.mark.parametrize("way", FAST)
def test_what_a_step_remembers_is_as_large_as_what_survives(way):
    """Momentum of weights that are gone would be memory for nothing."""
    model, data, weights = network(40, (30, 20))
    mask = drawn(model, 0.1, 1)
    mask["fc1.weight"][10:] = False
    states = []
    train(
        model, masks.apply(mask, weights), mask, data, schedule("adam"), seeds, way=way,
        on_evaluation=lambda _, state: states.append(state()),
    )  # fmt: skip
    size = states[-1].optimiser["fc1.weight/exp_avg"].numel()
    alive = mask["fc1.weight"]
    assert size == int(alive.sum()) if way == "sparse" else size <= 10 * 40


LENET = build("mlp", (1, 28, 28), 10, widths=(300, 100), initialisation="glorot_normal")
ADAM = Schedule("adam", 1.2e-3, 60, 100, 100)


@pytest.mark.parametrize("density, way", [(1.0, "by hand"), (0.5, "by hand"), (0.2, "sparse"), (0.01, "sparse")])
def test_lenet_is_sparse_where_few_weights_are_left(density, way):
    assert ways.choose(LENET, drawn(LENET, density, 0), ADAM, CPU) == way


def test_the_way_follows_from_network_mask_and_schedule():
    few = drawn(LENET, 0.01, 0)
    assert ways.choose(LENET, None, ADAM, CPU) == "by hand"
    small = build("mlp", (1, 8, 8), 10, widths=(32,), initialisation="glorot_normal")
    assert ways.choose(small, drawn(small, 0.01, 0), ADAM, CPU) == "by hand"  # its steps are overhead
    assert ways.choose(LENET, few, ADAM, torch.device("cuda")) == "autograd"
    assert ways.choose(LENET, few, replace(ADAM, precision="bfloat16"), CPU) == "autograd"
    dropping = build("mlp", (1, 28, 28), 10, widths=(300, 100), dropout=0.1, initialisation="glorot_normal")
    assert ways.choose(dropping, few, ADAM, CPU) == "autograd"
    conv = build("lenet5", (1, 28, 28), 10, initialisation="glorot_normal")
    assert ways.choose(conv, masks.ones(conv), ADAM, CPU) == "autograd"


@pytest.mark.parametrize("share", [0.5, 0.25, 0.1])
def test_where_whole_units_are_gone_the_rest_is_computed_by_hand(share):
    """What is left is dense: CSR takes 1.2 to 1.8 times as long."""
    mask = masks.ones(LENET)
    for layer in LENET.layers[:-1]:
        mask[layer.weight][int(share * layer.shape[0]) :] = False
    assert ways.choose(LENET, mask, ADAM, CPU) == "by hand"


def test_without_mkl_nothing_is_sparse(monkeypatch):
    """torch has no CSR products then."""
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert ways.choose(LENET, drawn(LENET, 0.01, 0), ADAM, CPU) == "by hand"


def test_bfloat16_rounds_and_tf32_does_nothing_on_a_cpu():
    model, data, weights = network(40, (30, 20))
    plain, tf32, bfloat16 = (
        train(model, weights, None, data, replace(schedule("adam"), precision=precision), seeds)
        for precision in ("float32", "tf32", "bfloat16")
    )
    agree(plain, tf32, bits=True)
    assert digest(bfloat16.weights) != digest(plain.weights)
    assert all(tensor.dtype == torch.float32 for tensor in bfloat16.weights.values())
    assert bfloat16.rows[-1]["train_loss"] == pytest.approx(plain.rows[-1]["train_loss"], rel=0.02)


@pytest.mark.parametrize("way", ["autograd", *FAST])
def test_weights_are_laid_under_their_mask_and_a_layer_without_one_is_whole(way):
    model, data, weights = network(40, (30, 20))
    mask = drawn(model, 0.2, 1)
    under = train(model, masks.apply(mask, weights), mask, data, schedule("adam"), seeds, way=way)
    agree(train(model, weights, mask, data, schedule("adam"), seeds, way=way), under, bits=True)
    one = {"fc1.weight": mask["fc1.weight"]}
    whole = masks.ones(model) | one
    agree(
        train(model, weights, one, data, schedule("adam"), seeds, way=way),
        train(model, weights, whole, data, schedule("adam"), seeds, way=way),
        bits=True,
    )


@pytest.mark.parametrize("way", FAST)
def test_an_evaluation_takes_no_more_images_at_once_than_autograds(way, monkeypatch):
    """Wide images would take gigabytes: 1,000 of 3 × 224 × 224 are 600 MB."""
    monkeypatch.setattr(evaluation, "ACTIVATIONS", 5 * 40)  # 5 images
    most = []
    torch_cross_entropy = evaluation.cross_entropy

    def watched(logits, labels, **options):
        most.append(len(labels))
        return torch_cross_entropy(logits, labels, **options)

    monkeypatch.setattr(evaluation, "cross_entropy", watched)
    model, data, weights = network(40, (30, 20))
    train(model, weights, drawn(model, 0.1, 1), data, schedule("adam"), seeds, way=way)
    assert max(most) == 5
