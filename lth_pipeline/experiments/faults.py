"""What pydantic finds wrong with a card, in words for the person who wrote it."""

from __future__ import annotations

from typing import Any

from lth_pipeline.experiments.errors import MISSING, Fault
from lth_pipeline.experiments.fields import did_you_mean, keys_at, meaning
from lth_pipeline.experiments.settings import FieldFault
from lth_pipeline.experiments.sweeps import LONGEST


def fault_of(entry: dict[str, Any], file: str) -> Fault:
    """entry: one of ValidationError.errors(); file: the card's name, for a fault of it."""
    location = [str(part) for part in entry["loc"]]
    if len(location) > 1 and location[-1] == "[key]" and entry["type"] != "extra_forbidden":
        location.pop()  # pydantic's mark for "the key, not the value"
    field, value, kind = ".".join(location), entry["input"], entry["type"]
    cause = entry.get("ctx", {}).get("error")
    if isinstance(cause, FieldFault):
        return Fault(".".join([*location, cause.field]), cause.value, cause.expected)
    if field == "name":
        expected = f"the file's name {file!r} must be lower-case letters, digits and _, and begin with a letter"
        if len(str(value)) > LONGEST:
            expected += f", and have at most {LONGEST} characters before its ending; it has {len(value)}"
        return Fault("", MISSING, expected)
    if kind == "invalid_key":
        return Fault(field, MISSING, "keys are words; write it in quotes if it is one")
    if kind == "extra_forbidden":
        return unknown_key(location, value)
    if kind == "missing":
        return Fault(field, MISSING, f"is missing; give it a value ({meaning(location)})")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Fault(field, value, "must be a mapping of settings")
    return Fault(field, value, _expected(entry))


def unknown_key(location: list[str], value: object) -> Fault:
    known = keys_at(location[:-1])
    return Fault(".".join(location), value, f"unknown key;{did_you_mean(location[-1], known)}")


def _expected(entry: dict[str, Any]) -> str:
    context = entry.get("ctx", {})
    bounds = {
        "greater_than": "above",
        "greater_than_equal": "at least",
        "less_than": "below",
        "less_than_equal": "at most",
    }
    if entry["type"] in bounds:
        limit = next(iter(context.values()))
        return f"must be {bounds[entry['type']]} {limit:g}"
    if entry["type"] == "literal_error":
        return f"must be one of {context['expected']}"
    if entry["type"].startswith("int"):
        return "must be a whole number"
    if entry["type"].startswith("float") or entry["type"] == "finite_number":
        return "must be a finite number"
    return entry["msg"].removeprefix("Value error, ")
