"""Curvature of the mean loss over what survives: the greatest eigenvalues of its Hessian, and its trace.

Unlike a filter-normalised surface it is no property of the function alone: ReLU networks can be scaled layer by layer
to any sharpness without changing what they compute (Dinh et al. 2017).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from lth_pipeline.lottery.analysis.gradient_norm import images_of_a_graph, leaves, losses
from lth_pipeline.lottery.analysis.survivors import Places, gathered, spread
from lth_pipeline.lottery.data.dataset import Part
from lth_pipeline.lottery.models.model import Model, Tensors

#: v (n,) -> Hv (n,), H symmetric
Product = Callable[[torch.Tensor], torch.Tensor]

BASIS = 2**28  # elements of all vectors that `top_eigenvalues` keeps (1 GiB)


class Eigenvalues(NamedTuple):
    """values: the greatest, falling. residuals: ‖Hv − λv‖ of each: an eigenvalue lies no farther than that from it.
    products: how often H was multiplied with a vector."""

    values: list[float]
    residuals: list[float]
    products: int


def hessian_product(model: Model, weights: Tensors, where: Places, part: Part) -> Product:
    """Products with the Hessian of the mean cross-entropy over `part` at `weights`, restricted to what survives."""
    live = leaves(weights, where)
    leaving = [live[name] for name in where.shapes]

    def slopes():
        for loss in losses(model, live, part):
            yield torch.autograd.grad(loss, leaving, create_graph=True, materialize_grads=True)

    small = len(part) <= images_of_a_graph(model, part)
    with torch.enable_grad():
        kept = list(slopes()) if small else None  # one graph for all products, which then take half the time

    @torch.enable_grad()
    def product(vector: torch.Tensor) -> torch.Tensor:
        along = list(spread(where, vector).values())
        found = torch.zeros_like(vector)
        for slope in kept if small else slopes():
            curved = torch.autograd.grad(slope, leaving, grad_outputs=along, retain_graph=small, materialize_grads=True)
            found += gathered(where, dict(zip(where.shapes, curved, strict=True)))
        return found

    return product


@torch.no_grad()
def top_eigenvalues(
    product: Product,
    size: int,
    draws: torch.Generator,
    *,
    count: int = 3,
    tolerance: float = 1e-3,
    most: int = 100,
    device: torch.device | str = "cpu",
) -> Eigenvalues:
    """The `count` greatest eigenvalues (fewer where H is smaller) by Lanczos with full reorthogonalisation, restarted
    with the best vectors where the basis would not fit (thick restart; Wu & Simon 2000).

    Ends when each residual is at most `tolerance` times the greatest eigenvalue, or after `most` products. An
    eigenvalue that stands clear of the others is far more exact than its residual: its error goes with the square.
    """
    room = max(2 * count + 2, min(most, BASIS // size, size))
    basis = torch.empty(min(room, size), size, device=device)
    projected = torch.zeros(len(basis), len(basis), dtype=torch.float64)
    basis[0] = _fresh(basis[:0], draws)
    filled = 1
    for products in range(1, most + 1):
        rest = product(basis[filled - 1])
        column = torch.zeros(filled, dtype=torch.float64)
        for _ in range(2):  # once leaves what rounding has put back
            part = basis[:filled] @ rest
            rest = rest - part @ basis[:filled]
            column += part.cpu().double()
        projected[:filled, filled - 1] = projected[filled - 1, :filled] = column
        beyond = float(rest.norm())
        values, vectors = torch.linalg.eigh(projected[:filled, :filled])
        best = list(range(filled - 1, max(-1, filled - 1 - count), -1))
        residuals = [beyond * abs(float(vectors[-1, place])) for place in best]
        scale = max(abs(float(values[-1])), 1e-30)
        done = filled == size or (filled >= count and max(residuals) <= tolerance * scale)
        if done or products == most:
            break
        if filled == len(basis):
            filled = _restart(basis, projected, values, vectors, count + filled // 4)
        # a rest of nothing: the space is closed, and what is missing is not in it
        basis[filled] = rest / beyond if beyond > 1e-6 * scale else _fresh(basis[:filled], draws)
        filled += 1
    return Eigenvalues([float(values[place]) for place in best], residuals, products)


def trace(
    product: Product, size: int, draws: torch.Generator, *, samples: int = 30, device: torch.device | str = "cpu"
) -> tuple[float, float]:
    """(the trace, its standard error) by Hutchinson's estimate: the mean of z · Hz over vectors z of random signs."""
    found = []
    for _ in range(samples):
        signs = torch.randint(2, (size,), generator=draws).to(device).float() * 2 - 1
        found.append(float(signs.double() @ product(signs).double()))
    each = torch.tensor(found, dtype=torch.float64)
    return float(each.mean()), float(each.std() / samples**0.5)


def _fresh(basis: torch.Tensor, draws: torch.Generator) -> torch.Tensor:
    """A random unit vector (n,) orthogonal to the rows of `basis` (k, n)."""
    drawn = torch.randn(basis.shape[1], generator=draws).to(basis.device)
    for _ in range(2):
        drawn = drawn - (basis @ drawn) @ basis
    return drawn / drawn.norm()


def _restart(
    basis: torch.Tensor, projected: torch.Tensor, values: torch.Tensor, vectors: torch.Tensor, keep: int
) -> int:
    """Puts the `keep` best vectors at the head of the basis; how many it has now."""
    best = vectors[:, -keep:].float().to(basis.device)
    basis[:keep] = best.T @ basis
    projected.zero_()
    projected[:keep, :keep] = torch.diag(values[-keep:])
    return keep
