"""The route: on what, and how, an artifact was computed. Same route and type of processor, same bits."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.recipes.errors import DeviceError


def choose_device(device: str) -> torch.device:
    """ "auto" is the first CUDA device, or the CPU where there is none."""
    if device == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    chosen = torch.device(device)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"device {device!r}: torch finds no CUDA device here; use auto or cpu")
    if chosen.type == "cuda" and chosen.index is not None and chosen.index >= torch.cuda.device_count():
        last = f"cuda:{torch.cuda.device_count() - 1}"
        raise DeviceError(f"device {device!r}: the last that torch finds here is {last}; use auto or that")
    return chosen


#: the version of what the loops do in which order: rounding differs between two of them, and nothing else (else CODE
#: is raised). 2: fully connected networks are stepped by hand, evaluations take 1,000 images a pass.
ARITHMETIC = 2


def route(device: torch.device, **training: Any) -> dict[str, Any]:
    """Recorded with each artifact. training: of one, its way, precision, networks_together, and how many processes made
    it where these are several."""
    return {
        "device": device.type,
        "processor": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "precision": "float32",
        "networks_together": 1,
        "torch": torch.__version__,
        **({"arithmetic": ARITHMETIC, **training} if training else {}),
    }


def in_words(route: Mapping[str, Any]) -> str:
    """What a person wants to know of the route of a training: "cpu, by hand", "cuda, 10 together, bfloat16", "cuda,
    8 processes"."""
    together, processes = route["networks_together"], route.get("processes", 1)
    way = f"{processes} processes" if processes > 1 else route.get("way", "autograd")
    said = [route["device"], f"{together} together" if together > 1 else way]
    return ", ".join(said + ([route["precision"]] if route["precision"] != "float32" else []))


def precision_of(schedule: Schedule, device: torch.device) -> str:
    """What a training computes in: a CPU has no TF32."""
    return "float32" if schedule.precision == "tf32" and device.type == "cpu" else schedule.precision


def processor() -> str:
    """The CPU's model name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
