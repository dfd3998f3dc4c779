"""Where and when a figure was measured."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = ("benchmarks/RESULTS.md", "benchmarks/results.json")  # by the benchmarks themselves: they make nothing dirty


def environment(home: str | Path) -> dict[str, str]:
    """Of a process in a `home` of its own, with the data sets of this one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LTH_", "MLFLOW_", "DAGSTER_"))}
    data = os.environ.get("LTH_DATA_DIR", str(ROOT / "data"))
    return {**kept, "LTH_HOME": str(home), "LTH_DATA_DIR": data, "LTH_DEVICE": "cpu"}


def machine() -> str:
    """The processor, its cores, torch; where there is one, the GPU."""
    import torch

    from lth_pipeline.recipes.route import processor

    gpu = f", {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else ""
    return f"{processor()}, {os.cpu_count()} cores{gpu}, torch {torch.__version__}"


def commit() -> str:
    """`git describe`, with a + where a tracked file was changed since; "no git" outside a checkout."""
    try:
        name = _git("describe", "--always", "--tags")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *(f":!{path}" for path in WRITTEN))
    except (OSError, subprocess.CalledProcessError):
        return "no git"
    return f"{name}+" if changed else name


def busy() -> str:
    """What to say where more has run in the last minute than the cores have room for; a yardstick before this one has
    kept two busy at most."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    return f"busy with other work too (load {load:.1f})" if load > cores else ""


def measured(note: str = "") -> str:
    """Date, commit, machine: what stands beside each figure."""
    today = datetime.now(UTC).date().isoformat()
    return "; ".join(filter(None, (f"{today}, {commit()}", machine(), note)))


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
