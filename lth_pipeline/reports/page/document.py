"""The HTML document: one file, scripts and styles inside, closed to every network by its own security policy."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from html import escape
from importlib import resources

from lth_pipeline.reports.charts.palette import on_dark
from lth_pipeline.reports.page.contents import Chapter, Page
from lth_pipeline.reports.page.entries import Anchors, entry_html
from lth_pipeline.reports.page.figures import Drawings


def page(contents: Page) -> str:
    """The whole page, some 5 MB: 4.8 of them are plotly's script, which draws the charts. The same text every time."""
    drawings, anchors = Drawings(), Anchors()
    chapters = [_chapter(chapter, drawings, anchors) for chapter in contents.chapters]
    scripts = [_own("theme.js"), plotly(), _own("page.js")]
    data = {"charts": drawings.specs, "colours": on_dark()}
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy(scripts)}">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(contents.title)} · lottery tickets</title>",
            f"<style>{_own('page.css')}</style>",
            f"<script>{scripts[0]}</script>",
            "<noscript><style>.plots,.legend,#theme{display:none!important}</style></noscript>",
            "</head>",
            "<body>",
            '<a class="skip" href="#main">Skip to the report</a>',
            _head(contents),
            '<div class="columns">',
            _contents(contents.chapters, anchors),
            '<main id="main" tabindex="-1">',
            _noscript(contents),
            _in_short(contents.chapters, anchors),
            *chapters,
            "</main>",
            "</div>",
            f"<footer><p>{escape(contents.footer)}</p></footer>" if contents.footer else "",
            f'<script type="application/json" id="data">{embedded(data)}</script>',
            f"<script>{scripts[1]}</script>",
            f"<script>{scripts[2]}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


@functools.cache
def plotly() -> str:
    from plotly.offline import get_plotlyjs

    return _closed(get_plotlyjs())


def policy(scripts: list[str]) -> str:
    """Nothing may be fetched, and no script runs but these: plotly sets styles, and pictures to save are data."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def embedded(data: object) -> str:
    """JSON that may stand inside <script>: nothing in it ends the element or begins a comment."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _own(name: str) -> str:
    return _closed(resources.files("lth_pipeline.reports.page").joinpath(name).read_text(encoding="utf-8"))


def _closed(text: str) -> str:
    """A script or style that would end its own element would break the page: better none at all. A browser reads
    "\\r\\n" as "\\n", and the policy's hashes are of what it reads."""
    lower = text.lower()
    if "</script" in lower or "<!--" in lower or "</style" in lower:
        raise ValueError("a script or style of the report page holds </script, </style or <!--: it cannot be inlined")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _head(contents: Page) -> str:
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in contents.notes)
    subtitle = f'<p class="subtitle">{escape(contents.subtitle)}</p>' if contents.subtitle else ""
    return (
        f'<header><div class="bar"><h1>{escape(contents.title)}</h1>'
        '<button id="theme" type="button" aria-pressed="false">Dark</button></div>'
        f'<p class="lead">{escape(contents.lead)}</p>{subtitle}{notes}</header>'
    )


def _contents(chapters, anchors: Anchors) -> str:
    parts = []
    for chapter in chapters:
        entries = chapter.entries if len(chapter.entries) > 1 else ()  # one alone has no heading of its own
        inner = "".join(f'<li><a href="#{anchors.of(entry.name)}">{escape(entry.title)}</a></li>' for entry in entries)
        parts.append(
            f'<li><a href="#{anchors.of(chapter.title)}">{escape(chapter.title)}</a>'
            f"{f'<ol>{inner}</ol>' if inner else ''}</li>"
        )
    if any(chapter.in_short for chapter in chapters):
        parts.insert(0, '<li><a href="#short">In short</a></li>')
    return (
        '<nav aria-label="Contents"><details id="contents" open><summary>Contents</summary>'
        f"<ol>{''.join(parts)}</ol></details></nav>"
    )


def _in_short(chapters, anchors: Anchors) -> str:
    """What each analysis found, with a link to where it is told and drawn."""
    found = [entry for chapter in chapters if chapter.in_short for entry in chapter.entries if entry.section]
    items = "".join(
        f'<li><a href="#{anchors.of(entry.name)}">{escape(entry.title)}</a>: {escape(entry.section.headline)}</li>'
        for entry in found
        if entry.section.headline
    )
    if not items:
        return ""
    return f'<section class="short" aria-labelledby="short"><h2 id="short">In short</h2><ul>{items}</ul></section>'


def _noscript(contents: Page) -> str:
    where = f" The figures are pictures, too: {escape(contents.where)}." if contents.where else ""
    return (
        '<noscript><p class="note">The figures are drawn by JavaScript, which is off here; their numbers are in the '
        f"tables below each.{where}</p></noscript>"
    )


def _chapter(chapter: Chapter, drawings: Drawings, anchors: Anchors) -> str:
    anchor = anchors.of(chapter.title)
    lead = f'<p class="lead">{escape(chapter.lead)}</p>' if chapter.lead else ""
    under = anchor if len(chapter.entries) == 1 else None
    return "\n".join(
        [
            f'<section class="chapter" aria-labelledby="{anchor}"><h2 id="{anchor}">{escape(chapter.title)}</h2>{lead}',
            *(entry_html(entry, drawings, anchors, under) for entry in chapter.entries),
            "</section>",
        ]
    )
