"""How figures are measured: several rounds in which everything takes its turn, and medians of the rounds' ratios."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter

Rounds = Mapping[str, list[float]]


def interleaved(rounds: int, measures: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """{name: what it measured in each round}: A, B, A, B …, so that a slow minute of the machine slows them all."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def ratio(found: Rounds, above: str, below: str) -> float:
    """Median over the rounds of above / below, both of the same round."""
    return median(a / b for a, b in zip(found[above], found[below], strict=True))


def seconds(work: Callable[[], object], times: int) -> float:
    """Of one call, over `times` calls in a row."""
    started = perf_counter()
    for _ in range(times):
        work()
    return (perf_counter() - started) / times


def told(found: Rounds, unit: str = "ms", factor: float = 1e3) -> str:
    """The medians, for a person."""
    return ", ".join(f"{name} {factor * median(values):.3g} {unit}" for name, values in found.items())


def one_thread() -> None:
    """Two OpenMP threads that spin on shared cores cost up to 12 times."""
    import torch

    torch.set_num_threads(1)
