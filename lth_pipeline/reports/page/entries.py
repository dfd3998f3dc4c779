"""The parts of a chapter as HTML: what was found, its figures, its tables, what can be downloaded."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape

from lth_pipeline.reports.analyses.section import Section
from lth_pipeline.reports.page.contents import Entry, Link
from lth_pipeline.reports.page.figures import Drawings
from lth_pipeline.reports.page.tables import key_values, table

LARGEST = 200_000  # bytes of a table that a page carries


class Anchors:
    """A name in the page for every title; the same title has the same one, two titles never."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def of(self, title: str) -> str:
        if title not in self.found:
            word = re.sub(r"[^a-z0-9_]+", "-", title.lower()).strip("-") or "part"
            taken, number = set(self.found.values()) | {"main", "theme", "data", "contents", "short"}, 2
            anchor = word
            while anchor in taken:
                anchor, number = f"{word}-{number}", number + 1
            self.found[title] = anchor
        return self.found[title]


def entry_html(entry: Entry, drawings: Drawings, anchors: Anchors, under: str | None = None) -> str:
    """under: the anchor of the chapter's heading where that heads this, its only entry, too."""
    anchor = anchors.of(entry.name)
    heading = "" if under else f'<h3 id="{anchor}">{escape(entry.title)}</h3>'
    own = f'id="{anchor}" aria-labelledby="{under}"' if under else f'aria-labelledby="{anchor}"'
    question = f'<p class="question">{escape(entry.question)}</p>' if entry.question else ""
    note = f'<p class="note">{escape(entry.note)}</p>' if entry.note else ""
    return "\n".join(
        [
            f'<section class="entry" {own}>{heading}',
            question + note,
            _section(entry.section, drawings, 3 if under else 4, bool(entry.csv)) if entry.section else "",
            *(key_values(table) for table in entry.tables),
            links(entry.links),
            downloads(entry.csv, entry.beside),
            "</section>",
        ]
    )


def _section(section: Section, drawings: Drawings, level: int, files: bool) -> str:
    return "\n".join(
        [
            f'<p class="headline">{escape(section.headline)}</p>' if section.headline else "",
            *(f"<p>{escape(text)}</p>" for text in section.text),
            *(drawings.figure(chart, level, files) for chart in section.charts),
            *(table(shown) for shown in section.shown),
        ]
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


def downloads(files: Mapping[str, bytes | str], beside: Sequence[Link] = ()) -> str:
    """Tables as files, inside the page where they are small. beside: the folders that have the others."""
    items = []
    for name, content in files.items():
        raw = content.encode() if isinstance(content, str) else content
        size = f"{max(1, round(len(raw) / 1000)):,} kB"
        if len(raw) > LARGEST:
            where = ", ".join(_link(Link(f"{at.title}/{name}", f"{at.address}/{name}")) for at in beside)
            items.append(f"<li>{escape(name)} ({size}) is too large for this page{where and f': {where}'}</li>")
            continue
        address = f"data:text/csv;base64,{base64.b64encode(raw).decode()}"
        items.append(f'<li><a download="{escape(name)}" href="{address}">{escape(name)}</a> ({size})</li>')
    return f'<ul class="downloads">{"".join(items)}</ul>' if items else ""
