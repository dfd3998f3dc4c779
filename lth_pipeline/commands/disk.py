"""Disk space in words."""

from __future__ import annotations


def in_words(size: float) -> str:
    """Bytes in decimal units: 812 B, 4.1 kB, 37.0 MB, 2.5 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.95 or unit == "GB":
            return f"{size:,.0f} B" if unit == "B" else f"{size:,.1f} {unit}"
        size /= 1000
    raise AssertionError
