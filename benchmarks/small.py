"""The small network against the dense one: bytes, and the time of one image and of 64, in every form.

    lth run lenet_mnist_quick --replicates 0       # the tickets that are measured: where they are not there, half of it
    python -m benchmarks.small [--dry-run]

Of the tickets of lenet_mnist_quick in this home, as the analysis `small_network` measures them: small over dense as
trained, in the same runtime and the same run. And of Conv-2 and ResNet-20 with half of each layer's channels pruned at
random: what such masks leave is measured as well without training.
"""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.command import command
from benchmarks.results import Figures, figure
from lth_pipeline.home import find_home
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.models import Model, build
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator
from lth_pipeline.lottery.small.compact import as_trained, compact
from lth_pipeline.lottery.small.measure import latency
from lth_pipeline.lottery.small.network import Network
from lth_pipeline.lottery.small.safetensors_file import safetensors_bytes
from lth_pipeline.recipes import Store, Workshop, load_cards

CARD = "lenet_mnist_quick"
ROUNDS = (7, 13, 20)  # 21, 5.6 and 1.2 % of the weights
MEASURES = {"bytes": "bytes", "latency_1_ms": "one_image", "latency_64_ms": "64_images"}
SHAPE, CLASSES, SHARE = (3, 32, 32), 10, 0.5
NETWORKS: dict[str, dict[str, Any]] = {"conv2": {}, "resnet_cifar": {"depth": 20}}


def figures() -> Figures:
    return _of_tickets() | _of_channels()


def _of_tickets() -> Figures:
    from lth_pipeline.recipes.analyses.analysis import Subject
    from lth_pipeline.recipes.analyses.networks import last_round
    from lth_pipeline.recipes.analyses.small_network_forms import measured

    home = find_home()
    shop = Workshop(Store(home.store), DataDirs(home.data, home.cache), device="cpu")
    chain = shop.chain(load_cards([home.experiments]), CARD, 0)
    forms = {(7, "sparse", "torch"): "sparse", (13, "sparse", "torch"): "sparse", (20, "sparse", "torch"): "sparse"}
    forms |= {(20, "compact", "onnxruntime"): "onnx", (20, "int8", "onnxruntime"): "onnx_int8"}
    if last_round(Subject(shop, [chain]), chain) < max(ROUNDS):
        note = f"not measured: run `lth run {CARD} --replicates 0` first"
        return {
            _name(what, round, measure): figure(None, "ratio", note=note)
            for (round, *_), what in forms.items()
            for measure in MEASURES.values()
        }
    rows = measured(shop, chain, [0, *ROUNDS], onnx=True).tables["forms"]
    dense = {row["runtime"]: row for row in rows if row["round"] == 0 and row["form"] == "as trained"}
    found: Figures = {}
    for row in rows:
        ratios = {name: row[measure] / dense[row["runtime"]][measure] for measure, name in MEASURES.items()}
        told = ", ".join(f"{name} {value:.3f}" for name, value in ratios.items())
        print(f"round {row['round']:2} ({row['density']:.3f}) {row['runtime']:11} {row['form']:10} {told}")
        if what := forms.get((row["round"], row["form"], row["runtime"])):
            found |= {_name(what, row["round"], name): figure(value, "ratio") for name, value in ratios.items()}
    return found


def _name(form: str, round: int, measure: str) -> str:
    return f"lenet_round{round}_{form}_{measure}_over_dense"


def _of_channels() -> Figures:
    found: Figures = {}
    for name, settings in NETWORKS.items():
        model = build(name, SHAPE, CLASSES, initialisation="kaiming_normal", **settings)
        weights, mask = model.initialise(generator(1)), _channels(model)
        whole = as_trained(model, SHAPE, weights)
        small = compact(model, SHAPE, weights, mask)
        images = torch.rand(64, *SHAPE, generator=generator(2))
        networks = {
            part: Network(each.program, each.tensors).eval() for part, each in (("whole", whole), ("small", small))
        }
        calls = {
            (part, batch): lambda network=network, given=images[:batch]: network(given)
            for part, network in networks.items()
            for batch in (1, 64)
        }
        with torch.inference_mode():
            times = latency(calls)
        sizes = [len(safetensors_bytes(each, {})) for each in (small, whole)]
        ratios = {"bytes": sizes[0] / sizes[1]}
        for batch, measure in ((1, "one_image"), (64, "64_images")):
            ratios[measure] = times["small", batch].median / times["whole", batch].median
        print(f"{name}, {masks.density(mask):.3f} of the weights: {ratios}")
        title = "resnet20" if name == "resnet_cifar" else name
        found |= {
            f"{title}_half_the_channels_{part}_over_dense": figure(value, "ratio") for part, value in ratios.items()
        }
    return found


def _channels(model: Model) -> dict[str, torch.Tensor]:
    """A mask that leaves SHARE of each layer's units, drawn at random; the output layer whole."""
    mask, draws = masks.ones(model), generator(3)
    for layer in model.layers[:-1]:
        gone = torch.randperm(layer.shape[0], generator=draws)[int(SHARE * layer.shape[0]) :]
        mask[layer.weight][gone] = False
    return mask


if __name__ == "__main__":
    command("small")
