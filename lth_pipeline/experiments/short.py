"""`ticket_from: registry:…`, the short way of writing it, in cards that others build on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lth_pipeline.experiments.settings.transfer import SHORT

KEY = "ticket_from"
#: the two ways of naming a ticket; who gives one takes back the other
WAYS = ({"registry"}, {"experiment", "round"})


def written_out(content: Mapping[str, Any]) -> dict[str, Any]:
    """A card's content in which the reference is a mapping, so that a child or a matrix can change a part of it."""
    origin = content.get(KEY)
    if isinstance(origin, str) and origin.startswith(SHORT):
        return {**content, KEY: {"registry": origin.removeprefix(SHORT)}}
    return dict(content)


def written_over(inherited: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What is inherited, without the way of naming a ticket that `own` does not go."""
    before, origin = inherited.get(KEY), own.get(KEY)
    if not isinstance(before, Mapping) or not isinstance(origin, Mapping):
        return dict(inherited)
    taken_back = [way for way, other in (WAYS, WAYS[::-1]) if other & origin.keys() and not way & origin.keys()]
    gone = {field for way in taken_back for field in way}
    return {**inherited, KEY: {field: value for field, value in before.items() if field not in gone}}
