"""What all settings share: frozen, strict, and the kinds of numbers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def number(value: Any) -> Any:
    """YAML 1.1 reads 2e-4 (no point) as text; a person means the number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("every entry may stand here once")
    return values


Count = Annotated[int, Field(ge=1, le=10**9)]
#: of what is made one by one as soon as a card is looked at: partitions, steps, layers
Few = Annotated[int, Field(ge=1, le=1000)]
Number = Annotated[float, BeforeValidator(number), Field(allow_inf_nan=False)]
PositiveNumber = Annotated[Number, Field(gt=0)]
Rate = Annotated[Number, Field(ge=0, lt=1)]


def setting(default: Any = ..., *, description: str, source: str = "", **bounds: Any) -> Any:
    """A field of a card. source: where it, or its usual value, comes from; docs/settings.md shows it."""
    return Field(default, description=description, json_schema_extra={"source": source}, **bounds)


class Settings(BaseModel):
    """Frozen; unknown keys and wrong types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FieldFault(ValueError):
    """Raised in a validator of several fields, to name the one at fault."""

    def __init__(self, field: str, value: object, expected: str):
        super().__init__(expected)
        self.field, self.value, self.expected = field, value, expected
