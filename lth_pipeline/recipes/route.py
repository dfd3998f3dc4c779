"""The route: on what, and how, an artifact was computed. Same route and type of processor, same bits."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

from lth_pipeline.recipes.errors import DeviceError


def choose_device(device: str) -> torch.device:
    """ "auto" is the first CUDA device, or the CPU where there is none."""
    if device == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    chosen = torch.device(device)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"device {device!r}: torch finds no CUDA device here; use auto or cpu")
    return chosen


def route(device: torch.device) -> dict[str, Any]:
    """Recorded with each artifact."""
    return {
        "device": device.type,
        "processor": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "precision": "float32",
        "networks_together": 1,
        "torch": torch.__version__,
    }


def processor() -> str:
    """The CPU's model name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
