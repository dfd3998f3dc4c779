"""A network of exactly six weights, 1 → 2 (ReLU) → 2, without biases: what is true of it can be worked out by hand."""

import torch

from lth_pipeline.lottery.models.model import EVALUATION, Layer, Model

HIDDEN = Layer("fc", "fc", (2, 1), bias=False)
OUTPUT = Layer("output", "fc", (2, 2), is_output=True, bias=False)
IMAGE_SHAPE = (1,)


def _logits(weights, images, mode=EVALUATION):
    return torch.relu(images @ weights["fc.weight"].T) @ weights["output.weight"].T


MODEL = Model((HIDDEN, OUTPUT), initialise=None, logits=_logits)


def weights(hidden, output) -> dict[str, torch.Tensor]:
    """float64, from the two hidden weights and the two rows of the output's."""
    return {
        "fc.weight": torch.tensor(hidden, dtype=torch.float64).view(2, 1),
        "output.weight": torch.tensor(output, dtype=torch.float64),
    }


def alive(hidden=(1, 1), output=((1, 1), (1, 1))) -> dict[str, torch.Tensor]:
    return {name: tensor.bool() for name, tensor in weights(hidden, output).items()}


#: x = 1 and x = −1, both of class 0
EXAMPLES = (torch.tensor([[1.0], [-1.0]], dtype=torch.float64), torch.tensor([0, 0]))
