"""Paths whose plane, distances and directions are known."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.lottery.analysis import path
from lth_pipeline.lottery.randomness import generator


def followed(points: torch.Tensor) -> tuple[path.Plane, path.Course, torch.Tensor]:
    differences = points - points[-1]
    products = path.gram(differences)
    return path.plane(differences, products), path.course(products), differences


@given(st.integers(0, 500), st.integers(0, 30000), st.integers(3, 60))
def test_iterations_reach_from_first_to_last_and_are_no_more_than_asked_for(first, length, most):
    found = path.iterations_to_see(first, first + length, most)
    assert (found[0], found[-1]) == (first, first + length)
    assert found == sorted(set(found)) and len(found) <= most


def test_iterations_are_closer_at_the_beginning():
    found = path.iterations_to_see(0, 4000)
    assert found[:4] == [0, 1, 2, 4] and len(found) > 35
    assert max(b - a for a, b in pairwise(found)) <= 4000 / 19 + 1


def test_few_points_are_kept_of_a_large_network():
    assert path.points_that_fit(1000) == path.MOST
    assert 3 <= path.points_that_fit(25_000_000) < 10
    assert path.points_that_fit(10**9) == 3


def test_a_path_in_a_plane_is_found_there(monkeypatch):
    monkeypatch.setattr(path, "COLUMNS", 7)  # in several pieces
    draws = generator(0)
    ways = torch.linalg.qr(torch.randn(50, 2, generator=draws)).Q.T
    points = torch.randn(9, 2, generator=draws) @ ways + torch.randn(50, generator=draws)
    plane, course, differences = followed(points)
    assert sum(plane.shares) == pytest.approx(1.0, abs=1e-6)
    torch.testing.assert_close(plane.axes @ plane.axes.T, torch.eye(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(plane.coordinates.float() @ plane.axes, differences, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(course.to_end.float(), differences.norm(dim=1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(course.from_start.float(), (points - points[0]).norm(dim=1), atol=1e-5, rtol=1e-4)
    steps = points.diff(dim=0)
    cosines = torch.cosine_similarity(steps[:-1], steps[1:]).double()
    torch.testing.assert_close(course.cosine[1:-1], cosines, atol=1e-5, rtol=1e-4)
    assert course.cosine[[0, -1]].isnan().all()


def test_a_path_begins_on_the_positive_side():
    for sign in (1.0, -1.0):
        points = sign * torch.randn(6, 20, generator=generator(1)).cumsum(0)
        assert (followed(points)[0].coordinates[0] >= 0).all()


def test_a_straight_path_has_one_direction_and_does_not_turn():
    points = torch.arange(5.0)[:, None] * torch.randn(30, generator=generator(2))
    plane, course, _ = followed(points)
    assert plane.shares == pytest.approx((1.0, 0.0), abs=1e-6) and not plane.axes[1].any()
    torch.testing.assert_close(course.cosine[1:-1], torch.ones(3, dtype=torch.float64), atol=1e-4, rtol=0)


def test_a_training_that_went_nowhere_is_no_error():
    plane, course, _ = followed(torch.ones(3, 4))
    assert plane.shares == (0.0, 0.0) and not plane.coordinates.any() and not course.from_start.any()
    assert course.cosine.isnan().all()
