"""What each kind of step reads of its card: the settings that its recipe covers, and no others.

Only what differs from its default stands here, so that a new setting keeps the recipes there were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lth_pipeline.experiments.settings import DataSettings
from lth_pipeline.experiments.settings.arms import DistillationSettings, EarlyBirdSettings
from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.recipes.rewinding import mask_every
from lth_pipeline.recipes.step import Step

if TYPE_CHECKING:
    from lth_pipeline.recipes.chain import Chain


def settings(chain: Chain, step: Step) -> dict[str, Any]:
    """As JSON has them."""
    match step.kind:
        case "initial_weights" | "reinit" | "reinit_same_sign" | "dense_small":
            return {**_network(chain, step.round, "dropout"), **draw(chain, step)}  # dropout draws no weights
        case "mask" if step.arm:
            return {"arm": step.arm, **_structure(chain, step.round), **draw(chain, step)}
        case "mask":
            return _mask(chain, step)
        case "transferred_weights":
            return {"carried": list(chain.carried())}
        case "published_mask" | "published_weights":  # the content alone counts, under whatever name it was published
            return {"content": chain.published_content(step)}
        case "trained":
            return {**_training(chain, step), **_extra(chain, step)}
        case "rewind_weights":
            return {**_training(chain, step), "stop": step.iteration}
    return {}


def draw(chain: Chain, step: Step) -> dict[str, int]:
    """The coordinates of a step's random streams. A mask drawn at random keeps its draw from round to round, so that
    each is inside the one before."""
    seed = chain.owner(step.round).seed
    number = {"draw": step.draw} if step.draw and step.kind != "trained" else {}
    if step.kind == "mask" and step.arm == "random_mask":
        return {"seed": seed, "replicate": chain.replicate, **number}
    return {"seed": seed, "replicate": chain.replicate, "round": step.round, **number}


def scoring(chain: Chain, round: int) -> dict[str, int]:
    """The same for a criterion that draws weights or examples. One-shot prunes with one draw to every density."""
    experiment = chain.owner(round)
    one = experiment.pruning.mode == "one_shot"
    return {"seed": experiment.seed, "replicate": chain.replicate, "round": 0 if one else round}


def steps_of(chain: Chain, round: int) -> int:
    """In how many steps `round` is pruned."""
    pruning = chain.owner(round).pruning
    return pruning.steps or CRITERIA[pruning.criterion].steps


def examples_of(chain: Chain, round: int) -> int:
    """How many training examples a criterion looks at."""
    return chain.owner(round).pruning.examples or 10 * chain.facts(round).classes


def _mask(chain: Chain, step: Step) -> dict[str, Any]:
    if chain.takes_ticket(step.round):
        new = {layer.name: list(layer.shape) for layer in chain.fresh()}
        return {"carried": list(chain.carried()), **({"fresh": new} if new else {})}
    pruning, rung = chain.owner(step.round).pruning, chain.rung(step.round)
    reads = CRITERIA[pruning.criterion].reads
    found: dict[str, Any] = {"keep": dict(rung.keep), **({"ranked": list(rung.ranked)} if rung.ranked else {})}
    if pruning.criterion != "magnitude":
        found["criterion"] = pruning.criterion
    found |= _structure(chain, step.round)
    if chain.is_early(chain.pruned_from(step.round)) and "trained" in reads:
        found["early"] = True
    if steps_of(chain, step.round) > 1:
        found["steps"] = steps_of(chain, step.round)
    if {"draws", "examples"} & reads:
        found |= scoring(chain, step.round)
    if "examples" in reads:
        experiment = chain.owner(step.round)
        found |= {"examples": examples_of(chain, step.round), "data": _data(experiment.data)}
    if "examples" in reads or pruning.criterion == "synflow":
        found |= _network(chain, step.round)  # whose gradients are taken
    if "draws" in reads:
        found["shapes"] = {layer.weight: list(layer.shape) for layer in chain.model(step.round).layers}
    return found


def _structure(chain: Chain, round: int) -> dict[str, str]:
    structure = chain.structure(round)
    return {} if structure == "weights" else {"structure": structure}


def _extra(chain: Chain, step: Step) -> dict[str, Any]:
    """What a training reads beside a plain one's settings."""
    experiment = chain.owner(step.round)
    start = chain.start(step)
    found: dict[str, Any] = {"start": start} if start else {}
    if chain.held(step):
        found["fine_tuning"] = True
    if step.arm == "ticket_distilled":
        found["distillation"] = _set(experiment.distillation or DistillationSettings())
    if chain.is_early(step):
        rung, pruning = chain.followed().rung(1), experiment.pruning
        found["early_bird"] = {
            **_set(experiment.early_bird or EarlyBirdSettings()),
            "every": mask_every(experiment, chain.dirs),
            "criterion": pruning.criterion,
            "structure": pruning.structure,
            "keep": dict(rung.keep),
            "ranked": list(rung.ranked),
        }
    return found


def _training(chain: Chain, step: Step) -> dict[str, Any]:
    experiment = chain.owner(step.round)
    return {
        **_network(chain, step.round),
        **draw(chain, step),
        "data": _data(experiment.data),
        "training": _set(experiment.training),
    }


def _network(chain: Chain, round: int, *but: str) -> dict[str, Any]:
    facts = chain.facts(round)
    shape = {"image_shape": list(facts.image_shape), "classes": facts.classes}
    return {"model": _set(chain.owner(round).model, *but), **shape}


def _set(settings, *but: str) -> dict[str, Any]:
    """Settings that differ from their defaults, as JSON has them."""
    return settings.model_dump(mode="json", exclude_defaults=True, exclude=set(but))


def _data(settings: DataSettings) -> dict[str, Any]:
    """Of own images the content counts, not where they lie, how they were packed or what they are called."""
    return _set(settings, "path", "title", "image_size", "colour")
