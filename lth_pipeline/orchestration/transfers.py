"""Tickets from elsewhere: what Dagster and MLflow say of it, on both sides.

An arrow between the assets of two rounds would close a circle (round 7 of one experiment, round 1 of another, are
partitions of assets that lie in the opposite order), so the two partitions link to each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dagster import AssetKey, AssetObservation, MetadataValue

from lth_pipeline.home import find_home
from lth_pipeline.orchestration.partitions import partition_key
from lth_pipeline.orchestration.stages import Stage, asset_name
from lth_pipeline.recipes import Chain, Step, Workshop
from lth_pipeline.recipes.registry import registered
from lth_pipeline.recipes.remarks import taken_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lth_pipeline.tracking.tracker import Tracker


def asset_url(asset: str, experiment: str, replicate: int) -> str:
    """The page of a partition of an asset in Dagster."""
    key = quote(f"{experiment}|{replicate}", safe="")
    return f"{find_home().dagster_ui}/assets/{asset}?view=partitions&partition={key}"


def metadata(context, chain: Chain, stage: Stage, round: int) -> dict[str, Any]:
    """Of the mask that was taken over and of the weights with it; the source's own asset is told who took it."""
    origin = chain.owner(1).ticket_from
    taken = (stage.name == "mask" and round == 1) or (stage.name == "rewind_weights" and _with_weights(chain))
    if not origin or not taken or chain.owner(1).name != chain.name:
        return {}
    shown = {
        "ticket from": MetadataValue.text(taken_from(chain)),
        "layers that are fresh here": MetadataValue.text(", ".join(_fresh(chain)) or "none: all were taken over"),
    }
    if origin.registry:
        return shown | {"ticket from, its page": MetadataValue.url(_model_url(chain))}
    kind = "mask" if stage.name == "mask" else "trained" if origin.weights == "trained" else "ticket"
    asset, mine = asset_name(kind, origin.round), asset_name(stage.name, round)
    context.log_event(
        AssetObservation(
            AssetKey(asset),
            partition=partition_key(origin.experiment, chain.replicate),
            description=f"taken over by {chain.name}, replicate {chain.replicate}",
            metadata={
                "taken over by": MetadataValue.text(f"{chain.name}, replicate {chain.replicate}, {mine}"),
                "its page": MetadataValue.url(asset_url(mine, chain.name, chain.replicate)),
            },
        )
    )
    source = f"{origin.experiment}, replicate {chain.replicate}, round {origin.round}"
    page = MetadataValue.url(asset_url(asset, origin.experiment, chain.replicate))
    return shown | {"ticket from": MetadataValue.text(source), "ticket from, its page": page}


def _with_weights(chain: Chain) -> bool:
    origin = chain.owner(1).ticket_from
    return origin is not None and origin.weights != "own"


def _model_url(chain: Chain) -> str:
    """The page in MLflow of the version that the ticket is."""
    from lth_pipeline.tracking.registered import version_url

    origin = chain.owner(1).ticket_from
    return version_url(find_home().mlflow_ui, origin.model[0], registered(origin, chain.dirs).version)


def _fresh(chain: Chain) -> list[str]:
    return [layer.name for layer in chain.fresh()]


def tags(tracker: Tracker, chain: Chain, workshop: Workshop, step: Step) -> dict[str, str]:
    """MLflow's tags of a training that descends from a ticket from elsewhere; its source there is told, too."""
    origin = chain.owner(1).ticket_from
    if not origin or not step.round:
        return {}
    found = {"lth.ticket_weights": origin.weights, "lth.fresh_layers": ", ".join(_fresh(chain)) or "none"}
    if origin.registry:
        return found | _of_published(tracker, chain, step)
    return found | {"lth.ticket_from": origin.place} | _of_experiment(tracker, chain, workshop, step)


def _of_experiment(tracker: Tracker, chain: Chain, workshop: Workshop, step: Step) -> dict[str, str]:
    from lth_pipeline.tracking.runs import Training, find_current

    origin = chain.owner(1).ticket_from
    source = chain.other(origin.experiment)
    # what its weights are, or what its mask came from, or was held against
    trained = source.main(origin.round) if origin.weights == "trained" else source.pruned_from(origin.round)
    product = workshop.look_up(source, trained)
    about = Training(origin.experiment, "", chain.replicate, trained.round, trained.arm)
    run = find_current(tracker, about, product.version) if product else None
    if run is None:
        return {}
    if step.round == 1:
        tracker.client.set_tag(run, f"lth.ticket_taken_by.{chain.name}", f"replicate {chain.replicate}")
    note = f"The ticket is that of {origin.place}: [its run]({tracker.run_url(origin.experiment, run)})."
    return {"lth.ticket_from_run": run, "mlflow.note.content": f"{note} {_fresh_in_words(chain)}"}


def _of_published(tracker: Tracker, chain: Chain, step: Step) -> dict[str, str]:
    from mlflow.exceptions import MlflowException

    from lth_pipeline.tracking.registered import Version, set_tag, version_url
    from lth_pipeline.tracking.tracker import TrackingError

    origin = chain.owner(1).ticket_from
    taken = registered(origin, chain.dirs)
    name = origin.model[0]
    if step.round == 1:
        version = Version(name, taken.version, taken.run_id, {})
        try:
            set_tag(tracker, version, f"lth.ticket_taken_by.{chain.name}", f"{origin.place}, weights: {origin.weights}")
        except (TrackingError, MlflowException) as error:  # a courtesy, which not everybody has the permission for
            if tracker.patience.on_trouble:
                tracker.patience.on_trouble(f"version {taken.version} of {name} is not told who takes it: {error}")
    page = version_url(tracker.ui, name, taken.version)
    note = f"The ticket is that of {origin.place}: [version {taken.version}]({page}), found by {taken.whose}."
    return {
        "lth.ticket_from": f"{origin.place} (version {taken.version})",
        "lth.ticket_from_run": taken.run_id,
        "mlflow.note.content": f"{note} {_fresh_in_words(chain)}",
    }


def _fresh_in_words(chain: Chain) -> str:
    return f"Fresh layers: {', '.join(_fresh(chain)) or 'none'}."


def links(tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(text, target) for a training's summary."""
    if "lth.ticket_from" in tags:
        run = f" (MLflow run `{tags['lth.ticket_from_run']}`)" if "lth.ticket_from_run" in tags else ""
        yield "ticket from", f"{tags['lth.ticket_from']}{run}"
        yield "layers that are fresh here", tags["lth.fresh_layers"]
