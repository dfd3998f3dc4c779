"""An evaluation of LeNet-300-100 on MNIST (5,000 validation and 10,000 test images) against the peer's, image by image,
and against its matrix products alone.

    python -m benchmarks.evaluations

Dense, and under masks of 20, 5 and 1 % of each layer's weights.
"""

from __future__ import annotations

from functools import partial

import torch

from benchmarks import agreement, floor, lenet, ours
from benchmarks.peer import Peer, Pictures
from benchmarks.results import Figures, figure
from benchmarks.timing import interleaved, ratio, seconds, told


def figures(given: lenet.Work | None = None, rounds: int = 7, evaluations: int = 6) -> Figures:
    """evaluations: in a training that is measured."""
    given = given or lenet.full()
    model, weights, pixels = given.model, given.weights, given.pixels
    # few to train on: train() ends with an evaluation on them, which is not measured
    data = lenet.first(given.data, len(given.data.validation), len(given.data.test), train=10 * lenet.BATCH)
    images = torch.cat([data.validation.images, data.test.images])
    masks = {"dense": None, **{f"at_{density}": lenet.random_mask(model, density) for density in lenet.DENSITIES}}
    products = floor.evaluation(model, weights, images)
    agreement.same_evaluation(model, weights, images, products)
    found, expected = agreement.same_training(given, None, steps=1, images=len(data.test))
    print(f"loss on {len(data.test):,} images after a step: ours {found:.5f}, the peer's {expected:.5f}")
    peer, pictures = Peer(model, weights, None), Pictures(pixels.test_images, pixels.test_labels)
    share = len(images) / len(pictures)  # the peer is measured on the test images alone
    times = interleaved(
        rounds,
        {
            "floor": partial(seconds, products, evaluations),
            "peer": lambda: share * seconds(lambda: peer.evaluate(pictures), 1),
            **{
                name: partial(ours.seconds_an_evaluation, lenet.task(given, mask, data), evaluations)
                for name, mask in masks.items()
            },
        },
    )
    print(f"an evaluation of {len(images):,} images: {told(times)}")
    return {
        "lenet_evaluation_over_floor": figure(ratio(times, "dense", "floor"), "ratio", 1.3, given.note),
        "lenet_evaluation_over_peer": figure(ratio(times, "peer", "dense"), "×", 15, given.note),
        **{
            f"lenet_evaluation_{name}_over_dense": figure(ratio(times, name, "dense"), "ratio", note=given.note)
            for name in masks
            if name != "dense"
        },
    }


if __name__ == "__main__":
    from benchmarks.command import command

    command("evaluations")
