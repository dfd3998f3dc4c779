"""The training images that landscapes and gradients of a replicate look at: the same for all its networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lth_pipeline.recipes.analyses.analysis import Subject
from lth_pipeline.recipes.analyses.networks import Network, data_of

if TYPE_CHECKING:
    import torch

    from lth_pipeline.lottery.data import Part


def sample_of(subject: Subject, network: Network) -> Part:
    """`analysis.examples` of the training images, drawn by seed and replicate, on the workshop's device."""
    from lth_pipeline.lottery.analysis.sample import sample
    from lth_pipeline.lottery.randomness import stream_seed

    card, chain = subject.experiment, network.chain
    data = data_of(subject.workshop, chain, network.step.round)
    return sample(
        data.train, card.analysis.examples, stream_seed(card.seed, "analysis_examples", replicate=chain.replicate)
    )


def sample_settings(subject: Subject, network: Network) -> dict[str, Any]:
    """What the loss of `network` on that sample depends on beside its weights: for the settings of a part."""
    card, recipe = subject.experiment, network.product.recipe
    read = ("model", "image_shape", "classes", "data", "seed")  # its seed splits off the validation part
    return {
        "seed": card.seed,
        "replicate": network.chain.replicate,
        "round": network.step.round,
        "examples": card.analysis.examples,
        "points": card.analysis.landscape_points,
        "network": {name: recipe.settings[name] for name in read},
    }


def on_device(subject: Subject, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`tensors` on the workshop's device."""
    device = subject.workshop.training_device()
    return {name: tensor.to(device) for name, tensor in tensors.items()}
