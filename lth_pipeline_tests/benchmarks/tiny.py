"""What a benchmark measures, so small that it takes milliseconds."""

from math import isfinite

from benchmarks import lenet

WORK = lenet.work(lenet.random_images(700, 600), note="random", train=600, widths=(16, 8))


def all_positive(figures) -> bool:
    """Never how large: a test's machine is busy."""
    return bool(figures) and all(isfinite(one["value"]) and one["value"] > 0 for one in figures.values())
