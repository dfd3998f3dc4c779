"""`analysis:` what the analyses of an experiment look at; nothing that is trained depends on it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from lth_pipeline.experiments.settings.base import Number, Settings, sequence, setting


def rising(values: tuple) -> tuple:
    if list(values) != sorted(set(values)):
        raise ValueError("must rise, every number once")
    return values


class AnalysisSettings(Settings):
    margin: Annotated[Number, Field(gt=0, le=0.2)] = setting(
        0.005,
        description="how far below dense a ticket's test accuracy may lie and still match it: 0.005 is half a "
        "percentage point",
    )
    rounds: (
        Annotated[
            tuple[Annotated[int, Field(ge=0, le=999)], ...],
            BeforeValidator(sequence),
            AfterValidator(rising),
            Field(min_length=1, max_length=30),
        ]
        | None
    ) = setting(
        None,
        description="the rounds whose networks landscapes, connectivity, robustness and the like look at; left out: "
        "the dense network, the last round and two between (the small network of fully connected layers: every round)",
    )
    examples: Annotated[int, Field(ge=10, le=10**6)] = setting(
        1000, description="images that landscapes, gradients, corruptions and attacks look at, drawn by the seed"
    )
    landscape_points: Annotated[int, Field(ge=5, le=101)] = setting(
        21,
        description="points of a loss surface along each of its two directions",
        source="Li et al. 2018 (Visualizing the Loss Landscape): 51",
    )
    line_points: Annotated[int, Field(ge=3, le=101)] = setting(
        11,
        description="points on the line between two trained networks, its ends among them",
        source="Frankle et al. 2020 (Linear Mode Connectivity and the Lottery Ticket Hypothesis): 30",
    )
    rewind_points: Annotated[
        tuple[Annotated[Number, Field(ge=0, lt=1)], ...],
        BeforeValidator(sequence),
        AfterValidator(rising),
        Field(min_length=1, max_length=20),
    ] = setting(
        (0.0, 0.01, 0.05, 0.2),
        description="the points of training, as shares of it, from which two copies of the dense network are trained "
        "to see whether it is stable there by then",
        source="Frankle et al. 2020: LeNet is stable from 0, ResNet-20 from 0.03",
    )
    severities: Annotated[
        tuple[Annotated[int, Field(ge=1, le=5)], ...],
        BeforeValidator(sequence),
        AfterValidator(rising),
        Field(min_length=1),
    ] = setting(
        (1, 3, 5),
        description="how strongly images are corrupted, 1 to 5",
        source="Hendrycks & Dietterich 2019 (Benchmarking Neural Network Robustness): 1 to 5",
    )
    radii: Annotated[
        tuple[Annotated[Number, Field(gt=0, le=1)], ...],
        BeforeValidator(sequence),
        AfterValidator(rising),
        Field(min_length=1, max_length=20),
    ] = setting(
        (0.01, 0.03, 0.1, 0.3),
        description="how far an attack may change each pixel, of a full scale of 1",
        source="Madry et al. 2018: 0.3 for MNIST, 8/255 for CIFAR-10",
    )
    noisy_labels: Annotated[
        tuple[Annotated[Number, Field(gt=0, lt=1)], ...],
        BeforeValidator(sequence),
        AfterValidator(rising),
        Field(min_length=1, max_length=10),
    ] = setting(
        (0.2, 0.4),
        description="shares of training labels that are replaced by others, drawn by the seed",
        source="Zhang et al. 2017 (Understanding Deep Learning Requires Rethinking Generalization): 0 to 1",
    )
    semi_structured: bool = setting(
        False,
        description="whether the small network is also measured with weights two of four of which are zero in the "
        "GPU's own form, in float16: on a GPU that has it, where the mask leaves such layers",
        source="Mishra et al. 2021 (Accelerating Sparse Deep Neural Networks)",
    )
    resamples: Annotated[int, Field(ge=100, le=10**6)] = setting(
        10000, description="bootstrap resamples of the replicates for intervals"
    )
