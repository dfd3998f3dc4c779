"""The path of a training through the space of its parameters: when to look, and what the points say together."""

from __future__ import annotations

from typing import NamedTuple

import torch

MOST = 40  # points of a path
ROOM = 3 * 2**26  # elements of all points (0.75 GiB of float32)
COLUMNS = 2**18  # that are made float64 at once


class Plane(NamedTuple):
    """The plane through the last point in which the path lies best (Li et al. 2018, §7).

    axes: float32 (2, n), orthonormal, but zero where the path has fewer dimensions. coordinates: float64 (points, 2),
    of the last (0, 0). shares: of the squared distances from the last point, that each axis explains.
    """

    axes: torch.Tensor
    coordinates: torch.Tensor
    shares: tuple[float, float]


class Course(NamedTuple):
    """Float64 (points,) each, Euclidean. cosine: between the step that leads to a point and the next; NaN at the ends,
    and where it went nowhere."""

    from_start: torch.Tensor
    to_end: torch.Tensor
    cosine: torch.Tensor


def iterations_to_see(first: int, last: int, most: int = MOST) -> list[int]:
    """`first`, `last` and at most `most` in all, half of them evenly apart, half ever closer towards the first."""
    length, half = last - first, max(1, (most - 1) // 2)
    even = {first + (length * place) // half for place in range(half + 1)}
    early = {first + round(length ** (place / half)) for place in range(half)} if length else set()
    return sorted(even | early)


def points_that_fit(parameters: int) -> int:
    """How many points of so many parameters may be kept."""
    return max(3, min(MOST, ROOM // parameters))


def gram(differences: torch.Tensor) -> torch.Tensor:
    """float64 (points, points): the inner products of the rows of float32 (points, n)."""
    found = torch.zeros(len(differences), len(differences), dtype=torch.float64)
    for columns in differences.split(COLUMNS, dim=1):
        exact = columns.double()
        found += exact @ exact.T
    return found


def plane(differences: torch.Tensor, products: torch.Tensor) -> Plane:
    """differences: float32 (points, n), each point less the last. products: their `gram`."""
    values, vectors = torch.linalg.eigh(products)
    values, vectors = values[-2:].flip(0).clamp_min(0), vectors[:, -2:].flip(1)
    total = float(products.trace())
    real = values > 1e-12 * max(total, 1e-300)
    lengths = torch.where(real, values.sqrt(), torch.zeros_like(values))
    coordinates = vectors * lengths
    sides = torch.where(coordinates[0] < 0, -1.0, 1.0)  # every path begins on the same side
    scale = torch.where(real, sides / lengths.clamp_min(1e-300), torch.zeros_like(lengths))
    axes = ((vectors * scale).float().T @ differences) if bool(real.any()) else torch.zeros(2, differences.shape[1])
    shares = tuple(float(value) / total if total else 0.0 for value in lengths**2)
    return Plane(axes, coordinates * sides, shares)


def course(products: torch.Tensor) -> Course:
    """Distances and directions, from the `gram` of the differences to the last point."""
    squares = products.diagonal()
    from_start = (squares + squares[0] - 2 * products[0]).clamp_min(0).sqrt()
    steps = products[1:, 1:] + products[:-1, :-1] - products[1:, :-1] - products[:-1, 1:]  # of the differences
    lengths = steps.diagonal().clamp_min(0).sqrt()
    cosine = torch.full((len(products),), float("nan"), dtype=torch.float64)
    if len(products) > 2:
        cosine[1:-1] = steps.diagonal(1) / (lengths[:-1] * lengths[1:])
    return Course(from_start, squares.sqrt(), cosine)
