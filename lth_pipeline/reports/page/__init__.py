"""The report: one HTML page that a person reads, and that asks nothing of any network."""

from lth_pipeline.reports.page.contents import Chapter, Entry, KeyValues, Link, Page
from lth_pipeline.reports.page.document import page

__all__ = ["Chapter", "Entry", "KeyValues", "Link", "Page", "page"]
