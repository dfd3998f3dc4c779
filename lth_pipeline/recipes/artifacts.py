"""What lies in the artifacts of trainings: weights, the learning curve, and what was followed."""

from __future__ import annotations

import torch

from lth_pipeline.lottery.training import curve
from lth_pipeline.lottery.training.early_bird import EarlyBird
from lth_pipeline.lottery.training.train import State, Trained

Tensors = dict[str, torch.Tensor]
EARLY = "early/"


def under(prefix: str, tensors: Tensors) -> Tensors:
    """{name without `prefix`: tensor} of those that have it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def weights_of(tensors: Tensors) -> Tensors:
    """The weights in an artifact: those of a trained network lie beside its learning curve."""
    return under("weights/", tensors) or tensors


def early_weights_of(tensors: Tensors) -> Tensors:
    """The weights at which the mask had settled; those at the end where it never did."""
    return under(EARLY + "weights/", tensors) or weights_of(tensors)


def distances_of(tensors: Tensors) -> tuple[list[int], list[list[float]]] | None:
    """(iterations, pairwise distances of the masks) of a dense training that was followed; None where it was not."""
    if EARLY + "distances" not in tensors:
        return None
    return tensors[EARLY + "iterations"].tolist(), tensors[EARLY + "distances"].tolist()


def rows_of(tensors: Tensors) -> list[curve.Row]:
    """The learning curve in the artifact of a training."""
    return curve.to_rows({column: tensors[f"curve/{column}"] for column in curve.COLUMNS})


#: How near a training on one route comes to the same on another: what is evaluated before the first step, and the test
#: accuracy at the end. Between them rounding grows, with Adam until single weights have little in common.
NEAR_AT_START, NEAR_AT_END = 1e-3, 0.03


def near(one: Tensors, other: Tensors) -> bool:
    """Whether two artifacts of one training on two routes agree within the tolerance above; of weights at a rewind
    point, which have no curve, whether they have the same tensors."""
    if {name: tensor.shape for name, tensor in weights_of(one).items()} != {
        name: tensor.shape for name, tensor in weights_of(other).items()
    }:
        return False
    if "curve/iteration" not in one:
        return True
    (first, *_, last), (as_first, *_, as_last) = rows_of(one), rows_of(other)
    starts = all(abs(first[name] - as_first[name]) <= NEAR_AT_START for name in ("validation_loss", "test_loss"))
    return starts and abs(last["test_accuracy"] - as_last["test_accuracy"]) <= NEAR_AT_END


def trained_tensors(trained: Trained, followed: EarlyBird | None) -> Tensors:
    """The artifact of a training."""
    columns = curve.to_tensors(trained.rows)
    found = {
        **{f"weights/{name}": tensor for name, tensor in trained.weights.items()},
        **{f"curve/{column}": tensor for column, tensor in columns.items()},
        "train_accuracy": torch.tensor(trained.train_accuracy, dtype=torch.float64),
    }
    if followed:
        iterations, distances = followed.distances()
        found |= {EARLY + "iterations": iterations, EARLY + "distances": distances}
        found |= {f"{EARLY}weights/{name}": tensor for name, tensor in (followed.weights or {}).items()}
    return found


def state_tensors(state: State) -> Tensors:
    """A checkpoint."""
    return {
        "iteration": torch.tensor(state.iteration),
        "seconds": torch.tensor(state.seconds, dtype=torch.float64),
        "loss_sum": torch.tensor(state.loss_sum, dtype=torch.float64),
        **{f"weights/{name}": tensor for name, tensor in state.weights.items()},
        **{f"optimiser/{name}": tensor for name, tensor in state.optimiser.items()},
        **{f"curve/{column}": tensor for column, tensor in curve.to_tensors(state.rows).items()},
        **{f"follower/{name}": tensor for name, tensor in state.follower.items()},
    }


def state_of(tensors: Tensors) -> State:
    """The inverse of `state_tensors`."""
    return State(
        int(tensors["iteration"]),
        weights_of(tensors),
        under("optimiser/", tensors),
        rows_of(tensors),
        float(tensors["seconds"]),
        float(tensors.get("loss_sum", 0.0)),  # those of 0.4 were taken at evaluations only
        follower=under("follower/", tensors),
    )
