"""The factory of the rounds' assets: a plain @asset per stage and round."""

# No `from __future__ import annotations`: Dagster reads the types of an asset's arguments at run time.
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    DataVersion,
    Failure,
    MaterializeResult,
    MetadataValue,
    asset,
)

from lth_pipeline.experiments import Experiment
from lth_pipeline.orchestration import trainings, transfers
from lth_pipeline.orchestration.automation import FOLLOWS
from lth_pipeline.orchestration.checks import CHECKS, check_specs, left_out, run_checks
from lth_pipeline.orchestration.metadata import origin_metadata, round_to, training_metadata
from lth_pipeline.orchestration.partitions import replicate_partitions
from lth_pipeline.orchestration.progress import tell
from lth_pipeline.orchestration.registry import registry_of
from lth_pipeline.orchestration.resources import Compute, Tracking
from lth_pipeline.orchestration.stages import Stage, all_stages, asset_name, combined, group_name
from lth_pipeline.recipes import Chain
from lth_pipeline.recipes.divergence import diverged_above
from lth_pipeline.recipes.recipe import CODE

POOL = "device"  # at most so many runs at once hold a device: Deployment > Concurrency
RECIPE_TAG = "lth/recipe"
CHECK_FAILED = "check-failed"  # in the place of a recipe: Dagster records an asset even where a check of it fails


def round_assets(cards: Mapping[str, Experiment], deepest: int) -> list[AssetsDefinition]:
    """The assets of rounds 0 … deepest, all over one partitions definition."""
    partitions = replicate_partitions(cards)
    return [_asset(cards, stage, round, partitions) for stage, round in all_stages(deepest)]


def _asset(cards, stage: Stage, round: int, partitions) -> AssetsDefinition:
    @asset(
        name=asset_name(stage.name, round),
        deps=[asset_name(name, above) for name, above in stage.reads(round)],
        description=stage.description,
        group_name=group_name(round),
        partitions_def=partitions,
        check_specs=check_specs(stage, round, partitions),
        code_version=str(CODE["trained" if stage.trains else stage.name]),
        kinds={"pytorch", "mlflow"} if stage.trains else {"pytorch"},
        tags={"lth/stage": stage.name, "lth/round": str(round)},
        pool=POOL if stage.trains else None,
        automation_condition=FOLLOWS if stage.reads(round) else None,
        output_required=False,  # the mask of a ticket that diverged is not made, and what lies below it is skipped
    )
    def stage_asset(context: AssetExecutionContext, compute: Compute, tracking: Tracking):
        keys = context.partition_key.keys_by_dimension
        with plain_failures():
            reading = trainings.reading(context)
            registry = registry_of(context, tracking)
            chain = compute.chain(cards, keys["experiment"], int(keys["replicate"]), reading, registry)
            workshop = compute.workshop()
            workshop.on_trouble = context.log.warning
            result = workshop.mending(lambda: _materialise(context, compute, tracking, chain, stage, round))
        if isinstance(result, str):
            context.log.warning(f"{result}; round {round} and those below it are left out")
            yield from left_out(result)
        else:
            tell("asset", replicate=chain.replicate, asset=asset_name(stage.name, round))
            yield result

    return stage_asset


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turns our own errors, which are written for people, into a Failure that says no more than they do."""
    from mlflow.exceptions import MlflowException

    from lth_pipeline.experiments import CardError
    from lth_pipeline.lottery.errors import DataError, ModelError, PruningError
    from lth_pipeline.recipes import DeviceError, StoreError
    from lth_pipeline.tracking.tracker import TrackingError

    ours = (CardError, DataError, ModelError, PruningError, DeviceError, StoreError, TrackingError)
    try:
        yield
    except (*ours, MlflowException) as error:
        raise Failure(description=str(error), allow_retries=False) from error


def _materialise(
    context, compute: Compute, tracking: Tracking, chain: Chain, stage: Stage, round: int
) -> MaterializeResult | str:
    """What was made; of a mask that cannot be made because training diverged above it, that in words."""
    workshop = compute.workshop()
    if stage.name == "mask" and (
        why := diverged_above(chain, round, lambda whose, step: workshop.make(whose, step).facts)
    ):
        return why
    workshop.made_by = {
        "experiment": chain.name,
        "replicate": chain.replicate,
        "dagster_run": context.run.run_id,
    }
    workshop.on_row = trainings.watch(context, chain)
    workshop.on_wait = trainings.waiting(context)
    steps = stage.steps(chain, round)
    if stage.trains:
        done = [trainings.train(context, compute, tracking, chain, step) for step in steps]
        products = {trained.step: trained.product for trained in done}
        metadata = training_metadata(tracking, chain, done)
    else:
        products = {step: workshop.make(chain, step, fresh=compute.recompute) for step in steps}
        metadata = {}
    checks = run_checks(stage, round, workshop, chain, products)
    held = all(check.passed for check in checks if check.check_name in CHECKS.get(stage.name, {}))
    recipe = combined([product.recipe.id for product in products.values()])
    weights, density = trainings.size(workshop, chain, round)
    return MaterializeResult(
        data_version=DataVersion(combined([product.version for product in products.values()])),
        tags={RECIPE_TAG: recipe if held else CHECK_FAILED},
        metadata={
            "density": MetadataValue.float(round_to(density, 6)),
            "weights": MetadataValue.int(weights),
            **metadata,
            **origin_metadata(chain, products, round),
            **transfers.metadata(context, chain, stage, round),
        },
        check_results=checks,
    )
