"""Robustness: what dense network, ticket and controls answer to corrupted and attacked images, and how sure they are.

Of the dense network and, in the chosen rounds, of the first draw of every arm. Corruptions need the package
imagecorruptions; without it there are no parts of them but those that are in the store, and all else is as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes.analyses.analysis import Check, Found, Part, Subject
from lth_pipeline.recipes.analyses.networks import (
    Network,
    Tensors,
    chosen_rounds,
    comparable,
    data_of,
    load,
    networks,
)

if TYPE_CHECKING:
    import torch

    from lth_pipeline.lottery.analysis.normalisation import Scale
    from lth_pipeline.lottery.data import Data
    from lth_pipeline.lottery.data import Part as Images
    from lth_pipeline.lottery.models import Model

#: Pixels that are corrupted at once, at most: 1,000 images of 64 × 64, 83 of 224 × 224. Each takes a fixed time, and
#: all that is corrupted is kept in memory for the next round.
PIXELS, FEWEST = 2**22, 20
SHOWN_SIDE = 32  # pixels, at the least, of the corrupted images that a picture shows
ELSEWHERE = 0.001  # of accuracy: how far another device may come out from what training recorded
KEPT = 75  # corrupted sets of images: 15 families of 5 severities


def parts(subject: Subject) -> list[Part]:
    """For each replicate and round: calibration, attacks and, where images can be corrupted, corruptions."""
    from lth_pipeline.lottery.analysis.corruptions import LEAST_SIDE, possible

    asked, found = subject.experiment.analysis, []
    drawn = {"examples": asked.examples, "seed": subject.experiment.seed}
    corruptible = possible()
    for chain in subject.chains:
        there = comparable(networks(subject, chain, [0, *chosen_rounds(subject, chain)]))
        firsts = (network for network in there if network.step.draw == 0)
        for round, of_round in groupby(firsts, key=lambda network: network.step.round):
            first = list(of_round)
            pictures = min(chain.facts(round).image_shape[1:]) >= LEAST_SIDE
            found.append(_part(subject, first, "calibration", {}, _calibration))
            found.append(_part(subject, first, "attacks", {"radii": list(asked.radii), **drawn}, _attacks))
            if pictures:
                settings = {"severities": list(asked.severities), **drawn}
                part = _part(subject, first, "corruptions", settings, _corruptions)
                if corruptible or subject.workshop.store.find(part.recipe.id):
                    found.append(part)
    return found


def checks(found: Found, experiment: Experiment) -> list[Check]:
    """On the device of the training evaluation is the same computation, but for the order of sums where networks were
    trained together: one image may turn. On another device, of other precision perhaps, one in a thousand."""
    rows = found.tables.get("calibration", [])
    if not rows:
        return []
    apart = [abs(row["accuracy"] - row["recorded_accuracy"]) for row in rows]
    wrong = [
        f"replicate {row['replicate']}, round {row['round']}, {row['arm']}: {row['accuracy']:.4f}, "
        f"recorded {row['recorded_accuracy']:.4f}"
        for row, distance in zip(rows, apart, strict=True)
        if distance > max(1 / row["images"], 0 if row["same_device"] else ELSEWHERE) + 1e-9
    ]
    if wrong:
        why = f"{len(wrong)} of {len(rows)} networks have not: {'; '.join(wrong[:3])}"
        return [Check("clean_accuracy", False, why)]
    turned = sum(distance > 1e-9 for distance in apart)
    why = f"all {len(rows)} networks have" + (f", {turned} of them but for {max(apart):.2g}" if turned else "")
    return [Check("clean_accuracy", True, why)]


def _part(subject: Subject, of_round: list[Network], what: str, settings: dict[str, Any], compute) -> Part:
    chain, round = of_round[0].chain, of_round[0].step.round
    data = chain.owner(round).data
    return Part(
        "robustness",
        f"replicate {chain.replicate}, round {round}: {what}",
        {
            "what": what,
            "networks": [{**network.columns, "recorded_accuracy": _recorded(network)} for network in of_round],
            "test_size": data.test_size,
            "normalisation": data.normalisation,
            **settings,
        },
        {
            "data": chain.facts(round).digest,
            **{f"{n.step.arm}/{name}": version for n in of_round for name, version in n.inputs.items()},
        },
        partial(_computed, subject, of_round, compute),
    )


def _recorded(network: Network) -> float:
    return network.product.facts["test_accuracy_at_end"]


class _Loaded(NamedTuple):
    """A network on the device. columns: what its rows begin with. recorded: what its training says of the test part.
    precision: of its forward passes."""

    columns: dict[str, Any]
    recorded: dict[str, Any]
    model: Model
    weights: Tensors
    precision: str


def _computed(subject: Subject, of_round: list[Network], compute) -> Found:
    import torch

    from lth_pipeline.lottery.analysis.normalisation import scale_of
    from lth_pipeline.lottery.training.precision import computing
    from lth_pipeline.recipes.route import precision_of
    from lth_pipeline.recipes.training import schedule_of

    workshop, chain, round = subject.workshop, of_round[0].chain, of_round[0].step.round
    torch.set_num_threads(workshop.threads)
    device = workshop.training_device()
    data = data_of(workshop, chain, round)
    loaded = []
    for network in of_round:
        model, weights, _ = load(workshop, network)
        precision = precision_of(schedule_of(chain, network.step), device)
        on_device = {name: tensor.to(device) for name, tensor in weights.items()}
        same = network.product.record["route"].get("device") == device.type
        recorded = {"recorded_accuracy": _recorded(network), "same_device": same}
        loaded.append(_Loaded(network.columns, recorded, model, on_device, precision))
    scale = scale_of(data, chain.owner(round).data.normalisation)
    with computing(loaded[0].precision, device):
        return compute(subject, loaded, data, scale)


def _calibration(subject: Subject, loaded: Sequence[_Loaded], data: Data, scale: Scale) -> Found:
    """Of the whole test part."""
    from lth_pipeline.lottery.analysis.calibration import answers, calibration

    rows, bins = [], []
    for network in loaded:
        logits, labels = answers(network.model, network.weights, data.test, network.precision)
        found = calibration(logits, labels)._asdict()
        bins += [{**network.columns, **bin} for bin in found.pop("bins")]
        rows.append({**network.columns, **found, **network.recorded, "images": len(labels)})
    return Found({"calibration": rows, "reliability": bins})


def _attacks(subject: Subject, loaded: Sequence[_Loaded], data: Data, scale: Scale) -> Found:
    """Of the drawn images; every network is attacked from the same starts. Signals have the range that theirs have."""
    import torch

    from lth_pipeline.lottery.analysis.attacks import accuracies
    from lth_pipeline.lottery.analysis.normalisation import normalised, pixels_of
    from lth_pipeline.lottery.randomness import generator, stream_seed
    from lth_pipeline.lottery.training.evaluation import at_once

    asked, images = subject.experiment.analysis, _drawn(subject, data)
    pixels = pixels_of(images, scale)
    box = (0.0, 1.0)
    if min(pixels.shape[2:]) == 1:  # signals
        box = (float(pixels.min()), float(pixels.max()))
    pixels = pixels.clamp_(*box)
    draws = generator(stream_seed(subject.experiment.seed, "attack_start"))
    start = torch.rand(pixels.shape, generator=draws).mul_(2).sub_(1).to(pixels.device)
    rows = []
    for network in loaded:

        def logits(seen: torch.Tensor, network: _Loaded = network) -> torch.Tensor:
            return network.model.logits(network.weights, normalised(seen, scale))

        size = at_once(network.model, images, 250)
        found = accuracies(logits, pixels, images.labels, asked.radii, start, box, size)
        rows += [{**network.columns, **row} for row in found]
    return Found({"attacks": rows})


def _corruptions(subject: Subject, loaded: Sequence[_Loaded], data: Data, scale: Scale) -> Found:
    """Of the drawn images, fewer where they are large; all networks see the same. Clean are those that are corrupted:
    bytes, as an image file has them."""
    import torch

    from lth_pipeline.lottery.analysis.corruptions import FAMILIES
    from lth_pipeline.lottery.analysis.normalisation import as_bytes, pixels_of
    from lth_pipeline.lottery.data import Part as Images
    from lth_pipeline.lottery.training.evaluation import evaluate

    drawn = _drawn(subject, data, corrupted=True)
    clean = as_bytes(pixels_of(drawn, scale))
    key = clean_images(clean)
    seed, severities = subject.experiment.seed, subject.experiment.analysis.severities
    rows, shown = [], []
    for family, severity in [("clean", 0), *((family, severity) for family in FAMILIES for severity in severities)]:
        seen = _corrupted(key, family, severity, seed) if severity else clean
        if severity or not shown:
            shown.append(_small(seen[0]))
        images = Images(seen.to(drawn.labels.device), drawn.labels, (255, *scale))
        for network in loaded:
            accuracy = evaluate(network.model, network.weights, images, network.precision)[1]
            what = {"family": family, "severity": severity, "accuracy": accuracy, "images": len(images)}
            rows.append({**network.columns, **what})
    columns = loaded[0].columns
    if columns["round"]:
        return Found({"corruptions": rows})
    name = f"replicate{columns['replicate']}/round00/corrupted_images"
    return Found({"corruptions": rows}, {name: torch.stack(shown)})


def _drawn(subject: Subject, data: Data, *, corrupted: bool = False) -> Images:
    """The images of the test part that all networks of an experiment are asked about: the same in every replicate."""
    from lth_pipeline.lottery.analysis.sample import sample
    from lth_pipeline.lottery.randomness import stream_seed

    count = subject.experiment.analysis.examples
    if corrupted:
        height, width = data.test.images.shape[2:]
        count = min(count, max(FEWEST, PIXELS // (height * width)))
    return sample(data.test, count, stream_seed(subject.experiment.seed, "robustness_images"))


@dataclass(frozen=True)
class CleanImages:
    """images: uint8, clean. Two are the same where their digests are: what is remembered by it keeps them once."""

    digest: str
    images: torch.Tensor = field(compare=False)


def clean_images(images: torch.Tensor) -> CleanImages:
    digest = sha256(images.numpy().tobytes()).hexdigest()
    return CleanImages(f"{tuple(images.shape)} {digest}", images)


@lru_cache(maxsize=KEPT)
def _corrupted(clean: CleanImages, family: str, severity: int, seed: int) -> torch.Tensor:
    """Remembered for the other rounds and replicates, which see the same."""
    from lth_pipeline.lottery.analysis.corruptions import corrupted
    from lth_pipeline.lottery.randomness import stream_seed

    return corrupted(clean.images, family, severity, stream_seed(seed, f"corruption_{family}", severity=severity))


def _small(image):
    """uint8 (C, H, W) -> uint8 (h, w): grey, and where it is large, means of blocks."""
    from torch.nn.functional import avg_pool2d

    factor = max(1, min(image.shape[1:]) // SHOWN_SIDE)
    grey = image.float().mean(0, keepdim=True)
    return avg_pool2d(grey, factor).round().clamp(0, 255).byte()[0]
