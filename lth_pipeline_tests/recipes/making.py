"""Cards as nested mappings, and what their chains make: what tests of whole chains are written with."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
import yaml

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes import Chain, Product, Step, Store, Workshop, load_cards
from lth_pipeline.recipes.artifacts import early_weights_of, rows_of, weights_of

#: what counts as all arms
ARMS = ["ticket", "reinit", "reinit_same_sign", "random_mask", "shuffled_mask", "dense_small", "ticket_distilled"]
#: a training of milliseconds whose weights are moved by all that could move a pruned one: momentum, decay, a schedule
TINY: dict[str, Any] = {
    "data": {"name": "digits", "validation_size": 40, "train_size": 64, "test_size": 40},
    "model": {"name": "mlp", "widths": [16, 12]},
    "training": {
        "optimiser": "sgd",
        "learning_rate": 0.1,
        "momentum": 0.9,
        "weight_decay": 0.01,
        "schedule": "step",
        "step_at": [6],
        "batch_size": 16,
        "iterations": 10,
        "evaluate_every": 4,
    },
    "pruning": {"scope": "layerwise", "rates": {"fc": 0.4}, "rounds": 2},
    "arms": ["ticket"],
    "replicates": 1,
}


def card(**changes: Any) -> dict[str, Any]:
    """TINY with `changes`: mappings are merged, None takes a setting out."""
    return _merged(deepcopy(TINY), changes)


def _merged(settings: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        if value is None:
            settings.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(settings.get(key), dict):
            _merged(settings[key], value)
        else:
            settings[key] = value
    return settings


def load(folder: Path, **cards: Mapping[str, Any] | str) -> dict[str, Experiment]:
    """The cards of `folder` once these (name=settings, or text) are written there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, settings in cards.items():
        text = settings if isinstance(settings, str) else yaml.safe_dump(dict(settings), sort_keys=False)
        (folder / f"{name}.yaml").write_text(text)
    return load_cards([folder])


def workshop_in(folder: Path, **settings: Any) -> Workshop:
    return Workshop(Store(folder), "data", device="cpu", **settings)


@dataclass(frozen=True)
class Made:
    """What a chain makes, by its steps."""

    workshop: Workshop
    chain: Chain

    def product(self, step: Step) -> Product:
        return self.workshop.make(self.chain, step)

    def tensors(self, step: Step) -> dict[str, torch.Tensor]:
        return self.workshop.store.load(self.product(step).version)

    def weights(self, step: Step) -> dict[str, torch.Tensor]:
        return weights_of(self.tensors(step))

    def early_weights(self, step: Step) -> dict[str, torch.Tensor]:
        return early_weights_of(self.tensors(step))

    def rows(self, step: Step) -> list[dict[str, float]]:
        return rows_of(self.tensors(step))

    def mask(self, round: int) -> dict[str, torch.Tensor]:
        return self.tensors(Step("mask", round))

    def start(self, step: Step) -> dict[str, torch.Tensor]:
        """The weights that a training begins with."""
        return self.weights(self.chain.begin(step))

    def versions(self, rounds: int) -> dict[str, str]:
        """The data version of every training down to `rounds`, and of what it is made from."""
        steps = [step for round in range(rounds + 1) for step in self.chain.trainings(round)]
        before = [under for step in steps for under in (self.chain.begin(step), self.chain.mask(step)) if under]
        return {f"{step} {step.draw}": self.product(step).version for step in (*steps, *before)}


def made(workshop: Workshop, cards: Mapping[str, Experiment], name: str, replicate: int = 0) -> Made:
    return Made(workshop, Chain(cards, name, replicate))


def left(size: int, *rates: str | float) -> int:
    """The nearest whole number to what is left of `size` after `rates`, written as decimals; a half to the even."""
    share = Fraction(1)
    for rate in rates:
        share *= 1 - Fraction(str(rate))
    whole, rest = divmod(size * share, 1)
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1)
    return int(whole) + up


def units(mask: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """Units that are alive, by weight name: rows with any survivor."""
    return {name: sum(bool(row.any()) for row in tensor) for name, tensor in mask.items()}


def weights_left(mask: Mapping[str, torch.Tensor]) -> dict[str, int]:
    return {name: int(tensor.count_nonzero()) for name, tensor in mask.items()}


def same(some: Mapping[str, torch.Tensor], others: Mapping[str, torch.Tensor]) -> bool:
    """Equal tensors under equal names."""
    return some.keys() == others.keys() and all(torch.equal(some[name], others[name]) for name in some)
