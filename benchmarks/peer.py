"""What a LeNet training looks like in most public code: the yardstick for what a user has today.

Each example is made into a picture, then a tensor, then normalised, one by one, by a Dataset and a DataLoader; the
network is an nn.Module, Adam is torch's default, and weights are multiplied by their masks after each step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from time import perf_counter

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.lenet import BATCH, DEVIATION, MEAN, SCHEDULE
from lth_pipeline.lottery.models.model import Model, Tensors
from lth_pipeline_tests.torchvision_here import torchvision_here

transforms = torchvision_here().transforms


class Pictures(Dataset):
    """uint8 images (N, 1, H, W), an example at a time, as torchvision's MNIST gives them."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.images, self.labels = images.squeeze(1), labels
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (DEVIATION,))])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.images[index].numpy())), int(self.labels[index])


class Peer:
    """The network under `mask` (None: dense), its optimiser, and the loop's body."""

    def __init__(self, model: Model, weights: Tensors, mask: Tensors | None) -> None:
        linears = [nn.Linear(layer.shape[1], layer.shape[0]) for layer in model.layers]
        between = [module for linear in linears[:-1] for module in (linear, nn.ReLU())]
        self.network = nn.Sequential(nn.Flatten(), *between, linears[-1])
        self.masks = []
        for layer, linear in zip(model.layers, linears, strict=True):
            linear.weight.data.copy_(weights[layer.weight])
            linear.bias.data.copy_(weights[f"{layer.name}.bias"])
            kept = torch.ones(layer.shape) if mask is None else mask[layer.weight].float()
            self.masks.append((linear.weight, kept))
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=SCHEDULE.learning_rate)
        self.criterion = nn.CrossEntropyLoss()

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.optimiser.zero_grad()
        self.criterion(self.network(images), labels).backward()
        self.optimiser.step()
        for weight, kept in self.masks:
            weight.data.mul_(kept)

    def evaluate(self, pictures: Pictures) -> tuple[float, float]:
        """(mean cross-entropy, share classified correctly)"""
        self.network.eval()
        loss, correct = 0.0, 0
        with torch.no_grad():
            for images, labels in DataLoader(pictures, batch_size=BATCH, num_workers=0):
                logits = self.network(images)
                loss += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
                correct += (logits.argmax(1) == labels).sum().item()
        self.network.train()
        return loss / len(pictures), correct / len(pictures)


def shuffled(pictures: Pictures) -> Iterator:
    return iter(DataLoader(pictures, batch_size=BATCH, shuffle=True, num_workers=0))


def in_order(pictures: Pictures, order: Iterable[torch.Tensor]) -> Iterator:
    """The batches of `order`, which holds indices."""
    return iter(DataLoader(pictures, batch_sampler=[index.tolist() for index in order], num_workers=0))


def seconds_a_step(peer: Peer, pictures: Pictures, steps: int) -> float:
    """After one step that warms up; what an epoch begins with is outside."""
    loader = shuffled(pictures)
    peer.step(*next(loader))
    started = perf_counter()
    for images, labels in islice(loader, steps):
        peer.step(images, labels)
    return (perf_counter() - started) / steps
