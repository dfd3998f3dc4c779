"""The tensors of several networks of one model, in one flat tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import prod

import torch

from lth_pipeline.lottery.models.model import Tensors

ALIGNED = 64  # elements: a tensor starts at a multiple of 256 bytes, as one that torch allocates itself does


@dataclass(frozen=True)
class Layout:
    """Where the tensors of R networks lie: tensor after tensor, of each the R networks' one after the other.

    So a tensor of all networks (R, *shape) and one network's part of it are both views without gaps, and the
    optimiser, the clearing of pruned gradients and a copy to the CPU take one kernel each, however many tensors the
    model has.

    shapes: {name: shape in one network}, in the order in which they lie.
    """

    networks: int
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def starts(self) -> list[int]:
        """Where each tensor starts, and at last the length of the whole."""
        taken = (-(-self.networks * prod(shape) // ALIGNED) * ALIGNED for shape in self.shapes.values())
        return list(accumulate(taken, initial=0))

    def zeros(self, device: torch.device, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros(self.starts[-1], dtype=dtype, device=device)

    def views(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """{name: (R, *shape)} into `flat`."""
        return {
            name: flat[start : start + self.networks * prod(shape)].view(self.networks, *shape)
            for start, (name, shape) in zip(self.starts, self.shapes.items(), strict=False)
        }

    def alone(self, flat: torch.Tensor, network: int) -> dict[str, torch.Tensor]:
        """{name: shape} of one network, into `flat`."""
        return {name: stacked[network] for name, stacked in self.views(flat).items()}

    def joined(self, pieces: Sequence[Sequence[torch.Tensor]], gap: torch.Tensor) -> torch.Tensor:
        """One flat tensor, new, of the `pieces` of each tensor in order: the stacked one, or one for each network.

        gap: ALIGNED zeros on the same device, which end up between the tensors.
        """
        parts = []
        for (start, end), of_tensor in zip(pairwise(self.starts), pieces, strict=True):
            parts += [piece.reshape(-1) for piece in of_tensor]
            if rest := end - start - sum(piece.numel() for piece in of_tensor):
                parts.append(gap[:rest])
        return torch.cat(parts)


def layout(networks: Sequence[Tensors], names: Sequence[str]) -> Layout:
    return Layout(len(networks), {name: tuple(networks[0][name].shape) for name in names})


def stacked(layout: Layout, networks: Sequence[Tensors], device: torch.device) -> torch.Tensor:
    """One flat float32 tensor of the networks' tensors; one that a network lacks is zero."""
    flat = layout.zeros(torch.device("cpu"))
    for name, view in layout.views(flat).items():
        for row, tensors in zip(view, networks, strict=True):
            if name in tensors:
                row.copy_(tensors[name].detach())
    return flat.to(device)


def survivors(layout: Layout, masks: Sequence[Tensors | None], device: torch.device) -> torch.Tensor | None:
    """Flat int32: all bits of a float32 where a weight survives or has no mask, none where it is pruned.

    None where no network has a mask.
    """
    if not any(masks):
        return None
    flat = layout.zeros(torch.device("cpu"), torch.int32).bitwise_not_()
    for name, view in layout.views(flat).items():
        for row, mask in zip(view, masks, strict=True):
            if mask and name in mask:
                row.copy_(mask[name]).neg_()
    return flat.to(device)
