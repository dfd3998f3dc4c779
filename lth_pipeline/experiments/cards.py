"""Cards: YAML files that hold one experiment each, the built-in ones and the user's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from lth_pipeline.experiments.errors import MISSING, CardError, Fault
from lth_pipeline.experiments.settings import Experiment, FieldFault
from lth_pipeline.experiments.yaml_lines import MAX_BYTES, parse

BUILTIN = Path(__file__).parent / "builtin"


#: what a card does not inherit
OWN = {"name", "description", "branch_of", "based_on"}

Check = Callable[[Experiment, Mapping[str, Experiment]], list[Fault]]


def load_cards(folders: list[Path], check: Check) -> dict[str, Experiment]:
    """Every experiment by its name: the built-in ones, then those of `folders` (which need not exist).

    A branch inherits its parent's settings, so parents are read first. Raises CardError, also for what
    `check` finds: the faults of a card that only those see who know the networks and the data.
    """
    files = _files([BUILTIN, *folders])
    raw = {name: _read(path) for name, path in files.items()}
    cards: dict[str, Experiment] = {}
    for name in files:
        _resolve(name, files, raw, cards, ())
    for name, experiment in cards.items():
        faults = check(experiment, cards)
        if faults:
            raise CardError(str(files[name]), faults, raw[name][1])
    return dict(sorted(cards.items()))


def card_error(name: str, folders: list[Path], faults: list[Fault]) -> CardError:
    """The CardError of `faults` that were found after card `name` was loaded, with its file and lines."""
    path = _files([BUILTIN, *folders]).get(name)
    return CardError(str(path), faults, _read(path)[1]) if path else CardError(f"card {name}", faults)


def _files(folders: list[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("[!.]*.y*ml")) if folder.is_dir() else []:
            name = path.stem
            if name in files:
                raise CardError(
                    str(path),
                    [
                        Fault(
                            "",
                            MISSING,
                            f"an experiment {name!r} is there already, in {files[name]}; rename this file",
                        )
                    ],
                )
            files[name] = path
    return files


def _read(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise CardError(str(path), [Fault("", MISSING, f"has more than {MAX_BYTES:,} bytes; this is not a card")])
        return parse(content.decode("utf-8"), str(path))
    except OSError as error:
        raise CardError(str(path), [Fault("", MISSING, f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise CardError(str(path), [Fault("", MISSING, f"is not UTF-8 text (byte {error.start})")]) from error


def _resolve(
    name: str, files: dict[str, Path], raw: dict, cards: dict[str, Experiment], children: tuple[str, ...]
) -> Experiment:
    if name in cards:
        return cards[name]
    content, lines = raw[name]
    inherited = _parent(content)
    if inherited:
        field, parent = inherited
        if "branch_of" in content and "based_on" in content:
            fault = Fault("based_on", parent, "a branch inherits its parent's settings already; leave this out")
            raise CardError(str(files[name]), [fault], lines)
        if parent not in files:
            fault = Fault(field, parent, f"no such experiment;{_did_you_mean(parent, files)}")
            raise CardError(str(files[name]), [fault], lines)
        if parent in (*children, name):
            fault = Fault(field, parent, f"the cards form a circle: {' → '.join([*children, name, parent])}")
            raise CardError(str(files[name]), [fault], lines)
        above = _resolve(parent, files, raw, cards, (*children, name))
        content = _merge(above.model_dump(mode="json", exclude=OWN, exclude_unset=True), content)
    cards[name] = _validate(files[name], content, lines)
    return cards[name]


def _parent(content: dict[str, Any]) -> tuple[str, str] | None:
    """(field, name) of the experiment whose settings a card inherits."""
    branch = content.get("branch_of")
    if isinstance(branch, dict) and isinstance(branch.get("experiment"), str):
        return "branch_of.experiment", branch["experiment"]
    if isinstance(content.get("based_on"), str):
        return "based_on", content["based_on"]
    return None


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        merged[key] = _merge(base[key], value) if both else value
    return merged


def _validate(path: Path, content: dict[str, Any], lines: dict[str, int]) -> Experiment:
    if "name" in content:
        raise CardError(
            str(path),
            [Fault("name", content["name"], "the name of an experiment is that of its file; leave this out")],
            lines,
        )
    try:
        return Experiment.model_validate({**content, "name": path.stem})
    except ValidationError as error:
        raise CardError(str(path), [_fault(entry, path) for entry in error.errors()], lines) from None


def _fault(entry: dict[str, Any], path: Path) -> Fault:
    location = [str(part) for part in entry["loc"]]
    if len(location) > 1 and location[-1] == "[key]" and entry["type"] != "extra_forbidden":
        location.pop()  # pydantic's mark for "the key, not the value"
    field, value, kind = ".".join(location), entry["input"], entry["type"]
    cause = entry.get("ctx", {}).get("error")
    if isinstance(cause, FieldFault):
        return Fault(".".join([*location, cause.field]), cause.value, cause.expected)
    if field == "name":
        return Fault(
            "",
            MISSING,
            f"the file's name {path.name!r} must be lower-case letters, digits and _, and begin with a letter",
        )
    if kind == "invalid_key":
        return Fault(field, MISSING, "keys are words; write it in quotes if it is one")
    if kind == "extra_forbidden":
        known = _keys_at(location[:-1])
        return Fault(field, value, f"unknown key;{_did_you_mean(location[-1], known)}")
    if kind == "missing":
        return Fault(field, MISSING, f"is missing; give it a value ({_meaning(location)})")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return Fault(field, value, "must be a mapping of settings")
    return Fault(field, value, _expected(entry))


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


def _keys_at(location: list[str]) -> list[str]:
    model = _model_at(location)
    return [name for name in model.model_fields if name != "name" or model is not Experiment] if model else []


def _meaning(location: list[str]) -> str:
    model = _model_at(location[:-1])
    field = model.model_fields.get(location[-1]) if model else None
    return (field.description if field else None) or "required"


def _model_at(location: list[str]) -> type[BaseModel] | None:
    model: type[BaseModel] | None = Experiment
    for part in location:
        field = model.model_fields.get(part) if model else None
        model = next(_models(field.annotation), None) if field else None
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation):
        for argument in get_args(annotation):
            yield from _models(argument)


def _did_you_mean(word: str, known: Any) -> str:
    close = get_close_matches(word, list(known), n=1)
    guess = f" did you mean {close[0]}?" if close else ""
    return f"{guess} There {'are' if len(list(known)) != 1 else 'is'}: {', '.join(sorted(known))}"
