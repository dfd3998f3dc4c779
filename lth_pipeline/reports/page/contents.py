"""What stands on a report page, as data. All of it is plain text: the page escapes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lth_pipeline.reports.analyses.section import Section


@dataclass(frozen=True)
class KeyValues:
    """A table of names and what they are: settings, versions, cost. code: the names are written as code. unfolded: it
    is open however long it is."""

    caption: str
    rows: Sequence[tuple[str, object]]
    code: bool = False
    unfolded: bool = False


@dataclass(frozen=True)
class Link:
    """address: http(s), or a path beside the page. Anything else is shown, but no link."""

    title: str
    address: str


@dataclass(frozen=True)
class Entry:
    """One part of a chapter. name: of the analysis, a word of letters, digits and "_": what a link to it ends with.
    question: what it answers. section: what was found; None: `note` says why there is nothing. note: said above it in
    any case. csv: {file name: content}, offered for download where small; beside: the folders beside the page that have
    the others. tables, links: below the section."""

    name: str
    title: str
    question: str = ""
    section: Section | None = None
    note: str = ""
    csv: Mapping[str, bytes | str] = field(default_factory=dict)
    beside: Sequence[Link] = ()
    tables: Sequence[KeyValues] = ()
    links: Sequence[Link] = ()


@dataclass(frozen=True)
class Chapter:
    """in_short: whether the top of the page tells what its entries found."""

    title: str
    entries: Sequence[Entry]
    lead: str = ""
    in_short: bool = False


@dataclass(frozen=True)
class Page:
    """title, lead: the experiment and what it is. subtitle: data set, iterations, n, seed. notes: sentences that must
    be said above all. where: where the pictures and tables lie as files ("in MLflow, run …"). footer: its last line."""

    title: str
    lead: str
    chapters: Sequence[Chapter]
    subtitle: str = ""
    notes: Sequence[str] = ()
    where: str = ""
    footer: str = ""
