"""Where the numbers of contours stand: on their lines, inside the frame, apart from each other and from a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

APART, EDGE, OFF_PATH = 0.16, 0.07, 0.07  # of the field's size: from another number, the frame, the path


def contour_words(
    outlines: Mapping[float, Sequence], x: tuple[float, float], y: tuple[float, float], path=None
) -> dict[float, tuple[float, float]]:
    """{level: where its number stands}; a level that has no room goes without.

    outlines: {level: its lines, each an array of points × 2}. x, y: from where to where the field goes. path: (xs, ys).
    """
    import numpy as np

    low, size = np.array([x[0], y[0]]), np.array([x[1] - x[0], y[1] - y[0]])
    way = None if not path else _dense((np.array(path, dtype=float).T - low) / size)
    taken: list[np.ndarray] = []
    found = {}
    for level in sorted(outlines, key=lambda level: -max((len(line) for line in outlines[level]), default=0)):
        points = np.concatenate([np.empty((0, 2)), *(np.asarray(line) for line in outlines[level])])
        at = (points - low) / size
        room = np.minimum(at, 1 - at).min(axis=1, initial=1.0) / EDGE
        if way is not None:
            room = np.minimum(room, _nearest(at, way) / OFF_PATH)
        if taken:
            room = np.minimum(room, _nearest(at, np.array(taken)) / APART)
        if len(room) and room.max() >= 1:
            best = int(np.minimum(room, 3.0).argmax())
            taken.append(at[best])
            found[level] = (float(points[best][0]), float(points[best][1]))
    return found


def _nearest(points, others):
    """Of each point the distance to the nearest of the others."""
    import numpy as np

    return np.linalg.norm(points[:, None, :] - others[None, :, :], axis=2).min(axis=1)


def _dense(way, between: int = 8):
    """The way with points between its points."""
    import numpy as np

    if len(way) < 2:
        return way
    steps = np.linspace(0, 1, between, endpoint=False)[:, None, None]
    return np.concatenate([(way[None, :-1] + steps * np.diff(way, axis=0)[None]).reshape(-1, 2), way[-1:]])
