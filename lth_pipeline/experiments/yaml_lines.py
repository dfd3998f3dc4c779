"""YAML read safely, with the line of every key, so that an error can say where to look."""

from __future__ import annotations

from typing import Any

import yaml

from lth_pipeline.experiments.errors import MISSING, CardError, Fault

OPENING = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
CLOSING = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
MAX_DEPTH = 20
MAX_BYTES = 64_000  # a card is about 1 kB; what is larger is not a card


def parse(text: str, file: str) -> tuple[dict[str, Any], dict[str, int]]:
    """(the mapping in `text`, {dotted field: line number from 1}).

    Refused with a CardError: what is not YAML, not a mapping, holds a key twice, or uses aliases (a few
    lines of them can unfold to gigabytes).
    """
    try:
        _refuse_traps(text, file)
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        content = loader.construct_document(node) if node else None  # what safe_load does, parsed once
    except (yaml.YAMLError, ValueError, AttributeError, LookupError, TypeError, RecursionError) as error:
        # PyYAML's constructors raise what they meet: "!!bool maybe" a KeyError, "!!timestamp noon" an AttributeError
        mark = getattr(error, "problem_mark", None)
        lines = {"": mark.line + 1} if mark else {}
        problem = getattr(error, "problem", None) or str(error) or "a value cannot be made of it"
        raise CardError(file, [Fault("", MISSING, f"not readable as YAML: {problem}")], lines) from error
    if not isinstance(content, dict):
        raise CardError(
            file,
            [Fault("", MISSING, "a card is a mapping of settings, such as 'data: …'; see `lth show digits`")],
        )
    lines: dict[str, int] = {}
    _collect(node, "", lines, file)
    return content, lines


def _refuse_traps(text: str, file: str) -> None:
    depth = 0
    for token in yaml.scan(text):
        if isinstance(token, yaml.AliasToken):
            fault = Fault("", MISSING, "YAML aliases (*name) are not used in cards; write the values out")
            raise CardError(file, [fault], {"": token.start_mark.line + 1})
        depth += isinstance(token, OPENING) - isinstance(token, CLOSING)
        if depth > MAX_DEPTH:
            fault = Fault("", MISSING, f"is nested more than {MAX_DEPTH} deep; a card is a mapping of mappings")
            raise CardError(file, [fault], {"": token.start_mark.line + 1})


def _collect(node: yaml.Node, path: str, lines: dict[str, int], file: str) -> None:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            name = str(key.value)
            field = f"{path}.{name}" if path else name
            lines[field] = key.start_mark.line + 1
            if name in seen:
                raise CardError(file, [Fault(field, MISSING, "stands twice; keep one")], lines)
            seen.add(name)
            _collect(value, field, lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[f"{path}.{index}"] = value.start_mark.line + 1
            _collect(value, f"{path}.{index}", lines, file)
