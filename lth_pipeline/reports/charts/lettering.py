"""How wide words are in a picture, and where they break."""

from __future__ import annotations

import functools
import re

TITLE, PANEL_TITLE, LABEL, TICK, LEGEND, SMALL = 10.0, 9.0, 8.5, 7.5, 8.0, 6.5  # points
LINE = 1.3  # a line of text is so many times its letters' size high


def literal(text: str) -> str:
    """The words as they are: "$" begins no formula."""
    return text.replace("$", r"\$")


@functools.lru_cache(maxsize=4096)
def width(text: str, size: float) -> float:
    """Of the longest line, in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    font = FontProperties(size=size)
    return max(TextToPath().get_text_width_height_descent(line, font, False)[0] for line in text.split("\n")) / 72


def height(text: str, size: float) -> float:
    """Of all its lines, in inches; none for no text."""
    return (text.count("\n") + 1) * size * LINE / 72 if text else 0.0


def wrapped(text: str, size: float, inches: float) -> str:
    """The text in lines of at most `inches`; a longer word breaks at "_", "/", ".", or wherever it must."""
    lines, line = [], ""
    for piece in _pieces(text, size, inches):
        if line and width(line + piece.rstrip(), size) > inches:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return "\n".join([*lines, line.rstrip()])


def _pieces(text: str, size: float, inches: float) -> list[str]:
    pieces = []
    for word in re.findall(r"\S+\s*|\s+", text):
        if width(word.rstrip(), size) <= inches:
            pieces.append(word)
            continue
        for part in re.findall(r"[^_/.]*[_/.]\s*|[^_/.]+", word):
            whole = width(part.rstrip(), size) <= inches
            pieces += [part] if whole else list(part)
    return pieces
