"""Tables of a page: boxes that scroll sideways by themselves, numbers that stand right, long ones folded."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from lth_pipeline.reports.analyses.section import Shown
from lth_pipeline.reports.page.contents import KeyValues

LONG = 12  # rows; longer tables are folded
BLANK = ("", "-", "–", "—", "never", "none")
NUMBER = re.compile(
    r"^[+\-−±<>≤≥≈~ ]*\d"  # "−0.3", "< 1 %"
    r"(?:[\d,.\s±×/()%+\-−–e⁰¹²³⁴-⁹⁻]|\b(?:to|of)\b)*"  # "0.1 ± 0.2", "3 of 5", "2 × 10⁹"
    r"[^\W\d_]{0,5}(?:/[^\W\d_]{1,5})?"  # "17.8 s", "3 kWh", "12 MB/s"
    r"(?:\s*±\s*[\d,.]+\s*[^\W\d_]{0,5})?$"  # "1.2 s ± 0.3 s"
)


def table(shown: Shown) -> str:
    rights = [numeric(row[place] for row in shown.rows) for place in range(len(shown.columns))]
    head = "".join(_cell("th scope=col", name, right) for name, right in zip(shown.columns, rights, strict=True))
    body = "".join(
        f"<tr>{''.join(_cell('td', cell, right) for cell, right in zip(row, rights, strict=True))}</tr>"
        for row in shown.rows
    )
    return folded(shown.caption, f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>", len(shown.rows))


def key_values(values: KeyValues) -> str:
    tag = ("<code>", "</code>") if values.code else ("", "")
    rows = "".join(
        f"<tr><th scope=row>{tag[0]}{escape(str(name))}{tag[1]}</th><td>{escape(str(value))}</td></tr>"
        for name, value in values.rows
    )
    return folded(values.caption, f"<tbody>{rows}</tbody>", 0 if values.unfolded else len(values.rows), "pairs")


def folded(caption: str, content: str, rows: int, kind: str = "") -> str:
    """The table; where it is long, closed behind its caption. Find-in-page opens it again."""
    if rows <= LONG:
        return f'<p class="caption">{escape(caption)}</p>{boxed(caption, content, kind)}'
    said = f'{escape(caption)} <span class="rows">{rows} rows</span>'
    return f'<details class="folded"><summary>{said}</summary>{boxed(caption, content, kind)}</details>'


def boxed(caption: str, content: str, kind: str = "") -> str:
    """A table in a box that scrolls by itself, also by keys; its caption stands outside, where it stays in sight."""
    label, own = escape(caption), f' class="{kind}"' if kind else ""
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{label}">'
        f'<table{own} aria-label="{label}">{content}</table></div>'
    )


def with_names(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Head and body of a table of numbers whose rows have names. name: of those."""
    head = "".join(f"<th scope=col>{escape(text)}</th>" for text in (name, *columns))
    body = "".join(
        f"<tr><th scope=row>{escape(row[0])}</th>{''.join(f'<td class=n>{escape(cell)}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"


def numeric(cells: Iterable[object]) -> bool:
    """Whether a column holds numbers, with or without unit and spread: "−0.3 ± 0.1", "1,024", "28.5 ± 17.8 s"."""
    there = [text for cell in cells if (text := str(cell).strip()) not in BLANK]
    return bool(there) and all(NUMBER.match(text) for text in there)


def _cell(tag: str, text: object, right: bool) -> str:
    return f"<{tag}{' class=n' if right else ''}>{escape(str(text))}</{tag.split()[0]}>"
