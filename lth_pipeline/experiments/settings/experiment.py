"""One card."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lth_pipeline.experiments.settings.base import Count, FieldFault, Settings, distinct, sequence, setting
from lth_pipeline.experiments.settings.data import DataSettings
from lth_pipeline.experiments.settings.model import ModelSettings
from lth_pipeline.experiments.settings.pruning import PruningSettings
from lth_pipeline.experiments.settings.training import TrainingSettings


class RewindSettings(Settings):
    iteration: Annotated[int, Field(ge=0, le=10**9)] = setting(
        0,
        description="the rewind point: tickets return to the weights of this iteration and train on from it",
        source="Frankle et al. 2019 (Stabilizing the Lottery Ticket Hypothesis)",
    )


class Branch(Settings):
    experiment: str = setting(description="whose rounds to take over")
    round: Count = setting(description="the first round that is this experiment's own")


class Experiment(Settings):
    """One card. `name` is the name of its file."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    description: str = setting("", description="one sentence for lists")
    quick: bool = setting(False, description="a shortened protocol, to try things out: every figure and table says so")
    data: DataSettings = setting(description="what it learns from")
    model: ModelSettings = setting(description="the network")
    training: TrainingSettings = setting(description="how it is trained")
    pruning: PruningSettings = setting(description="how it is pruned")
    rewind: RewindSettings = RewindSettings()
    arms: Annotated[tuple[Literal["ticket", "reinit"], ...], BeforeValidator(sequence), AfterValidator(distinct)] = (
        setting(
            ("ticket", "reinit"),
            description="what is trained in each round: ticket, and its controls",
            source="Frankle & Carbin 2019, §2",
        )
    )
    replicates: Count = setting(description="how many seeds `lth run` takes", source="Frankle & Carbin 2019, §2: 5")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = setting(0, description="the root of every random stream")
    based_on: str | None = setting(
        None, description="another experiment, whose settings hold where this card is silent"
    )
    branch_of: Branch | None = setting(None, description="take over another experiment's rounds below `round`")

    @model_validator(mode="after")
    def _fields_agree(self) -> Experiment:
        if "ticket" not in self.arms:
            raise FieldFault("arms", list(self.arms), "must contain ticket: each round prunes the one before it")
        if self.rewind.iteration >= self.training.iterations:
            expected = f"must be below training.iterations ({self.training.iterations})"
            raise FieldFault("rewind.iteration", self.rewind.iteration, expected)
        left = self.training.iterations - self.rewind.iteration
        if self.training.patience and self.training.patience * self.training.evaluate_every >= left:
            expected = f"has no effect: so many evaluations take all the {left:,} iterations of a ticket; give fewer"
            raise FieldFault("training.patience", self.training.patience, expected)
        return self

    @property
    def protocol(self) -> str:
        """What tables say: "quick" or "full"."""
        return "quick" if self.quick else "full"

    @property
    def controls(self) -> tuple[str, ...]:
        """The arms beside the ticket, in the order of the card."""
        return tuple(arm for arm in self.arms if arm != "ticket")
