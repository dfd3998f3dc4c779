"""A yardstick as a command: measure, print, write down."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from importlib import import_module

from benchmarks.machine import busy, measured
from benchmarks.results import Figures, ResultsError, met, record, shown
from benchmarks.timing import one_thread


def command(name: str, arguments: list[str] | None = None) -> None:
    """Run the module `name` of benchmarks: its `figures()`."""
    module = import_module(f"benchmarks.{name}")
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=module.__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dry-run", action="store_true", help="print the figures, write nothing down")
    asked = parser.parse_args(arguments)
    one_thread()
    before = busy()
    tell(measure(name), write=not asked.dry_run, note=before)


def asked_for(names: Collection[str], description: str | None) -> argparse.Namespace:
    """The command line of what has several parts: names (none: all), dry_run."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(names)}; left out: all")
    parser.add_argument("--dry-run", action="store_true", help="print the figures, write nothing down")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(names):
        parser.error(f"no {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    return asked


def measure(name: str) -> Figures:
    """The figures of one yardstick; where its two sides do not do the same work, an error and status 1."""
    from benchmarks.agreement import Disagreement

    try:
        return import_module(f"benchmarks.{name}").figures()
    except Disagreement as error:
        sys.exit(f"{name}: {error}")


def tell(found: Figures, write: bool, note: str = "") -> None:
    """Print `found`, and write it down. note: on how it was measured."""
    for name, one in found.items():
        value = "—" if one["value"] is None else shown(one["value"])
        judged = {True: "met", False: "NOT met", None: ""}[met(one)]
        target = f"  (target {one['target']:g}: {judged})" if judged else ""
        print(f"{name}: {value} {one['unit']}{target}{'  ' + one['note'] if one.get('note') else ''}")
    if write:
        try:
            record(found, measured(note))
        except ResultsError as error:
            sys.exit(str(error))
