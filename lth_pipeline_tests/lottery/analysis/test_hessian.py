"""Curvature against known matrices, and against autograd's own Hessian."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from lth_pipeline.lottery.analysis import gradient_norm, hessian
from lth_pipeline.lottery.analysis.gradient_norm import gradients, norms
from lth_pipeline.lottery.analysis.hessian import hessian_product, top_eigenvalues, trace
from lth_pipeline.lottery.analysis.survivors import gathered, places, spread
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator
from lth_pipeline_tests.lottery.networks import images, lively, network
from lth_pipeline_tests.lottery.small import DATA, MODEL, WEIGHTS, half_mask

MASK = half_mask()
PRUNED = masks.apply(MASK, WEIGHTS)
WHERE = places(MODEL, PRUNED, MASK)


def whole_hessian() -> torch.Tensor:
    """Of the mean loss of DATA.train with respect to the survivors' vector, by torch itself."""

    def loss(vector):
        return cross_entropy(MODEL.logits(spread(WHERE, vector), DATA.train.images), DATA.train.labels)

    return torch.autograd.functional.hessian(loss, gathered(WHERE, PRUNED))


def matrix(size: int, seed: int) -> torch.Tensor:
    """Symmetric, with eigenvalues of both signs."""
    drawn = torch.randn(size, size, generator=generator(seed))
    return (drawn + drawn.T) / 2


@pytest.mark.parametrize("graph", [2**22, 100])
def test_products_are_those_with_the_whole_hessian(graph, monkeypatch):
    """At once with a graph that is kept, and in several chunks without."""
    monkeypatch.setattr(gradient_norm, "GRAPH", graph)
    product, expected = hessian_product(MODEL, PRUNED, WHERE, DATA.train), whole_hessian()
    for column in (0, WHERE.size // 2, WHERE.size - 1):
        unit = torch.zeros(WHERE.size)
        unit[column] = 1
        torch.testing.assert_close(product(unit), expected[column], atol=1e-6, rtol=1e-4)


def test_its_eigenvalues_and_trace_are_those_of_the_whole_hessian():
    product, expected = hessian_product(MODEL, PRUNED, WHERE, DATA.train), torch.linalg.eigvalsh(whole_hessian())
    found = top_eigenvalues(product, WHERE.size, generator(1))
    assert found.values == pytest.approx(expected[-3:].flip(0).tolist(), rel=1e-3)
    mean, error = trace(product, WHERE.size, generator(2), samples=200)
    assert abs(mean - float(expected.sum())) < 4 * error


def test_batch_norm_and_convolutions_are_curved_as_differences_of_gradients_say():
    model = network("resnet_cifar", (3, 8, 8))
    weights = lively(model)
    part = Part(images(6, (3, 8, 8)), torch.arange(6))
    where = places(model, weights, None)
    before = {name: tensor.clone() for name, tensor in weights.items()}
    along = torch.randn(where.size, generator=generator(3)).double()
    far = 1e-7  # so little that no ReLU turns

    def slope(step: float) -> torch.Tensor:
        moved = {**weights, **spread(where, gathered(where, weights) + step * along)}
        return gathered(where, gradients(model, moved, part, where)[1])

    curved = hessian_product(model, weights, where, part)(along)
    torch.testing.assert_close(
        curved, (slope(far) - slope(-far)) / (2 * far), rtol=1e-3, atol=1e-3 * curved.abs().max()
    )
    assert all(torch.equal(weights[name], before[name]) for name in before)


@given(st.integers(1, 30), st.integers(1, 5), st.integers(0, 10**6))
def test_the_greatest_eigenvalues_of_any_matrix(size, count, seed):
    known = matrix(size, seed)
    expected = torch.linalg.eigvalsh(known.double()).flip(0)[:count]
    found = top_eigenvalues(lambda vector: known @ vector, size, generator(seed), count=count)
    assert found.values == pytest.approx(expected.tolist(), abs=1e-2 * float(expected.abs().max()) + 1e-5)
    assert len(found.values) == len(found.residuals) == min(size, count)


@given(st.integers(10, 30), st.integers(1, 12), st.integers(0, 10**6))
def test_an_eigenvalue_lies_within_each_residual_however_soon_it_ends(size, most, seed):
    known = matrix(size, seed)
    every = torch.linalg.eigvalsh(known.double())
    found = top_eigenvalues(lambda vector: known @ vector, size, generator(seed), most=most, tolerance=0.0)
    assert found.products <= most
    for value, residual in zip(found.values, found.residuals, strict=True):
        assert float((every - value).abs().min()) <= residual + 1e-4


def test_a_basis_that_does_not_fit_is_begun_again_with_the_best(monkeypatch):
    known = torch.diag(torch.cat([torch.tensor([9.0, 7.0, 6.0]), torch.linspace(-1, 5.5, 197)]))
    expected = [9.0, 7.0, 6.0]
    whole = top_eigenvalues(lambda vector: known @ vector, 200, generator(0))
    monkeypatch.setattr(hessian, "BASIS", 12 * 200)
    found = top_eigenvalues(lambda vector: known @ vector, 200, generator(0))
    assert found.values == pytest.approx(expected, rel=1e-3) and whole.values == pytest.approx(expected, rel=1e-3)
    assert found.products > 12


def test_a_space_that_closes_early_is_left():
    known = torch.diag(torch.tensor([3.0] * 2 + [0.0] * 8))  # two dimensions to a random start
    found = top_eigenvalues(lambda vector: known @ vector, 10, generator(0))
    assert found.values[0] == pytest.approx(3.0) and all(-1e-5 < value < 3.001 for value in found.values)


def test_no_curvature_is_no_error():
    found = top_eigenvalues(torch.zeros_like, 10, generator(0))
    assert found.values == pytest.approx([0.0] * 3) and found.residuals == pytest.approx([0.0] * 3)


def test_the_trace_of_a_diagonal_matrix_is_exact():
    known = torch.arange(10.0)
    assert trace(lambda vector: known * vector, 10, generator(0)) == pytest.approx((45.0, 0.0))


def test_gradients_are_those_of_autograd_tensor_by_tensor():
    live = {name: tensor.clone().requires_grad_() for name, tensor in PRUNED.items()}
    loss = cross_entropy(MODEL.logits(live, DATA.train.images), DATA.train.labels)
    loss.backward()
    mean, found = gradients(MODEL, PRUNED, DATA.train, WHERE)
    assert mean == pytest.approx(loss.item())
    lengths = norms(WHERE, found)
    for name, tensor in live.items():
        alive = tensor.grad[MASK[name]] if name in MASK else tensor.grad
        assert lengths[name] == pytest.approx(float(alive.norm()), rel=1e-4)
