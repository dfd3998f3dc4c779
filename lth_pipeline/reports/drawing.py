"""What all figures share: matplotlib without a screen, and pictures as bytes."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUICK = "quick run, not the paper's protocol"  # said beside everything that a quick card gave
INK, FAINT = "#222222", "#999999"


def figure(width: float, height: float, title: str = "", right: float = 0.25) -> tuple[Figure, Axes]:
    """A figure of width × height inches with one set of axes. No pyplot: no global state, no display.

    right: the margin for a second axis, in inches. Margins are fixed:
    finding them by layout draws each figure three times (0.25 s instead of 0.09 s).
    """
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), facecolor="white")
    axes = drawn.add_axes((0.72 / width, 0.5 / height, 1 - (0.72 + right) / width, 1 - 0.85 / height))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#eeeeee")
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8)
    if title:
        # a letter is about 0.58 of its size wide; a given place need not be looked for
        size = min(10.0, 72 * (width - 0.8) / (0.58 * len(title)))
        axes.set_title(title, fontsize=size, loc="left", color=INK, y=1.02)
    return drawn, axes


def mark(drawn: Figure, notes: Sequence[str]) -> None:
    """Say in the picture itself what must be said beside it."""
    for place, note in enumerate(notes):
        height = (0.04 + 0.1 * place) / drawn.get_figheight()  # inches from the lower edge, beside the axis's name
        drawn.text(0.995, height, note, ha="right", va="bottom", fontsize=6.5, color="#B45309")


def png(drawn: Figure, dpi: int = 110) -> bytes:
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def svg(drawn: Figure) -> str:
    """SVG for a page: without the XML head, the same text each time."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "lth", "svg.fonttype": "none"}):
        drawn.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def markdown_picture(content: bytes, alt: str) -> str:
    """The picture inside the text, for pages that show Markdown and have no file to link to."""
    return f"![{alt}](data:image/png;base64,{base64.b64encode(content).decode()})"
