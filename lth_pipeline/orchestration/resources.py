"""What steps run on and where they write: the resources that the launchpad can set."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource, InitResourceContext
from dagster._core.storage.tags import MAX_RETRIES_TAG
from pydantic import Field, PrivateAttr

from lth_pipeline.home import Home, find_home
from lth_pipeline.orchestration.device import devices_of_run
from lth_pipeline.orchestration.event_log import kept_open
from lth_pipeline.orchestration.registry import versions_of_run
from lth_pipeline.orchestration.why import BY_LTH, STARTED_BY
from lth_pipeline.processes import PROCESS_TAG, process_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lth_pipeline.experiments import Experiment
    from lth_pipeline.recipes import Chain, Workshop
    from lth_pipeline.recipes.registry import Registry
    from lth_pipeline.tracking.tracker import Tracker


class Compute(ConfigurableResource):
    """Where steps are computed, and the store that keeps what they make.

    Every field has a default, so that the launchpad can set one without the others.
    """

    device: str = Field("auto", description="cpu, cuda:N, or auto: LTH_DEVICE, else a GPU that no other run holds")
    threads: int = Field(1, description="threads of torch on the CPU; runs share the cores, so 1 unless one runs alone")
    together: int = Field(
        0,
        ge=0,
        description="networks trained side by side, at most; 0: LTH_TOGETHER, else what a GPU takes, on a CPU 1",
    )
    processes: int = Field(
        0,
        ge=0,
        description="how many make each training together, a GPU each; 0: LTH_PROCESSES, else 1 (docs/distributed.md)",
    )
    replicates: list[int] = Field(
        [], description="whose networks may train beside the run's own; empty: those of all the card's replicates"
    )
    checkpoint_seconds: float = Field(
        0, ge=0, description="how often a training leaves a state to resume from; 0: LTH_CHECKPOINT_SECONDS, else 30"
    )
    recompute: bool = Field(False, description="compute the selected assets from scratch, whatever the store has")

    _chains: dict = PrivateAttr(default_factory=dict)
    _workshop: Any = PrivateAttr(None)
    _versions: dict = PrivateAttr(default_factory=dict)
    _take_devices: Any = PrivateAttr(None)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> "Iterator[Compute]":
        """For as long as a run lasts, whoever started it, its events are written over connections that stay open. It
        says whose process it is, so that a later one can tell whether that still lives. The GPU that it takes is its
        own until it ends."""
        run, home = context.run, find_home()
        if run:
            self._versions = versions_of_run(run.tags)
            tags = {PROCESS_TAG: f"{run.run_id}@{process_mark()}"}  # one that is begun again inherits its parent's
            if run.parent_run_id and run.tags.get(STARTED_BY) in BY_LTH:
                tags[MAX_RETRIES_TAG] = str(
                    context.instance.run_retries_max_retries
                )  # it is no run of `lth run` any more
            context.instance.add_run_tags(run.run_id, tags)
        taking = devices_of_run(context, self._device(home), home.devices, self._processes(home))
        with kept_open(context.instance), taking as take:
            self._take_devices = take
            yield self
        self._send_the_rest(context)

    def _send_the_rest(self, context: InitResourceContext) -> None:
        from lth_pipeline.recipes.remote import send_the_rest

        if self._workshop:
            self._workshop.on_trouble = context.log.warning
            send_the_rest(self._workshop.store)

    def _device(self, home: Home) -> str:
        return home.device if self.device == "auto" else self.device

    def _processes(self, home: Home) -> int:
        return self.processes or home.processes or 1

    def workshop(self) -> "Workshop":
        from lth_pipeline.lottery.data import DataDirs
        from lth_pipeline.recipes import Workshop
        from lth_pipeline.recipes.remote import store_at
        from lth_pipeline.recipes.users import mark_use

        if self._workshop is None:
            home = find_home()
            store = store_at(home.store, home.remote)
            store.ensure_writable()
            mark_use(store, home.dagster)
            dirs = DataDirs(home.data, home.cache, home.memory, home.allowed)
            self._workshop = Workshop(
                store,
                dirs,
                device=self._device(home),
                threads=self.threads,
                together=self.together or home.together or None,
                processes=self._processes(home),
                replicates=tuple(self.replicates) or None,
                checkpoint_seconds=self.checkpoint_seconds or home.checkpoint_seconds,
                versions=dict(self._versions),
                take_devices=self._take_devices,
            )
        return self._workshop

    def chain(
        self,
        cards: "Mapping[str, Experiment]",
        experiment: str,
        replicate: int,
        progress: "Callable[[int, int], None] | None" = None,
        registry: "Registry | None" = None,
    ) -> "Chain":
        """One chain for all rounds of a run: what it has looked up, it knows.

        Own images are read first, and published tickets fetched of `registry`, where that is not done, and the card is
        then checked against them. The run keeps to the versions that were found.
        """
        from lth_pipeline.recipes.lineage import related
        from lth_pipeline.recipes.ready import make_ready
        from lth_pipeline.recipes.registry import pinned, versions_in

        key = (experiment, replicate)
        if key not in self._chains:
            workshop = self.workshop()
            cards = pinned(cards, workshop.versions)
            ready = make_ready(cards, experiment, workshop.dirs, progress, [find_home().experiments], registry)
            workshop.versions |= versions_in(related(ready, experiment))
            self._chains[key] = workshop.chain(cards, experiment, replicate)
        return self._chains[key]


class Tracking(ConfigurableResource):
    """MLflow."""

    uri: str = Field("", description="tracking store; empty: MLFLOW_TRACKING_URI, else the one in mlflow/")

    _tracker: Any = PrivateAttr(None)

    patience: float = Field(
        600, ge=0, description="seconds for which a server that is away is asked again before a run fails"
    )

    def tracker(self, on_trouble: "Callable[[str], None] | None" = None) -> "Tracker":
        """on_trouble: is told from now on where the store is away."""
        from lth_pipeline.tracking.patience import Patience
        from lth_pipeline.tracking.tracker import open_tracker

        if self._tracker is None:
            home = find_home()
            uri = self.uri or home.tracking_uri
            patience = Patience(uri, self.patience)
            patience.on_trouble = on_trouble
            self._tracker = open_tracker(uri, home.mlflow, home.mlflow_ui, patience)
        elif on_trouble:
            self._tracker.patience.on_trouble = on_trouble
        return self._tracker

    def dagster_run_url(self, run_id: str) -> str:
        return f"{find_home().dagster_ui}/runs/{run_id}"
