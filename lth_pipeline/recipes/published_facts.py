"""What a published ticket says of itself, and whether it does. No torch here: a card's ladder is known without it.

format: 1. experiment, replicate, round, arm: whose ticket it is. model: name and settings, as `models.build` takes
them. structure: "weights" or "units", what it was pruned in. image_shape, classes: of the data. layers: [name, kind,
shape, whether it has a bias] of each prunable layer, from the input to the output. density: share of the prunable
weights that are left; weights: how many. data: {title, digest}. versions: {mask, ticket, trained}: data versions in the
store it comes from. recipes: {trained}: the id of the recipe there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

FORMAT = 1


def _is_whole(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**53


def _is_text(value: Any) -> bool:
    """That can be shown to a person as it is."""
    return isinstance(value, str) and bool(value) and value.isprintable() and len(value) <= 500


def _is_layer(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 4:
        return False
    name, kind, shape, bias = value
    words = _is_text(name) and _is_text(kind) and isinstance(bias, bool)
    return words and _are_sizes(shape) and len(shape) in (2, 4)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_whole(size, 1) for size in value)


def _are_layers(value: Any) -> bool:
    layers = isinstance(value, list) and bool(value) and all(map(_is_layer, value))
    return layers and len({layer[0] for layer in value}) == len(value)


def _has_texts(*names: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(_is_text(value.get(name)) for name in names)


#: fact -> (whether a value is right, what would be)
FACTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "experiment": (_is_text, "the name of an experiment"),
    "replicate": (_is_whole, "a whole number from 0 on"),
    "round": (lambda value: _is_whole(value, 1), "a whole number from 1 on"),
    "arm": (lambda value: value == "ticket", "ticket"),
    "model": (_has_texts("name"), "the settings of a network, its name among them"),
    "structure": (lambda value: value in ("weights", "units"), "weights or units"),
    "image_shape": (lambda value: _are_sizes(value) and len(value) == 3, "channels, height and width"),
    "classes": (lambda value: _is_whole(value, 1), "a whole number from 1 on"),
    "layers": (_are_layers, "a list of [name, kind, shape, bias], each name once"),
    "density": (lambda value: isinstance(value, int | float) and 0 <= value <= 1, "a share from 0 to 1"),
    "weights": (_is_whole, "a whole number from 0 on"),
    "data": (_has_texts("title", "digest"), "title and digest of the data"),
    "versions": (_has_texts("mask", "ticket", "trained"), "the data versions of mask, ticket and trained"),
    "recipes": (_has_texts("trained"), "the recipe id of trained"),
}


def fault_of(facts: Any) -> str:
    """What is wrong with them, in words; empty where nothing is. Facts that are not known here are left alone."""
    if not isinstance(facts, Mapping) or facts.get("format") != FORMAT:
        found = facts.get("format") if isinstance(facts, Mapping) else None
        return f"its format is {found!r}; this lth_pipeline reads format {FORMAT}"
    for name, (is_right, expected) in FACTS.items():
        if name not in facts or not is_right(facts[name]):
            found = repr(facts[name])[:60] if name in facts else "missing"
            return f"its fact {name!r} is {found}; it must be {expected}"
    return ""
