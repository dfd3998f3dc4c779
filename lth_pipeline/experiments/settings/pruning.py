"""`pruning:` how a network is pruned."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lth_pipeline.experiments.errors import MISSING
from lth_pipeline.experiments.settings.base import (
    Count,
    FieldFault,
    Number,
    Rate,
    Settings,
    distinct,
    sequence,
    setting,
)

#: criteria that rank weights by what a few training examples make of them
BY_EXAMPLES = ("snip", "grasp", "gradient_magnitude")
#: criteria that may be worked out again several times in a round, each time on what is left
STEPWISE = ("snip", "grasp", "synflow")

Density = Annotated[Number, Field(gt=0, lt=1)]
Names = Annotated[tuple[str, ...], BeforeValidator(sequence), AfterValidator(distinct)]


class PruningSettings(Settings):
    scope: Literal["layerwise", "global"] = setting(
        description="rank weights within each layer, or all together", source="Frankle & Carbin 2019, §2 and §4"
    )
    criterion: Literal[
        "magnitude",
        "magnitude_increase",
        "movement",
        "initial_magnitude",
        "random",
        "snip",
        "grasp",
        "synflow",
        "gradient_magnitude",
    ] = setting(
        "magnitude",
        description="what weights are ranked by; docs/pruning.md",
        source="Frankle & Carbin 2019, §2; Zhou et al. 2019, §3; Lee et al. 2019; Wang et al. 2020; "
        "Tanaka et al. 2020; Blalock et al. 2020",
    )
    structure: Literal["weights", "units"] = setting(
        "weights",
        description="prune single weights, or whole units and channels by the L2 norm of their weights",
        source="Li et al. 2017, §3.1, by the L1 norm",
    )
    mode: Literal["iterative", "one_shot"] = setting(
        "iterative",
        description="iterative: each round prunes the round before; one_shot: each round prunes the dense network anew",
        source="Frankle & Carbin 2019, §2",
    )
    rates: dict[Literal["fc", "conv", "shortcut"], Rate] | None = setting(
        None,
        description="share of the survivors pruned in a round, by kind of layer; 0, or no entry, leaves a kind out; "
        "needed without densities",
        source="Frankle & Carbin 2019, Fig. 2",
    )
    densities: Annotated[tuple[Density, ...], BeforeValidator(sequence), Field(min_length=1)] | None = setting(
        None,
        description="in place of rates: the density after each round, of all layers together, falling",
        source="Frankle & Carbin 2019, §2: one-shot",
    )
    layer_rates: dict[str, Rate] | None = setting(
        None, description="rates of single layers, by name or pattern such as layer3.*; layerwise only"
    )
    output_rate: Rate | None = setting(
        None, description="rate of the output layer; left out: that of its kind", source="Frankle & Carbin 2019, §2"
    )
    output_factor: Annotated[Number, Field(gt=0, lt=1)] | None = setting(
        None,
        description="in place of output_rate: the output layer is pruned by so many times the rate of its kind",
        source="Frankle & Carbin 2019, §2: 0.5",
    )
    leave_out: Names = setting((), description="layers that are never pruned, by name or pattern such as *.shortcut")
    rounds: Annotated[int, Field(ge=1, le=1000)] | None = setting(
        None, description="how often to prune; with densities: their number", source="Frankle & Carbin 2019, §1"
    )
    examples: Count | None = setting(
        None,
        description="snip, grasp, gradient_magnitude: training examples, as many of each class; left out: ten of each",
        source="Wang et al. 2020, §5; Frankle et al. 2021, §3: ten for each class",
    )
    steps: Count | None = setting(
        None,
        description="snip, grasp, synflow: prune in so many steps a round; left out: 100 for synflow, else 1",
        source="Tanaka et al. 2020, Alg. 1: 100",
    )
    empty_layers: Literal["refuse", "allow"] = setting(
        "refuse", description="refuse: a layer that is pruned away whole is an error; allow: it is recorded"
    )

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> PruningSettings:
        self._check_ladder()
        self._check_scope()
        for field, criteria in (("examples", BY_EXAMPLES), ("steps", STEPWISE)):
            value = getattr(self, field)
            if value is not None and self.criterion not in criteria:
                expected = f"has no effect on criterion: {self.criterion}; it is for {', '.join(criteria)}"
                raise FieldFault(field, value, expected)
        return self

    def _check_ladder(self) -> None:
        if self.densities is not None:
            for field in ("rates", "layer_rates", "output_rate"):
                if getattr(self, field) is not None:
                    expected = "has no effect beside densities; leave one of them out (null where it is inherited)"
                    raise FieldFault(field, getattr(self, field), expected)
            if list(self.densities) != sorted(set(self.densities), reverse=True):
                raise FieldFault("densities", list(self.densities), "must fall from one to the next")
            if self.rounds not in (None, len(self.densities)):
                expected = f"must be the number of densities, {len(self.densities)}; leave it out"
                raise FieldFault("rounds", self.rounds, expected)
            # frozen, and not counted among what the card has set: it follows from the densities
            self.__dict__["rounds"] = len(self.densities)
            return
        if self.rates is None and not self.layer_rates:
            raise FieldFault(
                "rates", MISSING, "is missing; give rates such as {fc: 0.2}, or densities such as [0.5, 0.2]"
            )
        if self.rounds is None:
            raise FieldFault("rounds", MISSING, "is missing; say how often to prune")
        positive = [*(self.rates or {}).values(), *(self.layer_rates or {}).values(), self.output_rate or 0.0]
        if not any(positive):
            raise FieldFault(
                "rates", self.rates, "prunes nothing; give at least one kind a rate above 0, such as fc: 0.2"
            )
        if self.output_rate is not None and self.output_factor is not None:
            raise FieldFault("output_factor", self.output_factor, "has no effect beside output_rate; leave one out")

    def _check_scope(self) -> None:
        if self.scope == "layerwise":
            return
        positive = {rate for rate in (self.rates or {}).values() if rate}
        if len(positive) > 1:
            raise FieldFault("rates", self.rates, "a global ranking has one rate; give the kinds it ranks the same one")
        if self.output_rate:
            expected = "has no effect in a global ranking; leave it out, or 0 to leave the output layer unpruned"
            raise FieldFault("output_rate", self.output_rate, expected)
        for field in ("output_factor", "layer_rates"):
            if getattr(self, field) is not None:
                expected = "has no effect in a global ranking; use leave_out for layers that are not to be pruned"
                raise FieldFault(field, getattr(self, field), expected)
