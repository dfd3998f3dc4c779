"""The parts of a chapter as HTML: what was found, its figures, its tables, what can be downloaded."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from lth_pipeline.reports.analyses.section import Section, Shown
from lth_pipeline.reports.page.contents import Entry, KeyValues, Link
from lth_pipeline.reports.page.figures import Drawings

LARGEST = 200_000  # bytes of a table that a page carries


class Anchors:
    """A name in the page for every title; the same title has the same one, two titles never."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def of(self, title: str) -> str:
        if title not in self.found:
            word = re.sub(r"[^a-z0-9_]+", "-", title.lower()).strip("-") or "part"
            taken, number = set(self.found.values()) | {"main", "theme", "data", "contents"}, 2
            anchor = word
            while anchor in taken:
                anchor, number = f"{word}-{number}", number + 1
            self.found[title] = anchor
        return self.found[title]


def entry_html(entry: Entry, drawings: Drawings, anchors: Anchors) -> str:
    anchor = anchors.of(entry.name)
    question = f'<p class="question">{escape(entry.question)}</p>' if entry.question else ""
    note = f'<p class="note">{escape(entry.note)}</p>' if entry.note else ""
    return "\n".join(
        [
            f'<section class="entry" aria-labelledby="{anchor}"><h3 id="{anchor}">{escape(entry.title)}</h3>',
            question + note,
            _section(entry.section, drawings) if entry.section else "",
            *(key_values(table) for table in entry.tables),
            links(entry.links),
            downloads(entry.csv),
            "</section>",
        ]
    )


def _section(section: Section, drawings: Drawings) -> str:
    return "\n".join(
        [
            f'<p class="headline">{escape(section.headline)}</p>' if section.headline else "",
            *(f"<p>{escape(text)}</p>" for text in section.text),
            *(drawings.figure(chart) for chart in section.charts),
            *(table(shown) for shown in section.shown),
        ]
    )


def table(shown: Shown) -> str:
    """A table in a box that scrolls sideways by itself, also by keys. Numbers stand right."""
    rights = [_numeric(row[place] for row in shown.rows) for place in range(len(shown.columns))]
    head = "".join(_cell("th scope=col", name, right) for name, right in zip(shown.columns, rights, strict=True))
    body = "".join(
        f"<tr>{''.join(_cell('td', cell, right) for cell, right in zip(row, rights, strict=True))}</tr>"
        for row in shown.rows
    )
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(shown.caption)}"><table>'
        f"<caption>{escape(shown.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(tag: str, text: object, right: bool) -> str:
    return f"<{tag}{' class=n' if right else ''}>{escape(str(text))}</{tag.split()[0]}>"


def _numeric(cells: Iterable[object]) -> bool:
    """Whether a column holds numbers, with or without unit and spread: "−0.3 ± 0.1", "1,024", "51.2 %"."""
    there = [str(cell).strip() for cell in cells if str(cell).strip() not in ("", "-", "–", "—")]
    return bool(there) and all(re.match(r"^[+\-−±<>≤≥≈ ]*\d[\d,.\s±×/()%+\-−–e⁰¹²³⁴-⁹⁻]*$", cell) for cell in there)


def key_values(values: KeyValues) -> str:
    tag = ("<code>", "</code>") if values.code else ("", "")
    rows = "".join(
        f"<tr><th scope=row>{tag[0]}{escape(str(name))}{tag[1]}</th><td>{escape(str(value))}</td></tr>"
        for name, value in values.rows
    )
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(values.caption)}"><table class="pairs">'
        f"<caption>{escape(values.caption)}</caption><tbody>{rows}</tbody></table></div>"
    )


def links(given: Sequence[Link]) -> str:
    """Web addresses and files beside the page; of any other address ("javascript:…") just the words."""
    items = "".join(f"<li>{_link(link)}</li>" for link in given)
    return f"<ul class=links>{items}</ul>" if items else ""


def _link(link: Link) -> str:
    scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", link.address, re.IGNORECASE)
    if (scheme and scheme[1].lower() not in ("http", "https")) or link.address.strip().startswith("//"):
        return f"{escape(link.title)}: {escape(link.address)}"
    return f'<a href="{escape(link.address.strip())}" rel="noopener noreferrer">{escape(link.title)}</a>'


def downloads(files: Mapping[str, bytes | str]) -> str:
    """Tables as files, inside the page where they are small."""
    items = []
    for name, content in files.items():
        raw = content.encode() if isinstance(content, str) else content
        size = f"{max(1, round(len(raw) / 1000)):,} kB"
        if len(raw) > LARGEST:
            items.append(f"<li>{escape(name)} ({size}) is too large for this page; it lies beside the pictures</li>")
            continue
        address = f"data:text/csv;base64,{base64.b64encode(raw).decode()}"
        items.append(f'<li><a download="{escape(name)}" href="{address}">{escape(name)}</a> ({size})</li>')
    return f'<ul class="downloads">{"".join(items)}</ul>' if items else ""
