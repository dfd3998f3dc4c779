"""Networks with weights that matter, and masks that cut them in every way: what compaction is tried on."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import torch

from lth_pipeline.lottery.models import Model, build

#: name -> (network of the catalog, its settings, image shape): narrow ones, whose structure is that of the large
NETWORKS: dict[str, tuple[str, dict, tuple[int, int, int]]] = {
    "mlp": ("mlp", {"widths": (9, 7, 6)}, (1, 4, 3)),
    "mlp in colour": ("mlp", {"widths": (8,)}, (3, 3, 4)),
    "lenet5": ("lenet5", {}, (1, 12, 12)),
    "conv2": ("conv2", {"scale": Fraction(1, 16)}, (3, 8, 6)),
    "conv4": ("conv4", {"scale": Fraction(1, 16)}, (1, 8, 8)),
    "vgg11": ("vgg11", {"scale": Fraction(1, 16)}, (3, 32, 32)),
    "resnet_cifar 8": ("resnet_cifar", {"depth": 8, "filters": 4}, (3, 8, 8)),
    "resnet_cifar 14": ("resnet_cifar", {"depth": 14, "filters": 3}, (1, 7, 9)),
    "resnet18": ("resnet18", {"scale": Fraction(1, 16)}, (3, 32, 32)),
    "resnet50": ("resnet50", {"scale": Fraction(1, 16)}, (3, 32, 32)),
}
CLASSES = 4
KINDS = ("ones", "half", "few", "rows", "columns", "both", "none", "one")
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Cut:
    """A network whose weights were cut. mean, std: of the images' normalisation, empty: none. images: float32
    (N, C, H, W), pixels from 0 to 1."""

    model: Model
    image_shape: tuple[int, int, int]
    weights: Tensors
    mask: Tensors
    mean: tuple[float, ...]
    std: tuple[float, ...]
    images: torch.Tensor

    def logits(self) -> torch.Tensor:
        """float64 (N, classes), by the model itself: what every form has to give."""
        alive = {name: tensor * self.mask.get(name, True) for name, tensor in self.weights.items()}
        images = self.images.double()
        if self.mean:
            shift, scale = (torch.tensor(values).double().view(-1, 1, 1) for values in (self.mean, self.std))
            images = (images - shift) / scale
        return self.model.logits({name: tensor.double() for name, tensor in alive.items()}, images)

    def arguments(self) -> tuple:
        """Of `compact`."""
        return self.model, self.image_shape, self.weights, self.mask, self.mean, self.std


def cut(name: str, kinds: Mapping[str, str], usual: str, seed: int, normalised: bool, number: int = 6) -> Cut:
    """kinds: {layer: how it is cut}; the others are cut as `usual` says."""
    network, settings, shape = NETWORKS[name]
    model = build(network, shape, CLASSES, initialisation="kaiming_normal", **settings)
    draws = torch.Generator().manual_seed(seed)
    mask = {each.weight: layer_mask(kinds.get(each.name, usual), each.shape, draws) for each in model.layers}
    mean = tuple(torch.rand(shape[0], generator=draws).tolist()) if normalised else ()
    std = tuple((0.2 + torch.rand(shape[0], generator=draws)).tolist()) if normalised else ()
    images = torch.rand(number, *shape, generator=draws)
    return Cut(model, shape, lively(model, mask, draws), mask, mean, std, images)


def layer_mask(kind: str, shape: tuple[int, ...], draws: torch.Generator) -> torch.Tensor:
    """bool, of the layer's shape (out, in, …)."""
    mask = torch.ones(shape, dtype=torch.bool)
    match kind:
        case "half":
            mask = torch.rand(shape, generator=draws) < 0.5
        case "few":
            mask = torch.rand(shape, generator=draws) < 3 / mask[0].numel()  # about three weights to a unit
        case "none":
            mask[:] = False
        case "one":
            mask[:] = False
            mask.view(-1)[torch.randint(mask.numel(), (), generator=draws)] = True
    if kind in ("rows", "both"):
        mask[torch.rand(shape[0], generator=draws) < 0.4] = False
    if kind in ("columns", "both"):
        mask[:, torch.rand(shape[1], generator=draws) < 0.4] = False
    return mask


def lively(model: Model, mask: Mapping[str, torch.Tensor], draws: torch.Generator) -> Tensors:
    """Weights as large as their number in a unit asks for, so that what is left of a network tells images apart; biases
    and running statistics at random, many of them zero or such that a unit is off."""
    weights = model.initialise(draws)
    for name, tensor in weights.items():
        if name in mask:
            inputs = mask[name].flatten(1).sum(1).clamp_min(1).float().mean()
            tensor.copy_(torch.randn(tensor.shape, generator=draws) * (2 / inputs).sqrt())
        elif name.endswith("running_var"):
            tensor.copy_(0.3 + torch.rand(tensor.shape, generator=draws))
        else:
            shift = torch.randn(tensor.shape, generator=draws)
            is_scale = name.endswith(".weight")
            shift = shift * (torch.rand(tensor.shape, generator=draws) < 0.7)
            tensor.copy_((1 if is_scale else 0) + 0.4 * shift)
    return weights
