"""`resources:` what a run of a card holds while it trains, where an engine hands machines out (docs/cluster.md)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lth_pipeline.experiments.errors import MISSING
from lth_pipeline.experiments.settings.base import FieldFault, Number, PositiveNumber, Settings, setting


class ResourceSettings(Settings):
    gpus: Annotated[int, Field(ge=0, le=64)] | None = setting(
        None, description="GPUs of a run; whole ones, for at most one run holds a GPU"
    )
    cpus: Annotated[Number, Field(gt=0, le=1024)] | None = setting(None, description="processor cores of a run")
    memory_gb: PositiveNumber | None = setting(None, description="main memory of a run, in GiB")

    @model_validator(mode="after")
    def _says_something(self) -> ResourceSettings:
        if self.gpus is None and self.cpus is None and self.memory_gb is None:
            raise FieldFault("", MISSING, "asks for nothing; give gpus, cpus or memory_gb, or leave it out")
        return self
