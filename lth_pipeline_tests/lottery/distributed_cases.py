"""Small trainings that two processes make together: `python -m …distributed_cases FOLDER`, one for each RANK.

Each writes what came of every case into FOLDER, and the test beside this file compares.
"""

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from lth_pipeline.lottery.data.augmentation import Augmentation
from lth_pipeline.lottery.data.dataset import Data, Part
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator, stream_seed
from lth_pipeline.lottery.training import curve
from lth_pipeline.lottery.training.distillation import Teacher
from lth_pipeline.lottery.training.schedule import Schedule
from lth_pipeline.lottery.training.train import Trained, train

PROCESSES = 2
SHAPE = (3, 16, 16)
COMMON = {"batch_size": 7, "iterations": 6, "evaluate_every": 3}  # 7: one process has three examples, the other four
SGD = {"optimiser": "sgd", "learning_rate": 0.02, "momentum": 0.9}


@dataclass(frozen=True)
class Case:
    """within: how far single weights may come out from those of one process."""

    network: str
    schedule: Schedule
    settings: dict = field(default_factory=dict)
    density: float | None = None
    taught: bool = False
    within: float = 1e-5


CASES = {
    "fully connected, masked": Case(
        "mlp", Schedule("adam", 1e-3, weight_decay=1e-2, **COMMON), {"widths": (30, 20)}, density=0.4
    ),
    "a batch that divides": Case("mlp", Schedule(**SGD, **COMMON | {"batch_size": 8}), {"widths": (30, 20)}),
    "distilled": Case("mlp", Schedule("adam", 1e-3, **COMMON), {"widths": (30, 20)}, taught=True),
    "dropout, changed images, clipped": Case(
        "conv2",
        Schedule(**SGD, clip_norm=0.5, label_smoothing=0.1, augmentation=Augmentation(True, 2), **COMMON),
        {"dropout": 0.5},
        density=0.5,
    ),
    "batch norm, one step": Case("resnet_cifar", Schedule(**SGD, **COMMON | {"iterations": 1}), {"depth": 8}),
    "batch norm, masked": Case("resnet_cifar", Schedule(**SGD, **COMMON), {"depth": 8}, density=0.3, within=1e-3),
    "batch norm in bfloat16": Case(
        "resnet_cifar", Schedule(**SGD, precision="bfloat16", **COMMON), {"depth": 8}, within=2e-2
    ),
    "diverges": Case("mlp", Schedule("sgd", 1e30, **COMMON), {"widths": (30, 20)}),
}


def seeds(purpose: str, number: int) -> int:
    return stream_seed(0, purpose, number=number)


def part(examples: int, seed: int) -> Part:
    draws = generator(seed)
    return Part(torch.randn(examples, *SHAPE, generator=draws), torch.randint(4, (examples,), generator=draws))


DATA = Data(part(50, 1), part(13, 2), part(1, 3), mean=(0.0,) * 3, std=(1.0,) * 3)


def mask_of(case: Case) -> dict[str, torch.Tensor] | None:
    if case.density is None:
        return None
    draws, model = generator(9), built(case)
    return {layer.weight: torch.rand(layer.shape, generator=draws) < case.density for layer in model.layers}


def built(case: Case):
    return build(case.network, SHAPE, 4, initialisation="kaiming_normal", **case.settings)


def trained(case: Case, way: str, **options) -> Trained:
    model, mask = built(case), mask_of(case)
    weights = model.initialise(generator(4))
    begun = masks.apply(mask, weights) if mask else weights
    teacher = Teacher(model, model.initialise(generator(5)), 4.0, 0.9) if case.taught else None
    return train(model, begun, mask, DATA, case.schedule, seeds, way=way, teacher=teacher, **options)


def result(made: Trained) -> dict[str, torch.Tensor]:
    """All that came of a training, flat."""
    rows = {f"curve/{name}": column for name, column in curve.to_tensors(made.rows).items()}
    return {**made.weights, **rows, "train_accuracy": torch.tensor(made.train_accuracy, dtype=torch.float64)}


def main() -> None:
    import torch.distributed as dist
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=PROCESSES)
    for name, case in CASES.items():
        save_file(result(trained(case, "distributed")), folder / f"{name}-{rank}")
    states, case = [], CASES["batch norm, masked"]
    trained(case, "distributed", on_evaluation=lambda row, state: states.append(state()))
    save_file(result(trained(case, "distributed", resume=states[1])), folder / f"resumed-{rank}")
    ended = replace(case, schedule=replace(case.schedule, iterations=30, patience=1))
    save_file(result(trained(ended, "distributed")), folder / f"impatient-{rank}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
