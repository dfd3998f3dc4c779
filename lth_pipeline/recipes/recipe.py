"""The identity of a step: same recipe, same inputs, same artifact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

#: The version of the code of each kind of step. Raise it when a change alters what a step computes: recipes
#: made with the old code are then no longer found, and `lth status --stale` lists what they made.
CODE = {
    "initial_weights": 1,
    "mask": 1,
    "ticket": 1,
    "reinit": 1,
    "reinit_same_sign": 1,
    "random_mask": 1,
    "shuffled_mask": 1,
    "dense_small": 1,
    "transferred_weights": 1,
    "published_mask": 1,
    "published_weights": 1,
    "trained": 1,
}
CODE["rewind_weights"] = CODE["trained"]  # the same loop
CODE |= {  # of each analysis
    "verdict": 1,
    "paper_figures": 1,
    "mask_structure": 1,
    "loss_landscape": 1,
    "training_path": 2,
    "connectivity": 1,
    "robustness": 2,
    "label_noise": 1,
    "ensembles": 1,
    "cost": 2,
    "small_network": 1,
}


@dataclass(frozen=True)
class Recipe:
    """What a step depends on, and nothing else.

    kind: the kind of step, a key of CODE.
    settings: the settings that this step reads, those that differ from their defaults.
    inputs: {name: data version (64 hex digits) of the artifact that goes in}.
    """

    kind: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]

    @property
    def content(self) -> dict[str, Any]:
        return {"kind": self.kind, "code": CODE[self.kind], "settings": self.settings, "inputs": self.inputs}

    @cached_property
    def id(self) -> str:
        return id_of(self.content)


def id_of(content: Mapping[str, Any]) -> str:
    """40 hex digits of the SHA-256 of a recipe's `content` as JSON with sorted keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:40]
