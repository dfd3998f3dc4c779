"""What steps run on and where they write: the resources that the launchpad can set."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource
from pydantic import Field, PrivateAttr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lth_pipeline.experiments import Experiment
    from lth_pipeline.recipes import Chain, Workshop
    from lth_pipeline.tracking.tracker import Tracker


class Compute(ConfigurableResource):
    """Where steps are computed, and the store that keeps what they make."""

    device: str = Field("auto", description="auto (a GPU where there is one), cpu, or cuda:N")
    threads: int = Field(1, description="threads of torch on the CPU; runs share the cores, so 1 unless one runs alone")
    recompute: bool = Field(False, description="compute the selected assets from scratch, whatever the store has")
    store: str = Field(description="folder of the artifacts")
    data: str = Field(description="folder of the data sets (LTH_DATA_DIR)")

    _chains: dict = PrivateAttr(default_factory=dict)
    _workshop: Any = PrivateAttr(None)

    def workshop(self) -> "Workshop":
        from lth_pipeline.recipes import Store, Workshop

        if self._workshop is None:
            store = Store(self.store)
            store.ensure_writable()
            self._workshop = Workshop(store, self.data, device=self.device, threads=self.threads)
        return self._workshop

    def chain(self, cards: "Mapping[str, Experiment]", experiment: str, replicate: int) -> "Chain":
        """One chain for all rounds of a run: what it has looked up, it knows."""
        from lth_pipeline.recipes import Chain

        return self._chains.setdefault((experiment, replicate), Chain(cards, experiment, replicate))


class Tracking(ConfigurableResource):
    """MLflow."""

    uri: str = Field(description="tracking store (MLFLOW_TRACKING_URI)")
    folder: str = Field(description="folder of the artifacts of a store without a server")
    ui: str = Field(description="address of its pages, for links")
    dagster_ui: str = Field(description="address of Dagster's pages, for links back")

    _tracker: Any = PrivateAttr(None)

    def tracker(self) -> "Tracker":
        from lth_pipeline.tracking.tracker import open_tracker

        if self._tracker is None:
            self._tracker = open_tracker(self.uri, Path(self.folder), self.ui)
        return self._tracker
