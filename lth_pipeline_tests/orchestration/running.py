"""Running assets through Dagster's own API, in this process, on an instance in a place."""

from contextlib import contextmanager

from dagster import AssetKey, DagsterInstance

from lth_pipeline.definitions import build_definitions
from lth_pipeline.home import find_home
from lth_pipeline.orchestration.instance import open_instance
from lth_pipeline.orchestration.partitions import partition_key

RECOMPUTE = {"resources": {"compute": {"config": {"recompute": True}}}}


@contextmanager
def opened():
    """(definitions, instance) of the place that the environment names."""
    home = find_home()
    with open_instance(home) as instance:
        yield build_definitions(home), instance


def materialise(
    definitions,
    instance: DagsterInstance,
    experiment: str,
    replicate: int,
    assets=None,
    run_config=None,
    job=None,
    tags=None,
):
    """Run `assets` (all of the card's job where left out) of one partition; gives Dagster's result."""
    return definitions.resolve_job_def(job or experiment).execute_in_process(
        instance=instance,
        partition_key=partition_key(experiment, replicate),
        asset_selection=[AssetKey(name) for name in assets] if assets else None,
        run_config=run_config,
        tags=tags,
        raise_on_error=False,
    )


def gather(definitions, instance, experiment: str):
    return definitions.resolve_job_def("gather_results").execute_in_process(
        instance=instance, partition_key=experiment, raise_on_error=False
    )


def materialisations(result) -> dict:
    """{asset name: AssetMaterialization} of a run."""
    return {
        event.asset_key.to_user_string(): event.materialization for event in result.get_asset_materialization_events()
    }


def versions(result) -> dict[str, str]:
    return {name: made.tags["dagster/data_version"] for name, made in materialisations(result).items()}
