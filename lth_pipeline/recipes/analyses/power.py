"""What a training is taken to draw: an assumption, nothing is measured. docs/verdict.md says so where it is used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: of a CPU, for each thread in use: a core's share of a server's socket (200 to 360 W for 24 to 64 cores)
WATTS_A_THREAD = 10.0
#: of a GPU, by words of its name, the longest that it has: the most that its maker lets it draw
WATTS_OF_GPU = {
    "H200": 700.0,
    "H100 PCIe": 350.0,
    "H100 NVL": 400.0,
    "H100": 700.0,
    "A100": 400.0,
    "V100": 300.0,
    "L40S": 350.0,
    "L40": 300.0,
    "L4": 72.0,
    "T4": 70.0,
    "RTX 4090": 450.0,
}
WATTS_OF_OTHERS = 300.0  # a GPU that is not among them


def watts(route: Mapping[str, Any]) -> float:
    """Of the route of a training, all its processes together. Of networks that train side by side the seconds that are
    recorded are shares, so that each is charged for its own."""
    one = _of_gpu(route["processor"]) if route["device"] == "cuda" else WATTS_A_THREAD * route["threads"]
    return one * route.get("processes", 1)


def device(route: Mapping[str, Any]) -> str:
    """In words, with what it is taken to draw: "AMD EPYC, 1 thread (10 W)"."""
    threads = f", {route['threads']} thread{'s' if route['threads'] > 1 else ''}" if route["device"] == "cpu" else ""
    processes = f", {route['processes']} processes" if route.get("processes", 1) > 1 else ""
    return f"{route['processor']}{threads}{processes} ({watts(route):g} W)"


def _of_gpu(name: str) -> float:
    """Words end where neither letter nor digit follows: an L40 is no L4, an "A100-SXM4-80GB" is an A100."""
    known = [words for words in WATTS_OF_GPU if re.search(rf"(?<![A-Za-z0-9]){words}(?![A-Za-z0-9])", name)]
    return WATTS_OF_GPU[max(known, key=len)] if known else WATTS_OF_OTHERS
