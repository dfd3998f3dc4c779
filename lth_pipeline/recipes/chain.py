"""The steps of one replicate of an experiment: what each reads, and so what it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.settings import DataSettings
from lth_pipeline.lottery.data import DataDirs, Facts
from lth_pipeline.lottery.models import Model
from lth_pipeline.recipes.facts import facts_of, known_facts
from lth_pipeline.recipes.ladder import Rung, climb, model_of
from lth_pipeline.recipes.lineage import owner
from lth_pipeline.recipes.recipe import Recipe


@dataclass(frozen=True)
class Step:
    """One thing to make.

    kind: "initial_weights", "rewind_weights", "mask", "ticket", "reinit" (fresh weights under the mask) or
        "trained".
    arm: of "trained" only: "dense" in round 0, then "ticket" or a control.
    iteration: of "rewind_weights" only: the rewind point.
    """

    kind: str
    round: int = 0
    arm: str = ""
    iteration: int = 0

    def __str__(self) -> str:
        return f"round {self.round} {self.arm + ' ' if self.arm else ''}{self.kind.replace('_', ' ')}"


class Chain:
    """Replicate `replicate` of experiment `name`, through all rounds and branches. Computes nothing.

    dirs: where own images were read to; published data sets need none.
    """

    def __init__(self, cards: Mapping[str, Experiment], name: str, replicate: int, dirs: DataDirs | None = None):
        self.cards, self.name, self.replicate, self.dirs = cards, name, replicate, dirs
        self._rungs: list[Rung] = []
        self._climb = climb(cards, name, dirs)
        self._facts: dict[str, Facts] = {}

    def owner(self, round: int) -> Experiment:
        """The experiment whose settings hold in `round`."""
        return owner(self.cards, self.name, round)

    def arms(self, round: int) -> tuple[str, ...]:
        """What is trained in `round`."""
        return ("dense",) if round == 0 else self.owner(round).arms

    def main(self, round: int) -> Step:
        """The training that the next round's mask is pruned from."""
        return Step("trained", round, "dense" if round == 0 else "ticket")

    def rewind_weights(self, round: int) -> Step:
        """The weights that the ticket of `round` returns to."""
        iteration = self.owner(round).rewind.iteration
        return Step("rewind_weights", iteration=iteration) if iteration else Step("initial_weights")

    def inputs(self, step: Step) -> dict[str, Step]:
        """{name: step} of what `step` reads, data sets aside."""
        match step.kind:
            case "initial_weights":
                return {}
            case "rewind_weights":
                return {"weights": Step("initial_weights")}
            case "mask":
                before = {"mask": Step("mask", step.round - 1)} if step.round > 1 else {}
                return {"weights": self.main(step.round - 1), **before}
            case "ticket":
                return {"mask": Step("mask", step.round), "weights": self.rewind_weights(step.round)}
            case "reinit":
                return {"mask": Step("mask", step.round)}
            case "trained" if step.round == 0:
                return {"weights": Step("initial_weights")}
            case "trained":
                return {"weights": Step(step.arm, step.round), "mask": Step("mask", step.round)}
        raise ValueError(f"no step {step.kind!r}")

    def recipe(self, step: Step, version_of: Callable[[Step], str | None]) -> Recipe | None:
        """The recipe of `step`, given its inputs' data versions; None while one of them, or the data, is not known."""
        if known_facts(self.owner(step.round).data, self.dirs) is None:
            return None
        versions = {name: version_of(source) for name, source in self.inputs(step).items()}
        if None in versions.values():
            return None
        if step.kind in ("trained", "rewind_weights"):
            versions["data"] = self.facts(step.round).digest
        return Recipe(step.kind, self._settings(step), versions)

    def start(self, step: Step) -> int:
        """The iteration at which a training begins: fresh weights have no rewind point to go on from."""
        return self.owner(step.round).rewind.iteration if step.arm == "ticket" else 0

    def _settings(self, step: Step) -> dict[str, Any]:
        experiment = self.owner(step.round)
        facts = self.facts(step.round)
        shape = {"image_shape": list(facts.image_shape), "classes": facts.classes}
        fresh = {"model": _set(experiment.model, "dropout"), **shape}  # dropout draws no weights
        network = {"model": _set(experiment.model), **shape}
        draw = {"seed": experiment.seed, "replicate": self.replicate, "round": step.round}
        match step.kind:
            case "initial_weights" | "reinit":
                return {**fresh, **draw}
            case "mask":
                rung = self.rung(step.round)
                return {"keep": dict(rung.keep), **({"ranked": list(rung.ranked)} if rung.ranked else {})}
            case "trained":
                start = {"start": self.start(step)} if self.start(step) else {}
                return {
                    **network,
                    **draw,
                    **start,
                    "data": _data(experiment.data),
                    "training": _set(experiment.training),
                }
            case "rewind_weights":
                stop = {"stop": step.iteration}
                return {
                    **network,
                    **draw,
                    **stop,
                    "data": _data(experiment.data),
                    "training": _set(experiment.training),
                }
        return {}

    def rung(self, round: int) -> Rung:
        """How many weights are left in `round`."""
        while len(self._rungs) <= round:
            self._rungs.append(next(self._climb))
        return self._rungs[round]

    def model(self, round: int) -> Model:
        """The network of `round`: a branch may have another dropout or initialisation than its parent."""
        return model_of(self.owner(round), self.dirs)

    def facts(self, round: int) -> Facts:
        """Of the data of `round`."""
        experiment = self.owner(round)
        if experiment.name not in self._facts:
            self._facts[experiment.name] = facts_of(experiment.data, self.dirs)
        return self._facts[experiment.name]


def _set(settings, *but: str) -> dict[str, Any]:
    """Settings that differ from their defaults, as JSON has them."""
    return settings.model_dump(mode="json", exclude_defaults=True, exclude=set(but))


def _data(settings: DataSettings) -> dict[str, Any]:
    """Of own images the content counts, not where they lie, how they were packed or what they are called."""
    return _set(settings, "path", "title", "image_size", "colour")
