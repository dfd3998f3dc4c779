"""What networks compute, piece by piece. Imports torch: builders import this file when logits are asked for."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.nn.functional import batch_norm, conv2d, linear, max_pool2d

from lth_pipeline.lottery.models.model import Layer, Mode, Norm, Tensors
from lth_pipeline.lottery.models.specs import Unit

MOMENTUM = 0.1  # share of the batch in the new running statistics; torch's and torchvision's, as is EPS
EPS = 1e-5  # added to the variance


def laid_out(images: torch.Tensor) -> torch.Tensor:
    """`images` (N, C, H, W) in the memory layout in which convolutions are fastest; rounding aside, no result changes.

    On a CPU that is channels last, which every later activation keeps. On one core a training step then takes
    0.85 of the time for lenet5 and conv6 and 0.72 for resnet_cifar of depth 20, and conv2's evaluation 0.56.
    """
    if images.device.type != "cpu":
        return images
    if images.shape[1] == 1:  # both layouts are one, and torch takes it for channels first unless its strides say no
        height, width = images.shape[2:]
        return images.contiguous().as_strided(images.shape, (height * width, 1, width, 1))
    return images.contiguous(memory_format=torch.channels_last)


def conv(weights: Tensors, layer: Layer, activations: torch.Tensor, padding: int) -> torch.Tensor:
    """(N, in, H, W) -> (N, out, H′, W′), stride 1, with the layer's bias."""
    return conv2d(activations, weights[layer.weight], weights[f"{layer.name}.bias"], padding=padding)


def normalised(weights: Tensors, norm: Norm, activations: torch.Tensor, mode: Mode) -> torch.Tensor:
    """Batch normalisation of (N, C, H, W) over N, H and W (Ioffe & Szegedy 2015, alg. 1 and 2).

    In training the batch's own statistics are used, the whole batch's where this is a share of it, and the running
    ones in `weights` are moved, in place.
    """
    mean, variance = (weights[name] for name in norm.buffers)
    weight, bias = weights[f"{norm.name}.weight"], weights[f"{norm.name}.bias"]
    if mode.training and mode.share:
        from lth_pipeline.lottery.models.joint_norm import joint_batch_norm

        return joint_batch_norm(activations, (mean, variance), weight, bias, MOMENTUM, EPS, mode.share)
    return batch_norm(activations, mean, variance, weight, bias, mode.training, MOMENTUM, EPS)


def conv_norm(weights: Tensors, unit: Unit, activations: torch.Tensor, mode: Mode) -> torch.Tensor:
    """(N, in, H, W) -> (N, out, ⌈H / stride⌉, ⌈W / stride⌉); no ReLU yet, which may be done in place."""
    padding = unit.layer.shape[-1] // 2
    activations = conv2d(activations, weights[unit.layer.weight], None, unit.stride, padding)
    return normalised(weights, unit.norm, activations, mode)


def pooled_relu(activations: torch.Tensor) -> torch.Tensor:
    """2×2 max pooling and ReLU: (N, C, H, W) -> (N, C, ⌊H / 2⌋, ⌊W / 2⌋).

    In this order the ReLU has a quarter of the work, and it changes no number: the greatest of four is cut at
    zero as it would be if all four were cut first, and the gradient goes where it would have gone. A training step
    of conv2 takes 0.9 of the time.
    """
    return max_pool2d(activations, 2).relu_()


def dropout(activations: torch.Tensor, rate: float, mode: Mode) -> torch.Tensor:
    """Each element is dropped with probability `rate` in training, the others are scaled by 1 / (1 − rate).

    Scaled in training, so that evaluation does nothing (inverted dropout; Srivastava et al. 2014). What is
    dropped is drawn on the CPU whatever the device, for the whole batch whatever the share of it, so it is the same
    everywhere.
    """
    if not rate or not mode.training:
        return activations
    if mode.draws is None:
        raise ValueError("dropout in training needs the generator that it draws from: Mode(training=True, draws=…)")
    keep = 1.0 - rate
    whole = activations.shape if mode.share is None else (mode.share.batch, *activations.shape[1:])
    kept = torch.rand(whole, generator=mode.draws) < keep
    if mode.share:
        kept = kept[mode.share.own]
    return (activations * kept.to(activations.device)).mul_(1.0 / keep)


def dense(
    weights: Tensors, layers: Iterable[Layer], activations: torch.Tensor, rate: float, mode: Mode
) -> torch.Tensor:
    """(N, in) -> (N, classes): fully connected, each hidden layer with ReLU and dropout of `rate`."""
    for layer in layers:
        activations = linear(activations, weights[layer.weight], weights[f"{layer.name}.bias"])
        if not layer.is_output:
            activations = dropout(activations.relu_(), rate, mode)
    return activations


def averaged(weights: Tensors, output: Layer, activations: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (N, classes): the mean of each channel, then the output layer."""
    return linear(activations.mean((2, 3)), weights[output.weight], weights[f"{output.name}.bias"])
