"""The one error that a wrong card gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One wrong setting: the field as a dotted path, the value found, and what would be right."""

    field: str
    value: object
    expected: str


class CardError(Exception):
    """A card cannot be used. Its text names the file, and for every fault the line, field, value and remedy."""

    def __init__(self, file: str, faults: list[Fault], lines: dict[str, int] | None = None):
        self.file, self.faults = file, faults
        super().__init__("\n".join(self._sentence(fault, lines or {}) for fault in faults))

    def _sentence(self, fault: Fault, lines: dict[str, int]) -> str:
        line = _line(fault.field, lines)
        where = f"{self.file}, line {line}" if line else self.file
        value = "" if fault.value is MISSING else f" = {_short(fault.value)}"
        field = f"{fault.field}{value}: " if fault.field else ""
        return f"{where}: {field}{fault.expected}"


def _line(field: str, lines: dict[str, int]) -> int | None:
    """Of a setting that is written in a short way (`ticket_from: registry:…`), the line of that."""
    group = field.rpartition(".")[0]
    if field in lines or any(other.startswith(f"{group}.") for other in lines):
        return lines.get(field)
    return lines.get(group)


#: the value of a field that is not there
MISSING = object()


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}…"
