"""Many networks together on a GPU, against what a plain PyTorch loop makes of it.

    python -m benchmarks.gpu            # on a box with CUDA, torch and numpy: minutes
    python -m benchmarks.gpu --short    # fewer steps; the whole protocol is worked out from a part of it
    python -m benchmarks.gpu --cpu      # everything tiny, to see that it runs; the figures say nothing

Prints a JSON object, name -> {value, unit, target}, with the machine under "machine". MNIST is read from LTH_DATA_DIR;
where it is not, images of its shape are drawn by lot, which changes no time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, repeat
from pathlib import Path
from time import perf_counter

import torch
from torch.nn.functional import cross_entropy, pad
from torch.utils.data import DataLoader, Dataset

from lth_pipeline.lottery.data.augmentation import Augmentation
from lth_pipeline.lottery.data.dataset import Data, Raw
from lth_pipeline.lottery.data.mnist import mnist
from lth_pipeline.lottery.data.parts import parts
from lth_pipeline.lottery.errors import DataError
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.models.model import Mode, Model, Tensors
from lth_pipeline.lottery.pruning import ladder, masks
from lth_pipeline.lottery.pruning.prune import prune
from lth_pipeline.lottery.randomness import generator, stream_seed
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.together import Network, train_together
from lth_pipeline.lottery.training.train import Trained

NETWORKS = 10  # five replicates of two arms
DENSITY = 0.2


@dataclass(frozen=True)
class Size:
    """How much is measured. steps: of ours, then of the peer's loop. rounds, iterations: of the LeNet protocol."""

    lenet: tuple[int, int]
    resnet: tuple[int, int]
    networks: int
    rounds: int
    iterations: int
    images: int  # of a training part drawn by lot


PROTOCOL = Size((20_000, 1_000), (500, 100), NETWORKS, 21, 50_000, 60_000)
SHORT = Size((5_000, 300), (100, 30), NETWORKS, 3, 5_000, 60_000)
TINY = Size((40, 10), (2, 1), 2, 2, 20, 600)


# -- the peer: one network, one example at a time


class Pictures(Dataset):
    """What torchvision's transforms do to an example: to float32 in [0, 1], cropped and mirrored, normalised."""

    def __init__(self, raw: Raw, mean: tuple[float, ...], std: tuple[float, ...], how: Augmentation | None) -> None:
        self.images, self.labels, self.how = raw.train_images, raw.train_labels, how
        self.mean, self.std = (torch.tensor(values).view(-1, 1, 1) for values in (mean, std))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = self.images[index].to(torch.float32).div(255)
        if self.how:
            margin, (height, width) = self.how.crop, image.shape[1:]
            top, left = torch.randint(0, 2 * margin + 1, (2,)).tolist()
            image = pad(image, (margin,) * 4)[:, top : top + height, left : left + width]
            image = image.flip(-1) if torch.rand(1) < 0.5 else image
        return image.sub(self.mean).div(self.std), int(self.labels[index])


def loaded(pictures: Pictures, batch_size: int, device: torch.device) -> Iterator:
    """Endless batches by the usual DataLoader."""
    loader = DataLoader(pictures, batch_size=batch_size, shuffle=True, pin_memory=device.type == "cuda")
    for images, labels in chain.from_iterable(repeat(loader)):
        yield images.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def lying_ready(data: Data, batch_size: int) -> Iterator:
    """Endless batches of a training part that lies on the device as floats: a peer who has thought about loading."""
    images, labels = data.train.images, data.train.labels
    while True:
        for index in torch.randperm(len(labels)).to(labels.device).split(batch_size):
            yield images[index], labels[index]


def peer_rate(model: Model, network: Network, batches: Iterator, schedule: Schedule, device, steps: int) -> float:
    """Steps a second of the usual loop: torch's default optimiser, weights multiplied by the mask after each step."""
    live = {name: tensor.to(device, copy=True) for name, tensor in network.weights.items()}
    learned = [live[name].requires_grad_() for name in live if name not in model.buffers]
    kept = {name: alive.to(device, torch.float32) for name, alive in network.mask.items()}
    if schedule.optimiser == "adam":
        optimiser = torch.optim.Adam(learned, lr=schedule.learning_rate)
    else:
        optimiser = torch.optim.SGD(
            learned, schedule.learning_rate, schedule.momentum, weight_decay=schedule.weight_decay or 0.0
        )

    def step() -> None:
        images, labels = next(batches)
        optimiser.zero_grad()
        cross_entropy(model.logits(live, images, Mode(True)), labels).backward()
        optimiser.step()
        for name, mask in kept.items():
            live[name].data.mul_(mask)

    for _ in range(3):
        step()
    return steps / timed(lambda: [step() for _ in range(steps)], device)[0]


# -- ours


def our_rate(model: Model, networks: list[Network], data: Data, schedule: Schedule, device, steps: int) -> float:
    """Network-steps a second: of so many more steps, so that what a training begins and ends with is outside."""

    def train(count: int) -> list[Trained]:
        return train_together(model, networks, data, replace(schedule, iterations=count, evaluate_every=count))

    train(max(1, steps // 10))
    few, _ = timed(partial(train, max(1, steps // 10)), device)
    many, _ = timed(partial(train, max(1, steps // 10) + steps), device)
    return len(networks) * steps / (many - few)


def timed(work: Callable, device: torch.device) -> tuple[float, object]:
    """(seconds, what it gives)"""
    wait = torch.cuda.synchronize if device.type == "cuda" else nullcontext
    wait()
    started = perf_counter()
    found = work()
    wait()
    return perf_counter() - started, found


# -- what is trained


def network(model: Model, number: int, mask: Tensors | None = None, arm: str = "ticket") -> Network:
    """Of replicate `number`; a random mask of DENSITY where none is given."""
    weights = model.initialise(generator(stream_seed(number, arm)))
    if mask is None:
        draws = generator(stream_seed(number, "mask"))
        mask = {layer.weight: torch.rand(layer.shape, generator=draws) < DENSITY for layer in model.layers}
    return Network(masks.apply(mask, weights), mask, lambda purpose, at: stream_seed(number, purpose, number=at))


def by_lot(shape: tuple[int, int, int], train: int, test: int) -> Raw:
    draws = generator(0)
    images = [torch.randint(256, (count, *shape), generator=draws, dtype=torch.uint8) for count in (train, test)]
    labels = [torch.randint(10, (count,), generator=draws) for count in (train, test)]
    return Raw(images[0], labels[0], images[1], labels[1])


def split(raw: Raw, device: torch.device, as_bytes: bool = False) -> Data:
    size = len(raw.train_labels) // 12  # 5,000 of MNIST's 60,000
    return parts(raw, "", validation_size=size, generator=generator(0), as_bytes=as_bytes, device=device)


def lenet_images(size: Size) -> tuple[Raw, str]:
    folder = os.environ.get("LTH_DATA_DIR")
    try:
        if folder and size is not TINY:
            return mnist(Path(folder)), "MNIST"
    except DataError as error:
        print(f"{error}\n", file=sys.stderr)
    return by_lot((1, 28, 28), size.images, size.images // 6), "images drawn by lot, of MNIST's shape"


def protocol(model: Model, data: Data, schedule: Schedule, size: Size) -> None:
    """Frankle & Carbin 2019, Fig. 4: rounds of 20 % (output 10 %) off by magnitude, each ticket and its control."""
    replicates = range(max(1, size.networks // 2))
    alive = [masks.ones(model) for _ in replicates]
    for done in range(size.rounds):
        tickets = [network(model, number, alive[number]) for number in replicates]
        controls = [network(model, number, alive[number], "control") for number in replicates] if done else []
        trained = train_together(model, tickets + controls, data, schedule)
        keep = {
            layer.weight: ladder.kept(layer.size, repeat(0.1 if layer.is_output else 0.2, done + 1))
            for layer in model.layers
        }
        for number in replicates:
            weights = trained[number].weights
            alive[number] = prune(alive[number], lambda mask, w=weights: {name: w[name].abs() for name in mask}, keep)


def lenet(size: Size, device: torch.device) -> dict:
    model = build("mlp", (1, 28, 28), 10, widths=(300, 100), initialisation="glorot_normal")
    schedule = Schedule("adam", 1.2e-3, batch_size=60, iterations=size.iterations, evaluate_every=100)
    raw, images = lenet_images(size)
    data = split(raw, device)
    networks = [network(model, number) for number in range(size.networks)]
    ours = our_rate(model, networks, data, schedule, device, size.lenet[0])
    pictures = Pictures(raw, data.mean, data.std, None)
    plain = peer_rate(model, networks[0], loaded(pictures, 60, device), schedule, device, size.lenet[1])
    ready = peer_rate(model, networks[0], lying_ready(data, 60), schedule, device, size.lenet[1])
    seconds, _ = timed(lambda: protocol(model, data, schedule, size), device)
    found = {
        "lenet_rate": figure(ours, "network-steps/s"),
        "lenet_plain_loop_rate": figure(plain, "network-steps/s"),
        "lenet_10_networks_over_peer_gpu": figure(ours / plain, "×", 50),
        "lenet_10_networks_over_peer_gpu_on_ready_data": figure(ours / ready, "×"),
    }
    if size is PROTOCOL:
        return found | {"lenet_protocol_seconds_gpu": figure(seconds, "s", 300, images)}
    # Round 0 has half the networks of the others; what one costs depends on how many are beside it only a little.
    share = (PROTOCOL.rounds / size.rounds) * (PROTOCOL.iterations / size.iterations)
    note = (
        f"{images}; worked out from {size.rounds} rounds of {size.iterations} iterations with {size.networks} networks"
    )
    return found | {"lenet_protocol_seconds_gpu_estimated": figure(seconds * share, "s", None, note)}


def resnet(size: Size, device: torch.device) -> dict:
    model = build("resnet_cifar", (3, 32, 32), 10, depth=20, initialisation="kaiming_normal")
    how = Augmentation(flip=True, crop=4)
    schedule = Schedule("sgd", 0.01, 128, 1, 1, momentum=0.9, weight_decay=1e-4, augmentation=how, precision="tf32")
    if size is TINY:
        schedule = replace(schedule, batch_size=16)
    raw = by_lot((3, 32, 32), min(size.images, 12_000), min(size.images, 12_000) // 12)
    data = split(raw, device, as_bytes=True)
    networks = [network(model, number) for number in range(size.networks)]
    batches = loaded(Pictures(raw, data.mean, data.std, how), schedule.batch_size, device)
    plain = peer_rate(model, networks[0], batches, schedule, device, size.resnet[1])
    rates = {
        precision: our_rate(model, networks, data, replace(schedule, precision=precision), device, size.resnet[0])
        for precision in ("tf32", "float32", "bfloat16")
    }
    return {
        "resnet20_plain_loop_rate": figure(plain, "network-steps/s", None, "convolutions in TF32, torch's default"),
        "resnet20_over_peer_gpu": figure(rates["tf32"] / plain, "×", 5, "TF32, as the plain loop"),
        "resnet20_float32_vs_plain_loop": figure(rates["float32"] / plain, "×", None, "all bits of float32"),
        "resnet20_bfloat16_vs_plain_loop": figure(rates["bfloat16"] / plain, "×"),
    }


def figure(value: float, unit: str, target: float | None = None, note: str = "") -> dict:
    return {"value": float(f"{value:.4g}"), "unit": unit, "target": target, **({"note": note} if note else {})}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="fewer steps")
    parser.add_argument("--cpu", action="store_true", help="on the CPU, everything tiny")
    asked = parser.parse_args()
    if not torch.cuda.is_available() and not asked.cpu:
        sys.exit("no CUDA device here, so there is nothing to measure; --cpu shows that everything runs")
    device = torch.device("cpu" if asked.cpu else "cuda:0")
    if asked.cpu:
        torch.set_num_threads(1)
    size = TINY if asked.cpu else SHORT if asked.short else PROTOCOL
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.processor()} (CPU, tiny)"
    machine = f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.__version__}"
    found = {**lenet(size, device), **resnet(size, device)}
    if asked.cpu:  # a target is for a GPU
        found = {key: {**each, "target": None} for key, each in found.items()}
    print(json.dumps({"machine": machine, **found}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
