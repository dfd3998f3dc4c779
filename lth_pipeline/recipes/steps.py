"""How each kind of step is computed from its inputs' tensors."""

from __future__ import annotations

from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.settings import DataSettings
from lth_pipeline.lottery import data as datasets
from lth_pipeline.lottery.data.augmentation import Augmentation
from lth_pipeline.lottery.errors import DataError, PruningError
from lth_pipeline.lottery.pruning import magnitude, masks
from lth_pipeline.lottery.randomness import generator, stream_seed
from lth_pipeline.lottery.training import curve
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.train import State, Trained, train
from lth_pipeline.recipes.chain import Chain, Step
from lth_pipeline.recipes.facts import source_of
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.route import choose_device, route

if TYPE_CHECKING:
    from lth_pipeline.recipes.workshop import Workshop

Made = tuple[dict[str, torch.Tensor], dict[str, Any]]  # tensors, facts


def compute(workshop: Workshop, chain: Chain, step: Step, recipe: Recipe) -> Made:
    """(tensors, facts) of `step`. Facts are what tables show: derived from the tensors, or timings."""
    torch.set_num_threads(workshop.threads)
    inputs = {name: workshop.store.load(version) for name, version in recipe.inputs.items() if name != "data"}
    match step.kind:
        case "initial_weights":
            return _fresh_weights(chain, step), {}
        case "reinit":
            return masks.apply(inputs["mask"], _fresh_weights(chain, step)), {}
        case "ticket":
            return masks.apply(inputs["mask"], inputs["weights"]), {}
        case "mask":
            return _mask(chain, step, inputs)
        case "rewind_weights":
            return _train(workshop, chain, step, recipe, inputs, stop=step.iteration)
        case "trained":
            return _train(workshop, chain, step, recipe, inputs)
    raise ValueError(f"no step {step.kind!r}")


def weights_of(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights in an artifact: those of a trained network lie beside its learning curve."""
    prefix = "weights/"
    found = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return found or tensors


def rows_of(tensors: dict[str, torch.Tensor]) -> list[curve.Row]:
    """The learning curve in the artifact of a training."""
    return curve.to_rows({column: tensors[f"curve/{column}"] for column in curve.COLUMNS})


def _fresh_weights(chain: Chain, step: Step) -> dict[str, torch.Tensor]:
    seed = stream_seed(chain.owner(step.round).seed, step.kind, replicate=chain.replicate, round=step.round)
    return chain.model(step.round).initialise(generator(seed))


def _mask(chain: Chain, step: Step, inputs: dict[str, dict[str, torch.Tensor]]) -> Made:
    rung = chain.rung(step.round)
    before = inputs.get("mask") or masks.ones(chain.model(step.round))
    weights = weights_of(inputs["weights"])
    at = curve.diverged_at(rows_of(inputs["weights"]))
    if at is not None:
        raise PruningError(f"round {step.round - 1} diverged at iteration {at:,}: there is nothing to prune")
    if rung.ranked:
        mask = magnitude.prune_global(weights, before, rung.ranked, rung.keep[""])
    else:
        mask = magnitude.prune_layerwise(weights, before, rung.keep)
    counts = masks.counts(mask)
    return mask, {"density": masks.density(mask), "weights": sum(counts.values()), "counts": counts}


def _train(workshop: Workshop, chain: Chain, step: Step, recipe: Recipe, inputs: dict, stop: int | None = None) -> Made:
    experiment = chain.owner(step.round)
    device = choose_device(workshop.device)
    data = _data(experiment.data, workshop.dirs, experiment.seed, device, recipe.inputs["data"])
    if experiment.data.name == "images" and data.sha256 != recipe.inputs["data"]:
        raise DataError(f"{experiment.data.path}: these images have changed since the run began; run again")
    schedule = _schedule(experiment, start=0 if stop else chain.start(step))
    kept = workshop.store.load_checkpoint(recipe.id, route(device))
    saved = monotonic()

    def on_evaluation(row: curve.Row, state) -> None:
        nonlocal saved
        if workshop.on_row:
            workshop.on_row(step, row, stop or schedule.iterations)
        if monotonic() - saved >= workshop.checkpoint_seconds:
            workshop.store.save_checkpoint(recipe.id, _state_tensors(state()), route(device))
            saved = monotonic()

    def seeds(purpose: str, number: int) -> int:
        unit = {"epoch" if purpose == "data_order" else "iteration": number}
        return stream_seed(experiment.seed, purpose, replicate=chain.replicate, round=step.round, **unit)

    trained = train(
        chain.model(step.round),
        weights_of(inputs["weights"]),
        inputs.get("mask"),
        data,
        schedule,
        seeds,
        stop=stop,
        resume=_state(kept) if kept else None,
        on_evaluation=on_evaluation,
    )
    workshop.store.drop_checkpoint(recipe.id)
    if stop:
        return trained.weights, {"seconds": trained.seconds, "iterations": trained.iterations}
    return _trained_tensors(trained), {**_facts(trained), **_data_facts(data)}


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


def _schedule(experiment: Experiment, start: int) -> Schedule:
    augmentation = experiment.data.augmentation
    return Schedule(
        **experiment.training.model_dump(exclude_none=True),
        augmentation=Augmentation(**augmentation.model_dump()) if augmentation else None,
        start=start,
    )


def _trained_tensors(trained: Trained) -> dict[str, torch.Tensor]:
    columns = curve.to_tensors(trained.rows)
    return {
        **{f"weights/{name}": tensor for name, tensor in trained.weights.items()},
        **{f"curve/{column}": tensor for column, tensor in columns.items()},
        "train_accuracy": torch.tensor(trained.train_accuracy, dtype=torch.float64),
    }


def _state_tensors(state: State) -> dict[str, torch.Tensor]:
    return {
        "iteration": torch.tensor(state.iteration),
        "seconds": torch.tensor(state.seconds, dtype=torch.float64),
        **{f"weights/{name}": tensor for name, tensor in state.weights.items()},
        **{f"optimiser/{name}": tensor for name, tensor in state.optimiser.items()},
        **{f"curve/{column}": tensor for column, tensor in curve.to_tensors(state.rows).items()},
    }


def _state(tensors: dict[str, torch.Tensor]) -> State:
    prefix = "optimiser/"
    optimiser = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    seconds = float(tensors["seconds"])
    return State(int(tensors["iteration"]), weights_of(tensors), optimiser, rows_of(tensors), seconds)


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
