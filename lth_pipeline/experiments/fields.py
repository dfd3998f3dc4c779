"""The fields that a card may have, found by walking the settings themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from lth_pipeline.experiments.settings import Experiment

#: fields of an experiment that the loader fills in and no card writes
FILLED_IN = {"name", "sweep"}
#: what a card may hold beside the settings of an experiment
MATRIX = "matrix"


def keys_at(path: Sequence[str]) -> list[str]:
    """What may stand under `path`, a group of settings; nothing where it is none."""
    if not path:
        return [*(name for name in Experiment.model_fields if name not in FILLED_IN), MATRIX]
    return list(dict.fromkeys(key for kind in _kinds(path) for key in _keys(kind)))


def every_field(path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every setting and every group of them, as dotted names."""
    for key in keys_at(path):
        if key != MATRIX:
            yield ".".join((*path, key))
            yield from every_field((*path, key))


def is_field(name: str) -> bool:
    """Whether `name` is a setting or a group, or an entry of a mapping whose keys are free."""
    *path, last = name.split(".")
    return last in keys_at(path) or any(get_origin(kind) is dict and not _keys(kind) for kind in _kinds(path))


def meaning(path: Sequence[str]) -> str:
    """What a setting is for; "required" where nothing is said."""
    for kind in _kinds(path[:-1]):
        if isinstance(kind, type) and issubclass(kind, BaseModel) and path[-1] in kind.model_fields:
            return kind.model_fields[path[-1]].description or "required"
    return "required"


def did_you_mean(word: str, known: Collection[str]) -> str:
    return f"{guess(word, known)} There {'are' if len(known) != 1 else 'is'}: {', '.join(sorted(known))}"


def guess(word: str, known: Collection[str]) -> str:
    """ " did you mean …?" where there is something close, dotted names by their last part too."""
    close = get_close_matches(word, known, n=1) or [name for name in known if name.rpartition(".")[2] == word]
    return f" did you mean {close[0]}?" if close else ""


def _kinds(path: Sequence[str]) -> list[Any]:
    """The groups of settings (models and mappings) that may stand at `path`."""
    kinds: list[Any] = [Experiment]
    for part in path:
        fields = (kind.model_fields.get(part) for kind in kinds if isinstance(kind, type))
        kinds = [kind for field in fields if field for kind in _groups(field.annotation)]
    return kinds


def _groups(annotation: Any) -> Iterator[Any]:
    if (isinstance(annotation, type) and issubclass(annotation, BaseModel)) or get_origin(annotation) is dict:
        yield annotation
    elif get_origin(annotation) is not Literal:
        for argument in get_args(annotation):
            yield from _groups(argument)


def _keys(kind: Any) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return list(kind.model_fields)
    return [str(key) for key in get_args(get_args(kind)[0])]  # a mapping whose keys are a Literal's
