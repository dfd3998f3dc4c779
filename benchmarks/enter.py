"""Writes down figures that were measured on another machine.

    python -m benchmarks.gpu > gpu.json        # there
    python -m benchmarks.enter gpu.json        # here: into results.json and RESULTS.md

The file: name -> {value, unit, target}, and under "machine" where that was. Date and commit are this checkout's.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import commit
from benchmarks.results import Figures, ResultsError, checked, record


def enter(path: Path, **options: Path) -> Figures:
    """options: as of `record`."""
    try:
        found = json.loads(path.read_text())
        machine = found.pop("machine")
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise ResultsError(f"{path}: must be JSON, name -> figure, with a machine beside them ({error!r})") from None
    return record(checked(found, path), f"{datetime.now(UTC).date().isoformat()}, {commit()}; {machine}", **options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    try:
        enter(parser.parse_args().file)
    except ResultsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
