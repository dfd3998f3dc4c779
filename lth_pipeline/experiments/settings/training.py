"""`training:` how a network is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from lth_pipeline.experiments.errors import MISSING
from lth_pipeline.experiments.settings.base import (
    Count,
    FieldFault,
    Number,
    PositiveNumber,
    Rate,
    Settings,
    sequence,
    setting,
)


class TrainingSettings(Settings):
    optimiser: Literal["adam", "adamw", "sgd"] = setting(
        description="the optimiser", source="Kingma & Ba 2015; Loshchilov & Hutter 2019"
    )
    learning_rate: PositiveNumber = setting(
        description="its learning rate; with warm-up or decay, the highest", source="Frankle & Carbin 2019, Fig. 2"
    )
    momentum: Rate | None = setting(None, description="sgd only: its momentum", source="Frankle & Carbin 2019, §4: 0.9")
    nesterov: bool = setting(False, description="sgd with momentum only: Nesterov's", source="Sutskever et al. 2013")
    weight_decay: PositiveNumber | None = setting(
        None,
        description="of all that is learned; adam and sgd add it to the gradient, adamw shrinks the weights",
        source="Frankle & Carbin 2019, §4: 1e-4",
    )
    schedule: Literal["constant", "step", "cosine"] = setting(
        "constant",
        description="how the learning rate falls; cosine: to 0 at the end of training",
        source="Frankle & Carbin 2019, §4; Loshchilov & Hutter 2017",
    )
    step_at: Annotated[tuple[Count, ...], BeforeValidator(sequence), Field(min_length=1)] | None = setting(
        None,
        description="schedule step only: iterations after which the learning rate falls",
        source="Frankle & Carbin 2019, §4",
    )
    step_factor: Annotated[Number, Field(gt=0, lt=1)] = setting(
        0.1,
        description="schedule step only: what it is multiplied by",
        source="Frankle & Carbin 2019, §4",
    )
    warmup: Count | None = setting(
        None,
        description="iterations over which the learning rate rises in a line from 0 to its highest",
        source="Frankle & Carbin 2019, §4",
    )
    label_smoothing: Annotated[Number, Field(gt=0, lt=1)] | None = setting(
        None, description="share of the target spread over all classes", source="Szegedy et al. 2016, §7"
    )
    clip_norm: PositiveNumber | None = setting(
        None, description="greatest norm of the gradient, all tensors together", source="Pascanu et al. 2013"
    )
    patience: Count | None = setting(
        None, description="stop after so many evaluations without a lower validation loss; left out: train to the end"
    )
    precision: Literal["float32", "tf32", "bfloat16"] = setting(
        "float32",
        description="of products and convolutions; tf32: a GPU rounds their factors to 10 bits of mantissa, a CPU does "
        "not; bfloat16: the forward pass as torch's autocast has it, weights and optimiser stay float32",
        source="Micikevicius et al. 2018 (mixed precision)",
    )
    batch_size: Count = setting(description="examples a step", source="Frankle & Carbin 2019, Fig. 2")
    iterations: Count = setting(description="steps of one training", source="Frankle & Carbin 2019, Fig. 2")
    evaluate_every: Count = setting(
        description="steps between evaluations on validation and test part", source="Frankle & Carbin 2019, §2: 100"
    )

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> TrainingSettings:
        if self.optimiser != "sgd" and self.momentum is not None:
            expected = f"has no effect on {self.optimiser}; leave it out, or use optimiser: sgd"
            raise FieldFault("momentum", self.momentum, expected)
        if self.nesterov and not self.momentum:
            raise FieldFault("nesterov", True, "needs optimiser: sgd with a momentum above 0; leave it out")
        if self.evaluate_every > self.iterations:
            expected = f"must not exceed training.iterations ({self.iterations})"
            raise FieldFault("evaluate_every", self.evaluate_every, expected)
        self._check_schedule()
        if self.optimiser == "adamw" and self.weight_decay is None:
            raise FieldFault("weight_decay", MISSING, "is missing; without it adamw is adam")
        return self

    def _check_schedule(self) -> None:
        if self.schedule != "step":
            for field in ("step_at", "step_factor"):
                value = getattr(self, field)
                if value != type(self).model_fields[field].default:
                    raise FieldFault(field, value, f"has no effect on schedule: {self.schedule}; it is for step")
        elif self.step_at is None:
            raise FieldFault("step_at", MISSING, "is missing; schedule: step needs it, such as step_at: [20000, 25000]")
        else:
            if list(self.step_at) != sorted(set(self.step_at)):
                raise FieldFault("step_at", list(self.step_at), "must rise from one to the next")
            if self.warmup and self.step_at[0] < self.warmup:
                expected = f"must not fall inside the warm-up, which lasts {self.warmup} iterations"
                raise FieldFault("step_at", list(self.step_at), expected)
            if self.step_at[-1] >= self.iterations:
                expected = f"must be below training.iterations ({self.iterations}), or it has no effect"
                raise FieldFault("step_at", list(self.step_at), expected)
        if self.warmup is not None and self.warmup >= self.iterations:
            raise FieldFault("warmup", self.warmup, f"must be below training.iterations ({self.iterations})")
        if self.warmup == 1:
            raise FieldFault("warmup", 1, "has no effect; give 2 iterations or more, or leave it out")
