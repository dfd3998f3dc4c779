"""`model:` the network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from lth_pipeline.experiments.errors import MISSING
from lth_pipeline.experiments.settings.base import Count, FieldFault, Number, Settings, sequence, setting

#: setting -> the networks that it is for
FOR = {
    "widths": ("mlp",),
    "depth": ("resnet_cifar",),
    "filters": ("resnet_cifar",),
    "dropout": ("mlp", "lenet5", "conv2", "conv4", "conv6"),
}
#: those of them that these networks must be given
NEEDED = ("widths", "depth")


class ModelSettings(Settings):
    name: Literal[
        "mlp",
        "lenet5",
        "conv2",
        "conv4",
        "conv6",
        "vgg11",
        "vgg13",
        "vgg16",
        "vgg19",
        "resnet_cifar",
        "resnet18",
        "resnet50",
    ] = setting(
        description="the network",
        source="Frankle & Carbin 2019, Fig. 2; LeCun et al. 1998; Simonyan & Zisserman 2015; He et al. 2015",
    )
    widths: Annotated[tuple[Count, ...], BeforeValidator(sequence), Field(min_length=1)] | None = setting(
        None,
        description="mlp only: units of each hidden layer; LeNet-300-100 is [300, 100]",
        source="Frankle & Carbin 2019, Fig. 2",
    )
    depth: Annotated[int, Field(ge=1, le=10_000)] | None = setting(
        None,
        description="resnet_cifar only: 6n + 2 layers; 20 is what the lottery ticket paper calls ResNet-18",
        source="He et al. 2015, §4.2",
    )
    filters: Count = setting(
        16, description="resnet_cifar only: filters of the first stage", source="He et al. 2015, §4.2"
    )
    dropout: Annotated[Number, Field(gt=0, lt=1)] | None = setting(
        None,
        description="mlp, lenet5, conv2 to conv6: share of the hidden fully connected units dropped in a step",
        source="Srivastava et al. 2014; Frankle & Carbin 2019, §3: 0.5",
    )
    initialisation: Literal["glorot_normal", "kaiming_normal"] = setting(
        "glorot_normal", description="how weights are drawn", source="Glorot & Bengio 2010; He et al. 2015 (rectifiers)"
    )

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> ModelSettings:
        for field, networks in FOR.items():
            value = getattr(self, field)
            if value != type(self).model_fields[field].default and self.name not in networks:
                raise FieldFault(field, value, f"has no effect on {self.name}; it is for {', '.join(networks)}")
            if value is None and self.name in networks and field in NEEDED:
                raise FieldFault(field, MISSING, f"is missing; {self.name} needs it")
        return self
