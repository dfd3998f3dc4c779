"""Batch normalisation over a batch that is spread over several processes: the statistics are the whole batch's.

torch's SyncBatchNorm does the same on GPUs alone.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from lth_pipeline.lottery.models.share import Share


def joint_batch_norm(
    activations: torch.Tensor,
    running: tuple[torch.Tensor, torch.Tensor],
    weight: torch.Tensor,
    bias: torch.Tensor,
    momentum: float,
    eps: float,
    share: Share,
) -> torch.Tensor:
    """What batch_norm gives in training for this process's examples (N, C, H, W), if it saw those of all.

    running: mean and variance (C,), moved in place, to the same bits in every process. All must call it, in one order.
    """
    positions = activations.numel() // (len(activations) * activations.shape[1])
    counts = torch.tensor(share.counts, dtype=torch.float32, device=activations.device) * positions
    with torch.no_grad():
        mean, variance = _joint_statistics(activations.detach(), counts)
        count = share.batch * positions
        for tensor, new in zip(running, (mean, variance * (count / (count - 1))), strict=True):
            tensor.mul_(1 - momentum).add_(new, alpha=momentum)
    return _JointNorm.apply(activations, weight, bias, mean, variance, eps, count)


def _joint_statistics(activations: torch.Tensor, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(mean (C,), variance (C,), over all, not Bessel's), from those of each process (Chan, Golub & LeVeque 1983): sums
    of squares would lose the variance of what lies far from zero.

    counts: float32 (processes,), numbers of a channel in each.
    """
    channels = activations.shape[1]
    own = torch.cat(_statistics(activations))  # (2C,)
    gathered = [torch.empty_like(own) for _ in counts]
    dist.all_gather(gathered, own)
    means, variances = torch.stack(gathered).split(channels, dim=1)
    shares = (counts / counts.sum()).unsqueeze(1)
    mean = (shares * means).sum(0)
    return mean, (shares * (variances + (means - mean).square())).sum(0)


def _statistics(activations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(mean, variance) of each channel, float32 (C,), by the pass that batch_norm itself makes."""
    none = torch.zeros(activations.shape[1], device=activations.device)  # float32, so that those of bfloat16 are
    return torch.batch_norm_update_stats(activations, none, none.clone(), 0.0)


class _JointNorm(Function):
    @staticmethod
    def forward(ctx, activations, weight, bias, mean, variance, eps, count):
        """mean, variance: of all processes' `count` numbers a channel."""
        ctx.save_for_backward(activations, weight, mean, variance)
        ctx.eps, ctx.count = eps, count
        return torch.native_batch_norm(activations, weight, bias, mean, variance, False, 0.0, eps)[0]

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        activations, weight, mean, variance = ctx.saved_tensors
        _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, activations, weight, mean, variance, None, None, False, ctx.eps, [False, True, True]
        )
        sums = torch.stack((of_bias, of_weight))
        dist.all_reduce(sums)
        by_mean, by_deviation = sums / ctx.count
        spread = (variance + ctx.eps).rsqrt()
        # weight · spread · (gradient − by_mean − by_deviation · (activations − mean) · spread): each number moves both
        scale = weight * spread
        slope = -scale * spread * by_deviation
        level = -scale * by_mean - slope * mean
        of_input = torch.addcmul(_channels(level), activations, _channels(slope)).addcmul_(gradient, _channels(scale))
        return of_input.to(activations.dtype), of_weight, of_bias, None, None, None, None


def _channels(values: torch.Tensor) -> torch.Tensor:
    """(C,) -> (1, C, 1, 1)."""
    return values.view(1, -1, 1, 1)
