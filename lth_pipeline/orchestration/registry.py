"""MLflow's model registry, as recipes/registry.py asks it for published tickets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from lth_pipeline.recipes.errors import NotPublishedError, RegistryAwayError
from lth_pipeline.recipes.lineage import related
from lth_pipeline.recipes.registry import Answer, Registry, versions_in

if TYPE_CHECKING:
    from dagster import AssetExecutionContext

    from lth_pipeline.experiments import Experiment
    from lth_pipeline.experiments.settings import TransferSettings
    from lth_pipeline.orchestration.resources import Tracking
    from lth_pipeline.tracking.tracker import Tracker

#: of a run: the versions of published tickets that were found when it was planned, {NAME@ALIAS: number} as JSON
TICKETS = "lth/ticket_version"


def ticket_tags(cards: Mapping[str, Experiment], names: Iterable[str]) -> dict[str, str]:
    """The tag of runs of experiments `names`, by the cards that `make_ready` gave; none where no alias is taken."""
    versions = versions_in(card for name in names for card in related(cards, name))
    return {TICKETS: json.dumps(versions, sort_keys=True)} if versions else {}


def versions_of_run(tags: Mapping[str, str]) -> dict[str, str]:
    """{NAME@ALIAS: number} that a run was handed."""
    return json.loads(tags.get(TICKETS, "{}"))


def registry_at(tracker: Callable[[], Tracker], warn: Callable[[str], None], anew: bool = True) -> Registry:
    """tracker: opened where a card names a published ticket, and not before. anew: what is known is asked for again."""
    return Registry(partial(_ask, tracker), warn, anew)


def registry_of(context: AssetExecutionContext, tracking: Tracking) -> Registry:
    """As a Dagster run asks it: for what is not in the cache. Which versions it takes was asked where it was planned
    (`ticket_tags`); one that nobody planned, from the launchpad or by automation, goes by the last answer."""
    return registry_at(lambda: tracking.tracker(context.log.warning), context.log.warning, anew=False)


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
