"""The figures in results.json, and the table of them in RESULTS.md.

A figure: {value, unit, target, measured}, and a `note` where something must be said. What was never measured has the
value null. RESULTS.md is written by hand but for what stands between the two markers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lth_pipeline.files import write_atomically

FOLDER = Path(__file__).resolve().parent
BEGIN, END = "<!-- figures: written by python -m benchmarks -->", "<!-- end of the figures -->"
#: units of which more is better; of the others (ratio, s), less is
MORE_IS_BETTER = ("×", "share")
DIGITS = 4  # significant

Figure = dict[str, Any]
Figures = dict[str, Figure]


class ResultsError(Exception):
    """A file of results that cannot be read; the message names it and says what would be right."""


def figure(value: float | None, unit: str, target: float | None = None, note: str = "") -> Figure:
    """value: None where it could not be measured; `note` says why."""
    rounded = None if value is None else float(f"{value:.{DIGITS}g}")
    return {"value": rounded, "unit": unit, "target": target, **({"note": note} if note else {})}


def record(found: Mapping[str, Figure], measured: str, folder: Path = FOLDER) -> Figures:
    """Put `found` in the place of the figures of those names, keep the others, write both files; gives all."""
    page = folder / "RESULTS.md"
    head, tail = _around(page)
    kept = read(folder)
    for name, one in found.items():
        if one["value"] is None and kept.get(name, {}).get("value") is not None:
            continue  # what was measured elsewhere is worth more than that it cannot be here
        kept[name] = {**one, "measured": None if one["value"] is None else measured}
    lines = [f"{json.dumps(name)}: {json.dumps(one, ensure_ascii=False)}" for name, one in kept.items()]
    write_atomically(folder / "results.json", ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    write_atomically(page, f"{head}{BEGIN}\n\n{table(kept)}\n\n{END}{tail}".encode())
    return kept


def read(folder: Path = FOLDER) -> Figures:
    path = folder / "results.json"
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: cannot be read ({error}); it must be JSON, name -> figure") from None
    return checked(found, path)


def checked(found: Any, path: Path) -> Figures:
    """`found`, where it is figures by name."""
    if not isinstance(found, dict):
        raise ResultsError(f"{path}: must be a mapping, name -> figure")
    for name, one in found.items():
        if not isinstance(one, dict) or not {"value", "unit", "target"} <= one.keys():
            raise ResultsError(f"{path}: {name} must be a mapping with value, unit and target")
    return found


def met(one: Figure) -> bool | None:
    """Whether the target is met; None where there is none, or no value."""
    value, target = one["value"], one["target"]
    if value is None or target is None:
        return None
    return value >= target if one["unit"] in MORE_IS_BETTER else value <= target


def table(figures: Mapping[str, Figure]) -> str:
    """All figures in Markdown."""
    head = "| figure | value | unit | target | met | measured |\n|---|---:|---|---:|---|---|"
    return "\n".join([head, *(_row(name, one) for name, one in figures.items())])


def shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10**DIGITS else f"{value:.{DIGITS}g}"


def _row(name: str, one: Figure) -> str:
    value = "—" if one["value"] is None else shown(one["value"])
    sign = "≥" if one["unit"] in MORE_IS_BETTER else "≤"
    target = "" if one["target"] is None else f"{sign} {one['target']:g}"
    says = {True: "yes", False: "**no**", None: ""}[met(one)]
    when = "; ".join(filter(None, (one.get("measured"), one.get("note"))))
    return f"| `{name}` | {value} | {one['unit']} | {target} | {says} | {when} |"


def _around(page: Path) -> tuple[str, str]:
    """What stands before the first marker and after the second."""
    try:
        text = page.read_text()
    except OSError as error:
        raise ResultsError(f"{page}: cannot be read ({error})") from None
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(END) < text.index(BEGIN):
        raise ResultsError(f"{page}: must have the lines {BEGIN!r} and {END!r} once each, the table between them")
    return text.partition(BEGIN)[0], text.partition(END)[2]
