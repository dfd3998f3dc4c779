"""A training as Dagster's assets see it: made or found, logged to MLflow, drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from dagster import AssetExecutionContext

from lth_pipeline.experiments.flat import flatten
from lth_pipeline.orchestration import transfers
from lth_pipeline.orchestration.progress import Narrator, tell
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.recipes import Chain, Product, Step, Workshop
from lth_pipeline.recipes.step import MASKED
from lth_pipeline.recipes.workshop import OnRow

#: of a card: not settings of a training
NOT_PARAMS = {"name", "description", "quick", "based_on", "branch_of", "replicates", "arms", "scheduled", "resources"}


@dataclass(frozen=True)
class Trained:
    """product and its run in MLflow; rows of the learning curve, drawn; facts of the training and its mask; of a dense
    training that was followed, the distances of its masks, drawn."""

    step: Step
    product: Product
    run_id: str
    rows: list[dict[str, float]]
    facts: dict[str, Any]
    picture: bytes
    distances: bytes | None = None


def size(workshop: Workshop, chain: Chain, round: int) -> tuple[int, float]:
    """(weights left, density) of a round: of the ladder, or of the mask where only that can tell."""
    rung = chain.rung(round)
    if rung.weights is not None:
        return rung.weights, rung.density
    facts = workshop.make(chain, Step("mask", round)).facts
    return facts["weights"], facts["density"]


def train(context: AssetExecutionContext, compute: Compute, tracking: Tracking, chain: Chain, step: Step) -> Trained:
    """Make `step` or find it, and see that MLflow has a current run of it: one process at a time, or two would each set
    the other's run aside."""
    claim = f"{chain.name}.{chain.replicate}.{step.round}.{step.arm}.{step.draw}"
    workshop = compute.workshop()
    if compute.recompute or not workshop.look_up(chain, step):
        workshop.training_device()  # before the claim
    with workshop.claimed(claim, str(step)):
        return _train(context, compute, tracking, chain, step)


def _train(context: AssetExecutionContext, compute: Compute, tracking: Tracking, chain: Chain, step: Step) -> Trained:
    from lth_pipeline.tracking.rounds import Logger
    from lth_pipeline.tracking.runs import Training

    workshop, tracker = compute.workshop(), tracking.tracker(context.log.warning)
    description = chain.cards[chain.name].description
    about = Training(chain.name, description, chain.replicate, step.round, step.arm, step.draw)
    recipe = workshop.recipe(chain, step)
    logger = Logger(tracker, about, {**_lineage(context, tracking, chain, step, workshop), "lth.recipe": recipe.id})
    watching = workshop.on_row

    def on_row(of: Step, row: dict[str, float], total: int) -> None:
        watching(of, row, total)
        if of == step:
            logger.row(row)
            workshop.made_by["mlflow_run"] = logger.run_id

    workshop.on_row = on_row
    try:
        if compute.recompute and step.arm not in ("dense", "ticket"):
            if step.arm in MASKED:
                workshop.make(chain, chain.mask(step), fresh=True)
            workshop.make(chain, chain.begin(step), fresh=True)  # a control's own weights
        product = workshop.make(chain, step, fresh=compute.recompute)
        return _logged(workshop, tracker, chain, step, product, logger)
    except BaseException:
        with suppress(Exception):  # of the two errors the first is worth telling
            logger.fail()
        raise
    finally:
        workshop.on_row = watching
        workshop.made_by.pop("mlflow_run", None)


def watch(context: AssetExecutionContext, chain: Chain) -> OnRow:
    """Tells of every training that a step sets off, be it the step's own or one before it that was missing."""
    narrators: dict[Step, Narrator] = {}

    def on_row(of: Step, row: dict[str, float], total: int) -> None:
        told = f"{'' if of.of else chain.name + ', '}replicate {chain.replicate}, {of}"
        narrators.setdefault(of, Narrator(context.log.info, told)).row(row["iteration"], total)
        if not of.of:  # another experiment's rounds are not among those that are waited for
            place = {"replicate": chain.replicate, "round": of.round, "arm": of.arm, "draw": of.draw}
            tell("row", **place, iteration=row["iteration"], total=total)

    return on_row


def waiting(context: AssetExecutionContext) -> Callable[[str], None]:
    """Tells what another process is about."""
    return lambda about: context.log.info(f"{about}: another process is about it; waiting")


def reading(context: AssetExecutionContext) -> Callable[[int, int], None]:
    """Tells how far the reading of own images is."""
    narrator = Narrator(context.log.info, "reading images", "images")
    return narrator.row


def _logged(workshop: Workshop, tracker, chain: Chain, step: Step, product: Product, logger) -> Trained:
    from lth_pipeline.recipes.artifacts import rows_of
    from lth_pipeline.recipes.route import in_words
    from lth_pipeline.tracking.runs import find_current

    weights, density = size(workshop, chain, step.round)
    facts = {"density": density, "weights": weights, **product.facts}  # a small dense network has its own
    tensors = workshop.store.load(product.version)
    rows = rows_of(tensors)
    drawn = picture(chain, [(step, rows, facts)], density)
    distances = _distances(chain, step, tensors, facts)
    run_id = None if product.computed else find_current(tracker, logger.training, product.version)
    if run_id is None:
        made_by = product.record["made_by"]
        logger.tags = {
            **logger.tags,
            "lth.data_version": product.version,
            "lth.route": in_words(product.record["route"]),
        }
        if "diverged_at" in facts:
            logger.tags["lth.diverged_at"] = str(facts["diverged_at"])
        if "note" in made_by:
            logger.tags["lth.note"] = made_by["note"]
        if (made_by.get("experiment"), made_by.get("replicate")) != (chain.name, chain.replicate):
            logger.tags["lth.reused_from"] = origin(product)
            if source := made_by.get("mlflow_run") or _run_of(tracker, logger.training, product):
                logger.tags["lth.reused_from_run"] = source
        files = {
            **_files(workshop, chain, step, product, tensors, rows, facts, logger.tags),
            "learning_curve.png": drawn,
        }
        if distances:
            files["mask_distance.png"] = distances
        params = {**_params(chain, step), "density": facts["density"], **_data_params(facts)}
        run_id = logger.finish(rows, facts, params, files)
    return Trained(step, product, run_id, rows, facts, drawn, distances)


def _run_of(tracker, training, product: Product) -> str | None:
    """The run of those that a product was made for: where it was trained beside theirs, its record names none."""
    from lth_pipeline.tracking.runs import find_current

    made_by = product.record["made_by"]
    if "experiment" not in made_by:
        return None
    theirs = replace(training, experiment=made_by["experiment"], replicate=made_by["replicate"])
    return find_current(tracker, theirs, product.version)


def _distances(chain: Chain, step: Step, tensors, facts: dict[str, Any]) -> bytes | None:
    """The heat map of the distances between the masks on the way, as PNG; None where they were not followed."""
    from lth_pipeline.recipes.artifacts import distances_of

    found = distances_of(tensors)
    if found is None:
        return None
    from lth_pipeline.reports.drawing import png
    from lth_pipeline.reports.mask_distance import mask_distances

    head = f"{chain.name} · replicate {chain.replicate}"
    return png(mask_distances(*found, facts["early_bird_iteration"], head, notes(chain, facts, step.arm)))


def origin(product: Product) -> str:
    """Whose work a product is, in words."""
    made_by = product.record["made_by"]
    return (
        f"{made_by['experiment']}, replicate {made_by['replicate']}, {made_by['step']}"
        if "experiment" in made_by
        else made_by["step"]
    )


def joint_picture(chain: Chain, trainings: list[Trained]) -> bytes:
    """The learning curves of one asset as PNG."""
    if len(trainings) == 1:
        return trainings[0].picture
    return picture(chain, [(t.step, t.rows, t.facts) for t in trainings], trainings[0].facts["density"])


def picture(chain: Chain, curves: list[tuple[Step, list[dict[str, float]], dict[str, Any]]], density: float) -> bytes:
    """Learning curves of one round as PNG."""
    from lth_pipeline.reports.drawing import png
    from lth_pipeline.reports.learning_curve import learning_curve

    drawn = [(step.arm, rows, facts["early_stop_iteration"]) for step, rows, facts in curves]
    said = [note for step, _, facts in curves for note in notes(chain, facts, step.label)]
    return png(learning_curve(drawn, title(chain, curves[0][0], density), list(dict.fromkeys(said))))


def notes(chain: Chain, facts: dict[str, Any], arm: str) -> list[str]:
    """What must be said beside everything that shows this training."""
    from lth_pipeline.reports.drawing import QUICK

    quick = [QUICK] if chain.cards[chain.name].quick else []
    at = facts.get("diverged_at")
    return quick + ([f"{arm} diverged: loss not finite at iteration {at:,}"] if at is not None else [])


def title(chain: Chain, step: Step, density: float) -> str:
    return f"{chain.name} · replicate {chain.replicate} · round {step.round} · {100 * density:.1f} %"


def _lineage(context, tracking: Tracking, chain: Chain, step: Step, workshop: Workshop) -> dict[str, str]:
    from lth_pipeline.tracking.runs import Training, find_current

    tags = {
        "lth.dagster_run": context.run.run_id,
        "lth.dagster_url": tracking.dagster_run_url(context.run.run_id),
        "lth.asset": context.asset_key.to_user_string(),
        "lth.partition": context.partition_key,
        "lth.protocol": chain.cards[chain.name].protocol,
    }
    owner = chain.owner(step.round)
    if owner.name != chain.name:
        tags["lth.round_of"] = owner.name
    before = chain.inputs(Step("mask", step.round)).get("weights") if step.round else None
    if before:
        about = Training(chain.name, "", chain.replicate, before.round, before.arm)
        source = find_current(tracking.tracker(), about, workshop.make(chain, before).version)
        if source:
            tags["lth.mask_from_run"] = source
    return tags | transfers.tags(tracking.tracker(), chain, workshop, step)


def _params(chain: Chain, step: Step) -> dict[str, Any]:
    owner = chain.owner(step.round)
    settings = owner.model_dump(mode="json", exclude=NOT_PARAMS)
    by_layer = settings["pruning"]["layer_rates"]  # its keys are patterns, which are no names for MLflow
    settings["pruning"]["layer_rates"] = json.dumps(by_layer) if by_layer else None
    return {
        **{name: value for name, value in flatten(settings) if value is not None},
        "replicate": chain.replicate,
        "round": step.round,
        "arm": step.arm,
        **({"draw": step.draw} if step.draw else {}),
    }


def _data_params(facts: dict[str, Any]) -> dict[str, str]:
    """What was trained on, as it was found: content and normalisation."""
    sha256, mean, std = (facts.get(name) for name in ("data_sha256", "data_mean", "data_std"))
    if sha256 is None:  # made before these were recorded
        return {}
    shown = {"data.mean": mean, "data.std": std}
    return {"data.sha256": sha256, **{name: " ".join(f"{v:.6g}" for v in values) for name, values in shown.items()}}


def _files(workshop, chain: Chain, step: Step, product: Product, tensors, rows, facts, tags) -> dict[str, bytes]:
    """The artifacts of a run, by file name."""
    import torch
    from safetensors.torch import save

    from lth_pipeline.lottery.pruning import masks
    from lth_pipeline.recipes.artifacts import weights_of
    from lth_pipeline.reports.learning_curve import curve_csv
    from lth_pipeline.reports.summary import summary

    trained = weights_of(tensors)
    under = product.recipe.inputs.get("mask")
    whole = {layer.weight: torch.ones_like(trained[layer.weight], dtype=torch.bool) for layer in chain.model(0).layers}
    mask = workshop.store.load(under) if under else whole
    sizes = {name: tensor.numel() for name, tensor in mask.items()}
    layers = {name: (count, sizes[name]) for name, count in masks.counts(mask).items()}
    links = {
        "Dagster run": tags["lth.dagster_url"],
        "data version": f"`{product.version}`",
        "recipe": f"`{product.recipe.id}`",
    }
    if "lth.mask_from_run" in tags:
        links["mask pruned from MLflow run"] = f"`{tags['lth.mask_from_run']}`"
    if "lth.reused_from" in tags:
        links["not trained again, reused from"] = (
            f"{tags['lth.reused_from']} (MLflow run `{tags.get('lth.reused_from_run', 'none')}`)"
        )
    links |= {text: target for text, target in transfers.links(tags)}
    head = title(chain, step, facts["density"])
    return {
        "mask.safetensors": save(mask),
        "weights.safetensors": save(trained),
        "learning_curve.csv": curve_csv(rows).encode(),
        "summary.md": summary(head, step.arm, facts, layers, links, notes(chain, facts, step.label)).encode(),
    }
