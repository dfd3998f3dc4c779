"""The short set: every yardstick that takes seconds, each in a process of its own.

    python -m benchmarks                      # all, into results.json and RESULTS.md: under five minutes on two cores
    python -m benchmarks steps evaluations    # those
    python -m benchmarks --dry-run            # print only

What takes longer is measured by commands of its own (benchmarks.pipeline, benchmarks.images, benchmarks.gpu) and stays
in the table as it was.
"""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec

from benchmarks.command import asked_for
from benchmarks.machine import ROOT, machine
from benchmarks.results import FOLDER, ResultsError, read

SHORT = ("steps", "evaluations", "convolutions", "processes", "memory", "scale")
ONE = "from benchmarks.command import command; import sys; command(sys.argv[1], sys.argv[2:])"


def main() -> None:
    asked = asked_for(SHORT, __doc__)
    try:
        read()  # now rather than after minutes
    except ResultsError as error:
        sys.exit(str(error))
    print(machine(), flush=True)
    started, failed = time.perf_counter(), []
    for name in asked.names or [name for name in SHORT if find_spec(f"benchmarks.{name}")]:
        began = time.perf_counter()
        print(f"\n{name}", flush=True)
        options = ["--dry-run"] if asked.dry_run else []
        if subprocess.run([sys.executable, "-c", ONE, name, *options], cwd=ROOT).returncode:
            failed.append(name)
        print(f"({time.perf_counter() - began:.0f} s)", flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s; all figures: {FOLDER / 'RESULTS.md'}")
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
