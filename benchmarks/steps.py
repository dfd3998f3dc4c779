"""A training step of LeNet-300-100 (batch 60) against the peer's and against its matrix products alone.

    python -m benchmarks.steps

Dense, and under masks of 20, 5 and 1 % of each layer's weights: drawn at random, and for 5 % also those of greatest
magnitude after some training.
"""

from __future__ import annotations

from functools import partial

from benchmarks import agreement, floor, lenet, ours
from benchmarks.peer import Peer, Pictures, seconds_a_step
from benchmarks.results import Figures, figure
from benchmarks.timing import interleaved, ratio, seconds, told

SPARSE = 0.05  # the density that has a target


def figures(
    given: lenet.Work | None = None, rounds: int = 9, steps: int = 100, parts: int = 4, magnitude_after: int = 300
) -> Figures:
    """steps: in each of `parts` parts of a training; a floor is as many steps, a peer half as many."""
    given = given or lenet.full()
    model, weights, data = given.model, given.weights, lenet.first(given.data, lenet.BATCH, lenet.BATCH)
    masks = {f"at_{density}": lenet.random_mask(model, density) for density in lenet.DENSITIES}
    masks[f"at_{SPARSE}_magnitude"] = lenet.magnitude_mask(given, SPARSE, magnitude_after)
    products = floor.step(model, weights, data.train.images[: lenet.BATCH])
    agreement.same_step(model, weights, data.train.images[: lenet.BATCH], products)
    for name, mask in {"dense": None, **masks}.items():
        found, expected = agreement.same_training(given, mask, steps=20, images=600)
        print(f"loss after 20 steps, {name}: ours {found:.5f}, the peer's {expected:.5f}")
    examples = len(data.train)
    pictures = Pictures(given.pixels.train_images[:examples], given.pixels.train_labels[:examples])
    times = interleaved(
        rounds,
        {
            "floor": partial(seconds, products, steps * parts),
            "peer": lambda: seconds_a_step(Peer(model, weights, None), pictures, steps // 2),
            **{
                name: partial(ours.seconds_a_step, lenet.task(given, mask, data), steps, parts)
                for name, mask in {"dense": None, **masks}.items()
            },
        },
    )
    print(f"a step: {told(times)}")
    return {
        "lenet_step_over_floor": figure(ratio(times, "dense", "floor"), "ratio", 1.6, given.note),
        "lenet_step_over_peer": figure(ratio(times, "peer", "dense"), "×", 10, given.note),
        **{
            f"lenet_step_{name}_over_dense": figure(
                ratio(times, name, "dense"), "ratio", 0.5 if str(SPARSE) in name else None, given.note
            )
            for name in masks
        },
    }


if __name__ == "__main__":
    from benchmarks.command import command

    command("steps")
