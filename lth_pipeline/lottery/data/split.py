"""Stratified splits: every class keeps its share, and the draw is seeded."""

from __future__ import annotations

import torch


def stratified(labels: torch.Tensor, size: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Two int64 index tensors (rest, held out) into `labels` (N,) with exactly `size` held out.

    Each class gives its share of `size`, rounded down; what is missing comes from the classes with the
    largest remainders (the smaller label first where they tie).
    """
    if not 0 < size < len(labels):
        raise ValueError(f"cannot hold out {size} of {len(labels)} examples")
    counts = torch.bincount(labels)
    quotas = [divmod(int(count) * size, len(labels)) for count in counts]
    by_remainder = sorted(range(len(quotas)), key=lambda label: (-quotas[label][1], label))
    takes = [quota for quota, _ in quotas]
    for label in by_remainder[: size - sum(takes)]:
        takes[label] += 1
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label, take in enumerate(takes):
        members = (labels == label).nonzero().squeeze(1)
        held_out[members[torch.randperm(len(members), generator=generator)[:take]]] = True
    return (~held_out).nonzero().squeeze(1), held_out.nonzero().squeeze(1)
