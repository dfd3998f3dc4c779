"""Every setting that a card may have, read off the settings themselves; docs/settings.md is made of it.

python -m lth_pipeline.experiments.reference > docs/settings.md
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lth_pipeline.experiments.fields import FILLED_IN, MATRIX
from lth_pipeline.experiments.settings import Experiment

HEAD = """\
# Every setting

Made from the code by `python -m lth_pipeline.experiments.reference`; `lth show` prints the same. How cards are written,
inherited and checked: [cards.md](cards.md). A setting that has no effect beside the others of its card is refused, with
the line and the remedy.

"""


@dataclass(frozen=True)
class Entry:
    """One setting. field: dotted; values: what it may be, in words; default: "required" where there is none."""

    field: str
    values: str
    default: str
    meaning: str
    source: str


MATRIX_ENTRY = Entry(
    MATRIX,
    "for each setting that is varied: a list of values, or label: value; `variants`: label: partial card",
    "none",
    "a sweep: one experiment for each combination of the values (docs/sweeps.md)",
    "",
)


def entries(settings: type[BaseModel] = Experiment, prefix: str = "") -> Iterator[Entry]:
    """Every setting, in the order of the cards; a group of settings is entered, not listed."""
    for name, field in settings.model_fields.items():
        if not prefix and name in FILLED_IN:
            continue  # not a line of a card
        group = next((part for part in _parts(field.annotation) if _is_settings(part)), None)
        if group and field.is_required():
            yield from entries(group, f"{prefix}{name}.")
            continue
        yield Entry(prefix + name, _values(field), _default(field), field.description or "", _source(field))
        if group:
            yield from entries(group, f"{prefix}{name}.")
    if not prefix:
        yield MATRIX_ENTRY


def page() -> str:
    """docs/settings.md."""
    lines = ["| setting | values | default | meaning | source |", "|---|---|---|---|---|"]
    for entry in entries():
        cells = (f"`{entry.field}`", entry.values, entry.default, entry.meaning, entry.source)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return HEAD + "\n".join(lines) + "\n"


def _source(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra.get("source", "")) if isinstance(extra, dict) else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "none" if value in (None, "") else str(value).lower()


def _values(field: FieldInfo) -> str:
    said = [_words(part, bounds) for part, bounds in _choices(field.annotation, list(field.metadata))]
    return " or ".join(dict.fromkeys(said))


def _choices(annotation: Any, bounds: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """The types that a field may have, None aside, each with its bounds."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *metadata = get_args(annotation)
        yield from _choices(inner, [*metadata, *bounds])
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _choices(part, bounds)
    elif annotation is not type(None):
        yield annotation, bounds


def _words(kind: Any, bounds: list[Any]) -> str:
    origin = get_origin(kind)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if origin is tuple:
        ((inner, inner_bounds),) = _choices(get_args(kind)[0], [])
        return f"list of {_words(inner, inner_bounds)}"
    if origin is dict:
        key, value = get_args(kind)
        ((inner, inner_bounds),) = _choices(value, [])
        return f"for each of {_words(key, [])}: {_words(inner, inner_bounds)}"
    if kind is bool:
        return "`true`, `false`"
    if kind is str:
        return "text"
    if _is_settings(kind):
        return "a group"
    return ("whole number" if kind is int else "number") + _range(bounds)


def _range(bounds: list[Any]) -> str:
    limits: dict[str, float] = {}
    for bound in (inner for outer in bounds for inner in (outer, *getattr(outer, "metadata", ()))):
        for name in ("gt", "ge", "lt", "le"):
            if getattr(bound, name, None) is not None:
                limits[name] = getattr(bound, name)
    words = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
    said = [
        f"{words[name]} {limit:,.0f}" if limit >= 1e5 else f"{words[name]} {limit:g}"
        for name, limit in ((name, limits[name]) for name in words if name in limits)
        if limit < 1e9
    ]
    text = " ".join(said)
    return f" {text}" if text else ""


def _parts(annotation: Any) -> Iterator[Any]:
    for kind, _ in _choices(annotation, []):
        yield kind


def _is_settings(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


if __name__ == "__main__":
    print(page(), end="")
