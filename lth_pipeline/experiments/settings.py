"""The settings of an experiment. What the fields say here is what `lth show` and the docs say.

Every default here is part of the identity of recipes (only what differs from it enters a hash): a new
setting gets a default that means "as before", and no default is ever changed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _number(value: Any) -> Any:
    """YAML 1.1 reads 2e-4 (no point) as text; a person means the number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _sequence(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("every entry may stand here once")
    return values


Count = Annotated[int, Field(ge=1, le=10**9)]
Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
PositiveNumber = Annotated[Number, Field(gt=0)]
Rate = Annotated[Number, Field(ge=0, lt=1)]


class Settings(BaseModel):
    """Frozen; unknown keys and wrong types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataSettings(Settings):
    name: Literal["digits", "mnist", "fashion_mnist"] = Field(description="the data set")
    validation_size: Count = Field(description="images of the training part held out for validation, stratified")
    normalisation: Literal["standard", "unit"] = Field(
        "standard",
        description="standard: mean 0 and deviation 1 over the training part; unit: pixels in [0, 1]",
    )


class ModelSettings(Settings):
    name: Literal["mlp"] = Field(description="the network")
    widths: Annotated[tuple[Count, ...], BeforeValidator(_sequence), Field(min_length=1)] = Field(
        description="units of each hidden layer; LeNet-300-100 is [300, 100]"
    )
    initialisation: Literal["glorot_normal"] = Field("glorot_normal", description="how weights are drawn")


class TrainingSettings(Settings):
    optimiser: Literal["adam", "sgd"] = Field(description="the optimiser")
    learning_rate: PositiveNumber = Field(description="its learning rate")
    momentum: Rate | None = Field(None, description="sgd only: its momentum")
    batch_size: Count = Field(description="examples a step")
    iterations: Count = Field(description="steps of one training")
    evaluate_every: Count = Field(description="steps between evaluations on validation and test part")

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> TrainingSettings:
        if self.optimiser == "adam" and self.momentum is not None:
            raise FieldFault("momentum", self.momentum, "has no effect on adam; leave it out, or use optimiser: sgd")
        if self.evaluate_every > self.iterations:
            expected = f"must not exceed training.iterations ({self.iterations})"
            raise FieldFault("evaluate_every", self.evaluate_every, expected)
        return self


class PruningSettings(Settings):
    scope: Literal["layerwise", "global"] = Field(description="rank weights within each layer, or all together")
    rates: dict[Literal["fc", "conv"], Rate] = Field(
        description="share of the surviving weights pruned in a round, by kind of layer (fc, conv); 0 leaves a kind out"
    )
    output_rate: Rate | None = Field(None, description="rate of the output layer; left out: that of its kind")
    rounds: Annotated[int, Field(ge=1, le=1000)] = Field(description="how often to prune")

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


class RewindSettings(Settings):
    iteration: Annotated[int, Field(ge=0, le=10**9)] = Field(
        0,
        description="the rewind point: tickets return to the weights of this iteration and train on from it",
    )


class Branch(Settings):
    experiment: str = Field(description="whose rounds to take over")
    round: Count = Field(description="the first round that is this experiment's own")


class Experiment(Settings):
    """One card. `name` is the name of its file."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    description: str = Field("", description="one sentence for lists")
    data: DataSettings = Field(description="what it learns from")
    model: ModelSettings = Field(description="the network")
    training: TrainingSettings = Field(description="how it is trained")
    pruning: PruningSettings = Field(description="how it is pruned")
    rewind: RewindSettings = RewindSettings()
    arms: Annotated[tuple[Literal["ticket", "reinit"], ...], BeforeValidator(_sequence), AfterValidator(_distinct)] = (
        Field(("ticket", "reinit"), description="what is trained in each round: ticket, and its controls")
    )
    replicates: Count = Field(description="how many seeds `lth run` takes")
    seed: Annotated[int, Field(ge=0, lt=2**63)] = Field(0, description="the root of every random stream")
    branch_of: Branch | None = Field(None, description="take over another experiment's rounds below `round`")

    @model_validator(mode="after")
    def _fields_agree(self) -> Experiment:
        if "ticket" not in self.arms:
            raise FieldFault("arms", list(self.arms), "must contain ticket: each round prunes the one before it")
        if self.rewind.iteration >= self.training.iterations:
            expected = f"must be below training.iterations ({self.training.iterations})"
            raise FieldFault("rewind.iteration", self.rewind.iteration, expected)
        return self

    @property
    def controls(self) -> tuple[str, ...]:
        """The arms beside the ticket, in the order of the card."""
        return tuple(arm for arm in self.arms if arm != "ticket")


class FieldFault(ValueError):
    """Raised in a validator of several fields, to name the one at fault."""

    def __init__(self, field: str, value: object, expected: str):
        super().__init__(expected)
        self.field, self.value, self.expected = field, value, expected
