"""How trainings are made: the data, the schedule, the state to resume from, what comes out."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import torch

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.settings import DataSettings
from lth_pipeline.experiments.settings.arms import DistillationSettings, EarlyBirdSettings
from lth_pipeline.lottery import data as datasets
from lth_pipeline.lottery.data.augmentation import Augmentation
from lth_pipeline.lottery.errors import DataError
from lth_pipeline.lottery.randomness import generator, stream_seed
from lth_pipeline.lottery.training import curve
from lth_pipeline.lottery.training.distillation import Teacher
from lth_pipeline.lottery.training.early_bird import EarlyBird
from lth_pipeline.lottery.training.schedule import Schedule, learning_rate
from lth_pipeline.lottery.training.train import Seeds, Trained, train
from lth_pipeline.lottery.training.ways import choose
from lth_pipeline.recipes.artifacts import state_of, state_tensors, trained_tensors, weights_of
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.checkpoints import keeper
from lth_pipeline.recipes.facts import source_of
from lth_pipeline.recipes.made import Made
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.rewinding import mask_every
from lth_pipeline.recipes.route import precision_of, route
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.team_training import as_job, check_batch, tensors_to_send

if TYPE_CHECKING:
    from lth_pipeline.lottery.models import Model
    from lth_pipeline.recipes.workshop import Workshop

Tensors = dict[str, torch.Tensor]


def train_step(workshop: Workshop, chain: Chain, step: Step, recipe: Recipe, model: Model) -> Made:
    """A training, or the weights at a rewind point, by itself."""
    team = workshop.team
    if workshop.processes > 1:
        check_batch(chain, step, workshop.processes)
    if workshop.processes > 1 and team is None:
        from lth_pipeline.recipes.distributed import train_in_processes

        return train_in_processes(workshop, chain, step, recipe, model)
    inputs = inputs_of(workshop, recipe)
    device = workshop.training_device()
    data = data_for(chain.owner(step.round), workshop.dirs, device, recipe.inputs["data"])
    stop, schedule = stop_of(step), schedule_of(chain, step)
    follower = _follower(chain, weights_of(inputs["weights"])) if chain.is_early(step) else None
    way = "distributed" if team else choose(model, inputs.get("mask"), schedule, device)
    how = {"way": way, "precision": precision_of(schedule, device), **({"processes": team.size} if team else {})}
    store, sealed = workshop.store, route(device, **how)
    kept = store.load_checkpoint(recipe.id, sealed)
    if team:
        team.lead(as_job(chain, step, recipe, model), tensors_to_send(inputs, kept))
    keep = keeper(workshop, str(step), lambda state: store.save_checkpoint(recipe.id, state_tensors(state), sealed))

    def on_evaluation(row: curve.Row, state) -> None:
        if workshop.on_row:
            workshop.on_row(step, row, stop or schedule.iterations)

    trained = trained_from(
        chain,
        step,
        model,
        data,
        inputs,
        kept,
        on_evaluation=on_evaluation,
        on_step=lambda iteration, weights, state: keep(state),
        follower=follower,
        way=way,
    )
    made = what_was_made(trained, stop, data, how)
    if follower:
        return made._replace(
            tensors=trained_tensors(trained, follower), facts={**made.facts, **_early_facts(follower, schedule)}
        )
    if step.arm == "dense_small":
        share = model.prunable / chain.model(step.round).prunable
        return made._replace(facts={**made.facts, "weights": model.prunable, "density": share})
    return made


def trained_from(
    chain: Chain,
    step: Step,
    model: Model,
    data: datasets.Data,
    inputs: dict[str, Tensors],
    kept: Tensors | None,
    **options: Any,
) -> Trained:
    """The training that `step` is, from its inputs, or from the state that was kept of it. options: of `train`."""
    return train(
        model,
        weights_of(inputs["weights"]),
        inputs.get("mask"),
        data,
        schedule_of(chain, step),
        seeds_of(chain, step),
        stop=stop_of(step),
        resume=state_of(kept) if kept else None,
        teacher=teacher_of(chain, step, inputs),
        **options,
    )


def inputs_of(workshop: Workshop, recipe: Recipe) -> dict[str, Tensors]:
    """The artifacts that a recipe reads, data sets aside."""
    return {name: workshop.store.load(version) for name, version in recipe.inputs.items() if name != "data"}


def what_was_made(trained: Trained, stop: int | None, data: datasets.Data, how: dict[str, Any]) -> Made:
    """Of a rewind point the weights alone."""
    if stop:
        return Made(trained.weights, {"seconds": trained.seconds, "iterations": trained.iterations}, how)
    return Made(trained_tensors(trained, None), {**_facts(trained), **_data_facts(data)}, how)


def stop_of(step: Step) -> int | None:
    return step.iteration if step.kind == "rewind_weights" else None


def schedule_of(chain: Chain, step: Step) -> Schedule:
    start = 0 if stop_of(step) else chain.start(step)
    return _schedule(chain.owner(step.round), start, chain.held(step))


def seeds_of(chain: Chain, step: Step) -> Seeds:
    """The streams of a training."""
    seed = chain.owner(step.round).seed

    def seeds(purpose: str, number: int) -> int:
        unit = {"epoch" if purpose == "data_order" else "iteration": number}
        return stream_seed(seed, purpose, replicate=chain.replicate, round=step.round, **unit)

    return seeds


def data_for(experiment: Experiment, dirs: datasets.DataDirs, device: torch.device, digest: str) -> datasets.Data:
    """The data of an experiment on `device`. Raises DataError where own images are no longer what `digest` says."""
    data = _data(experiment.data, dirs, experiment.seed, device, digest)
    if experiment.data.name == "images" and data.sha256 != digest:
        raise DataError(f"{experiment.data.path}: these images have changed since the run began; run again")
    return data


def teacher_of(chain: Chain, step: Step, inputs: dict[str, Tensors]) -> Teacher | None:
    """Of a distillation; None of every other training."""
    if "teacher" not in inputs:
        return None
    asked = chain.owner(step.round).distillation or DistillationSettings()
    return Teacher(chain.model(0), weights_of(inputs["teacher"]), asked.temperature, asked.weight)


def _follower(chain: Chain, initial: Tensors) -> EarlyBird:
    from lth_pipeline.recipes.pruning import followed_mask

    asked, every = chain.owner(0).early_bird or EarlyBirdSettings(), mask_every(chain.owner(0), chain.dirs)
    return EarlyBird(partial(followed_mask, chain, initial), every, asked.distance, asked.checks)


def _early_facts(follower: EarlyBird, schedule: Schedule) -> dict[str, Any]:
    """Where the mask settled, and the iterations of dense training that are not needed then."""
    settled = follower.settled
    return {"early_bird_iteration": settled, "early_bird_saves": schedule.iterations - settled if settled else 0}


def _facts(trained: Trained) -> dict[str, Any]:
    best, last = curve.early_stop(trained.rows), trained.rows[-1]
    return {
        "early_stop_iteration": best["iteration"],
        "test_accuracy_at_early_stop": best["test_accuracy"],
        "test_accuracy_at_end": last["test_accuracy"],
        "train_accuracy_at_end": trained.train_accuracy,
        "validation_loss_min": best["validation_loss"],
        "seconds": trained.seconds,
        "iterations": trained.iterations,
        "iterations_per_second": trained.iterations / trained.seconds,
        **({"diverged_at": trained.diverged_at} if trained.diverged_at is not None else {}),
    }


def _data_facts(data: datasets.Data) -> dict[str, Any]:
    return {"data_sha256": data.sha256, "data_mean": list(data.mean), "data_std": list(data.std)}


def _schedule(experiment: Experiment, start: int, held: bool) -> Schedule:
    """held: at the last learning rate from the first step on."""
    augmentation = experiment.data.augmentation
    schedule = Schedule(
        **experiment.training.model_dump(exclude_none=True),
        augmentation=Augmentation(**augmentation.model_dump()) if augmentation else None,
        start=start,
    )
    if not held:
        return schedule
    last = learning_rate(schedule, schedule.iterations - 1)
    return replace(schedule, learning_rate=last, schedule="constant", warmup=0, step_at=())


@lru_cache(maxsize=2)
def _data(
    settings: DataSettings, dirs: datasets.DataDirs, seed: int, device: torch.device, digest: str
) -> datasets.Data:
    """digest: tells apart what was remembered of other content; own images may change while a process lives."""
    return datasets.load(
        settings.name,
        dirs,
        source=source_of(settings),
        generator=generator(stream_seed(seed, "validation_split")),
        validation_size=settings.validation_size,
        train_size=settings.train_size,
        test_size=settings.test_size,
        normalisation=settings.normalisation,
        as_bytes=settings.augmentation is not None,
        device=device,
    )
