"""Settings as lines: dotted field and value, with the meaning where it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from lth_pipeline.experiments.settings import Experiment


def flatten(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted name, value) of nested mappings."""
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def described(experiment: Experiment) -> Iterator[tuple[str, str, str]]:
    """(field, value, meaning) of every setting; the name, the description and the place in a sweep are none."""
    plain = experiment.model_copy(update={"sweep": None})
    for field, value, meaning in _fields(plain, ""):
        if field not in ("name", "description", "sweep"):
            yield field, value, meaning


def _fields(settings: BaseModel, prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            yield from _fields(value, f"{prefix}{name}.")
        elif isinstance(value, dict):
            yield (
                f"{prefix}{name}",
                ", ".join(f"{key}: {entry:g}" for key, entry in value.items()),
                field.description or "",
            )
        elif isinstance(value, tuple):
            yield f"{prefix}{name}", ", ".join(str(entry) for entry in value), field.description or ""
        elif isinstance(value, bool):
            yield f"{prefix}{name}", str(value).lower(), field.description or ""
        else:
            yield f"{prefix}{name}", "–" if value is None else str(value), field.description or ""
