"""Where the words of level rules stand: beside the line, and on no curve."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from lth_pipeline.reports.charts.chart import Axis, Lines, Rule
from lth_pipeline.reports.charts.extent import extent, lines_x, lines_y, rules_at

BESIDE = 0.015  # a marker on the rule reaches into its words
STEPS = 12  # places looked at between two points of a line
ENDS = (0.01, 0.2, 0.4, 0.6, 0.8)  # where words may begin, left first
POINT, BETWEEN, BAND, RULE = 6.0, 1.0, 0.5, 2.0  # what it costs to cover a marker, a line, a band's edge, another rule


class Spot(NamedTuple):
    """left: where the words begin, a share of the panel's width. above: not under the rule. free: on no curve."""

    left: float
    above: bool
    free: bool


class _Seen(NamedTuple):
    x: float
    y: float
    weight: float


def spots(panel: Lines, size: Callable[[str], tuple[float, float]]) -> dict[int, Spot]:
    """{number of a level rule with words: where they stand}. size: how wide and high words are, shares of the panel."""
    along = _share(panel.x, extent(panel.x, [*lines_x(panel), *rules_at(panel, "x")]))
    up = _share(panel.y, extent(panel.y, [*lines_y(panel), *rules_at(panel, "y")]))
    seen = list(_seen(panel, along, up))
    found: dict[int, Spot] = {}
    for number, rule in enumerate(panel.rules):
        at = up(rule.at) if rule.across == "y" and rule.say else None
        if at is None:
            continue
        others = [s for other in panel.rules if other is not rule for s in _rule(other, along, up)]
        found[number], box = _best(at, size(rule.say), [*seen, *others])
        corners = [_Seen(x, y, POINT) for x in _between(box[0], box[1], 9) for y in _between(box[2], box[3], 3)]
        seen += corners  # the words of the next rule stand elsewhere
    return found


def _best(at: float, size: tuple[float, float], seen: Sequence[_Seen]) -> tuple[Spot, tuple]:
    wide, high = min(size[0], 0.97), size[1]
    tried = []
    starts = sorted({min(end, 0.99 - wide) for end in ENDS} | {0.99 - wide})
    for place, left in enumerate(starts):
        for above in (True, False):
            box = (left, left + wide, at - BESIDE, at + high) if above else (left, left + wide, at - high, at + BESIDE)
            if at + high > 1 if above else at - high < 0:
                continue
            covered = sum(s.weight for s in seen if box[0] <= s.x <= box[1] and box[2] <= s.y <= box[3])
            tried.append((covered, place, not above, box))
    if not tried:  # a rule at the edge of a very low panel
        return Spot(starts[0], True, False), (starts[0], starts[0] + wide, at, at + high)
    covered, _, under, box = min(tried)
    return Spot(box[0], not under, covered == 0), box


def _seen(panel: Lines, along: Callable, up: Callable) -> Iterator[_Seen]:
    for line in panel.lines:
        points = [(along(x), up(y)) for x, y in zip(line.x, line.y, strict=True)]
        yield from (_Seen(*point, POINT) for point in points if None not in point)
        if line.style != "points":
            yield from _joined(points, BETWEEN)
        for ends in (line.low, line.high):
            if ends is not None:
                yield from _joined([(along(x), up(y)) for x, y in zip(line.x, ends, strict=True)], BAND)


def _rule(rule: Rule, along: Callable, up: Callable) -> list[_Seen]:
    at = (along if rule.across == "x" else up)(rule.at)
    if at is None:
        return []
    return [_Seen(at, t, RULE) if rule.across == "x" else _Seen(t, at, RULE) for t in _between(0, 1, 60)]


def _joined(points: Sequence[tuple], weight: float) -> Iterator[_Seen]:
    for (x, y), (x2, y2) in pairwise(points):
        if None not in (x, y, x2, y2):
            yield from (
                _Seen(a, b, weight) for a, b in zip(_between(x, x2, STEPS), _between(y, y2, STEPS), strict=True)
            )


def _between(start: float, stop: float, count: int) -> list[float]:
    return [start + (stop - start) * place / (count - 1) for place in range(count)]


def _share(axis: Axis, ends: tuple[float, float]) -> Callable[[float | None], float | None]:
    """Of a value, how far it is along the axis, from left to right or from bottom to top; None where it is nowhere."""
    scale = math.log10 if axis.log else float
    low, high = scale(ends[0]), scale(ends[1])

    def share(value: float | None) -> float | None:
        if value is None or not math.isfinite(value) or (axis.log and value <= 0) or high == low:
            return None
        part = (scale(value) - low) / (high - low)
        return 1 - part if axis.falling else part

    return share
