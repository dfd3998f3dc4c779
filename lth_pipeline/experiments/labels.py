"""Values as parts of names: stable, whatever else a list holds."""

from __future__ import annotations

import re
from typing import Any


def label_of(field: str, value: Any) -> str | None:
    """`learning_rate_0p01`: the last part of the field and the value; None where the value is a mapping."""
    part = _part(value)
    return None if part is None else f"{field.rpartition('.')[2]}_{part}"


def written(value: Any) -> str:
    """The value as tables show it; numbers that are the same are written the same."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(written, value)) or "empty"
    number = _number(value)
    return str(value) if number is None else _digits(number)


def _part(value: Any) -> str | None:
    if isinstance(value, dict):
        return None
    if isinstance(value, list):
        parts = [_part(entry) for entry in value]
        return None if None in parts else "_".join(parts) or "empty"
    text = written(value)
    if _number(value) is not None:  # 0.01: 0p01; 1e-05: 1e_05; -1: minus_1
        return re.sub("^-", "minus_", text).replace(".", "p").replace("-", "_")
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_") or None


def _number(value: Any) -> float | int | None:
    """YAML 1.1 reads 2e-4 (no point) as text; a person means the number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _digits(number: float) -> str:
    try:
        text = repr(number)
    except ValueError:  # a whole number of thousands of digits
        return "huge"
    return text.removesuffix(".0").replace("e+", "e")
