"""One training as a message, and the part in it of a process that does not lead."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes.artifacts import Tensors, under
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.errors import ProcessesError
from lth_pipeline.recipes.lineage import related
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.team import Job, Team

if TYPE_CHECKING:
    from lth_pipeline.lottery.data import DataDirs
    from lth_pipeline.lottery.models import Model


def check_batch(chain: Chain, step: Step, processes: int) -> None:
    """Raises ProcessesError where a batch has fewer examples than there are processes."""
    card = chain.owner(step.round)
    if card.training.batch_size < processes:
        raise ProcessesError(
            f"processes: {processes}: more than a batch of {card.name} has examples (training.batch_size: "
            f"{card.training.batch_size}); give at most so many processes"
        )


def as_job(chain: Chain, step: Step, recipe: Recipe, model: Model) -> Job:
    """What is trained, as JSON. model: the network of the step."""
    return {
        "cards": [card.model_dump(mode="json") for card in related(chain.cards, chain.name)],
        "experiment": chain.name,
        "replicate": chain.replicate,
        "step": asdict(step),
        "recipe": {"kind": recipe.kind, "settings": recipe.settings, "inputs": recipe.inputs},
        "weights": model.prunable,
    }


def from_job(job: Job, dirs: DataDirs) -> tuple[Chain, Step, Recipe, Model]:
    from lth_pipeline.recipes.steps import narrow_model

    # their JSON is read as JSON: a list is a tuple's only there
    cards = {card["name"]: _card(card) for card in job["cards"]}
    chain, step = Chain(cards, job["experiment"], job["replicate"], dirs), Step(**job["step"])
    small = step.arm == "dense_small"
    model = narrow_model(chain, step.round, job["weights"]) if small else chain.model(step.round)
    return chain, step, Recipe(**job["recipe"]), model


def _card(settings: dict[str, Any]) -> Experiment:
    import json

    return Experiment.model_validate_json(json.dumps(settings))


def tensors_to_send(inputs: dict[str, Tensors], state: Tensors | None) -> Tensors:
    """The inputs of a training and the state to resume from, flat."""
    sent = {f"inputs/{name}/{key}": tensor for name, tensors in inputs.items() for key, tensor in tensors.items()}
    return sent | {f"state/{key}": tensor for key, tensor in (state or {}).items()}


def follow(team: Team, dirs: DataDirs) -> None:
    """Make this process's part of every training, until the leader dismisses it."""
    from lth_pipeline.recipes.training import data_for, trained_from

    while (said := team.next()) is not None:
        job, tensors = said
        chain, step, recipe, model = from_job(job, dirs)
        inputs = {name: under(f"inputs/{name}/", tensors) for name in recipe.inputs if name != "data"}
        data = data_for(chain.owner(step.round), dirs, team.device, recipe.inputs["data"])
        trained_from(chain, step, model, data, inputs, under("state/", tensors), way="distributed")
