"""`pruning:` how a network is pruned."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lth_pipeline.experiments.settings.base import FieldFault, Rate, Settings, setting


class PruningSettings(Settings):
    scope: Literal["layerwise", "global"] = setting(
        description="rank weights within each layer, or all together", source="Frankle & Carbin 2019, §2 and §4"
    )
    rates: dict[Literal["fc", "conv", "shortcut"], Rate] = setting(
        description="share of the survivors pruned in a round, by kind of layer; 0, or no entry, leaves a kind out",
        source="Frankle & Carbin 2019, Fig. 2",
    )
    output_rate: Rate | None = setting(
        None, description="rate of the output layer; left out: that of its kind", source="Frankle & Carbin 2019, §2"
    )
    rounds: Annotated[int, Field(ge=1, le=1000)] = setting(
        description="how often to prune", source="Frankle & Carbin 2019, §1"
    )

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> PruningSettings:
        if not any(self.rates.values()) and not self.output_rate:
            raise FieldFault(
                "rates", self.rates, "prunes nothing; give at least one kind a rate above 0, such as fc: 0.2"
            )
        if self.scope == "global":
            positive = {rate for rate in self.rates.values() if rate}
            if len(positive) > 1:
                raise FieldFault(
                    "rates", self.rates, "a global ranking has one rate; give the kinds it ranks the same one"
                )
            if self.output_rate:
                expected = "has no effect in a global ranking; leave it out, or 0 to leave the output layer unpruned"
                raise FieldFault("output_rate", self.output_rate, expected)
        return self
