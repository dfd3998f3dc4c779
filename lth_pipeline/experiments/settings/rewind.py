"""`rewind:` the weights that a pruned network goes on from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lth_pipeline.experiments.settings.base import FieldFault, Number, PositiveNumber, Settings, setting


class RewindSettings(Settings):
    mode: Literal["weights", "learning_rate", "fine_tuning"] = setting(
        "weights",
        description="weights: back to those of the rewind point, and train on from it; learning_rate: keep the trained "
        "weights, the learning rate goes back; fine_tuning: keep both, train on at the last rate (Strategy 2)",
        source="Frankle & Carbin 2019, App. B; Renda et al. 2020, §2",
    )
    iteration: Annotated[int, Field(ge=0, le=10**9)] = setting(
        0,
        description="the rewind point: a pruned network is trained from this iteration to the last",
        source="Frankle et al. 2019 (Stabilizing the Lottery Ticket Hypothesis)",
    )
    fraction: Annotated[Number, Field(gt=0, lt=1)] | None = setting(
        None,
        description="in place of iteration: the rewind point as a share of training",
        source="Frankle et al. 2019 (Stabilizing the Lottery Ticket Hypothesis): 0.1 to 7 %",
    )
    epoch: PositiveNumber | None = setting(None, description="in place of iteration: the rewind point in epochs")

    @model_validator(mode="after")
    def _one_rewind_point(self) -> RewindSettings:
        given = [field for field in ("iteration", "fraction", "epoch") if getattr(self, field)]
        if len(given) > 1:
            expected = f"there is one rewind point; leave out {given[0]} or {given[1]} (null where it is inherited)"
            raise FieldFault(given[1], getattr(self, given[1]), expected)
        return self
