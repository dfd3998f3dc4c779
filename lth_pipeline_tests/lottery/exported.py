"""Model files as `lth export` writes them, of a network that was never trained, in milliseconds."""

from functools import cache
from pathlib import Path

import numpy as np
import torch

from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.small.compact import Small, as_trained
from lth_pipeline.lottery.small.network import Network
from lth_pipeline.lottery.small.onnx_file import onnx_bytes
from lth_pipeline.lottery.small.pt2_file import pt2_bytes
from lth_pipeline.lottery.small.safetensors_file import safetensors_bytes

SUFFIXES = (".onnx", ".pt2", ".safetensors")
SHAPE = (1, 6, 5)  # height and width differ, so that a mix-up shows
CLASSES = ["cat", "dog [x]", "größer"]  # one that looks like rich's markup, one beyond ASCII
MEAN, STD = 0.4, 0.25


def about(shape: tuple[int, int, int] = SHAPE, **said) -> dict:
    colour = "rgb" if shape[0] == 3 else "grey"
    return {"format": 1, "image_shape": list(shape), "classes": CLASSES, "colour": colour, **said}


@cache
def network(shape: tuple[int, int, int] = SHAPE) -> Small:
    """Weights so large that its predictions differ from image to image."""
    model = build("mlp", shape, len(CLASSES), widths=(7,), initialisation="glorot_normal")
    weights = {name: 4 * weight for name, weight in model.initialise(generator(3)).items()}
    return as_trained(model, shape, weights, [MEAN] * shape[0], [STD] * shape[0])


@cache
def content(suffix: str, shape: tuple[int, int, int] = SHAPE) -> bytes:
    writer = {".onnx": onnx_bytes, ".pt2": pt2_bytes, ".safetensors": safetensors_bytes}[suffix]
    return writer(network(shape), about(shape))


def write(folder: Path, suffix: str = ".onnx", shape: tuple[int, int, int] = SHAPE) -> Path:
    path = folder / f"ticket{suffix}"
    path.write_bytes(content(suffix, shape))
    return path


def images(count: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """uint8 (N, C, H, W)."""
    return np.random.default_rng(5).integers(0, 256, (count, *shape), dtype=np.uint8)


def logits(pixels: np.ndarray, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """What the network gives of uint8 pixels, by torch."""
    small = network(shape)
    return Network(small.program, small.tensors)(torch.from_numpy(pixels.astype(np.float32) / 255)).numpy()
