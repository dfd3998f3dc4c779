"""What the arms of an experiment may be told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lth_pipeline.experiments.settings.base import Count, Number, PositiveNumber, Settings, setting


class DistillationSettings(Settings):
    temperature: PositiveNumber = setting(
        4.0, description="of ticket_distilled: both networks' logits are divided by it", source="Hinton et al. 2015, §2"
    )
    weight: Annotated[Number, Field(gt=0, le=1)] = setting(
        0.9, description="of ticket_distilled: the teacher's share of the loss", source="Hinton et al. 2015, §2"
    )


class EarlyBirdSettings(Settings):
    distance: Annotated[Number, Field(gt=0, lt=1)] = setting(
        0.1,
        description="of find_early: the mask has settled once the last distances are all below this",
        source="You et al. 2020, Alg. 1: 0.1",
    )
    every: Count | None = setting(
        None,
        description="of find_early: iterations from one mask to the next; left out: an epoch",
        source="You et al. 2020, Alg. 1: an epoch",
    )
    checks: Count = setting(
        5, description="of find_early: so many distances in a row", source="You et al. 2020, Alg. 1: 5"
    )
