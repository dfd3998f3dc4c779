"""MLflow's model registry, as recipes/registry.py asks it for published tickets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from lth_pipeline.orchestration.why import BY_LTH, STARTED_BY
from lth_pipeline.recipes.errors import NotPublishedError, RegistryAwayError
from lth_pipeline.recipes.registry import Answer, Registry

if TYPE_CHECKING:
    from dagster import AssetExecutionContext

    from lth_pipeline.experiments.settings import TransferSettings
    from lth_pipeline.orchestration.resources import Tracking
    from lth_pipeline.tracking.tracker import Tracker


def registry_at(tracker: Callable[[], Tracker], warn: Callable[[str], None], anew: bool = True) -> Registry:
    """tracker: opened where a card names a published ticket, and not before. anew: what is known is asked for again."""
    return Registry(partial(_ask, tracker), warn, anew)


def registry_of(context: AssetExecutionContext, tracking: Tracking) -> Registry:
    """As a Dagster run asks it. One that `lth run` has begun goes by what that found, so that all replicates take the
    same version, even where an alias is moved meanwhile."""
    by_lth = context.run.tags.get(STARTED_BY) in BY_LTH
    return registry_at(lambda: tracking.tracker(context.log.warning), context.log.warning, anew=not by_lth)


def _ask(opened: Callable[[], Tracker], origin: TransferSettings, patient: bool) -> Answer:
    from mlflow.exceptions import MlflowException

    from lth_pipeline.recipes.published import FILE
    from lth_pipeline.tracking.registered import NotRegisteredError, fetch_file, resolve
    from lth_pipeline.tracking.tracker import TrackingError

    try:
        tracker = opened()
        with nullcontext() if patient else tracker.patience.none():
            found = resolve(tracker, *origin.model)
    except NotRegisteredError as error:
        raise NotPublishedError(str(error)) from error
    except (TrackingError, MlflowException) as error:
        raise RegistryAwayError(str(error)) from error

    def fetch(folder):
        try:
            return fetch_file(tracker, found.run_id, FILE, folder)
        except NotRegisteredError as error:
            raise NotPublishedError(f"version {found.version}: {error}") from error
        except (TrackingError, MlflowException) as error:
            raise RegistryAwayError(str(error)) from error

    return Answer(found.version, found.run_id, fetch)
