"""A trained network of the store as the small network that it is, with all that is said about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from lth_pipeline import __version__
from lth_pipeline.lottery.data import Data
from lth_pipeline.lottery.data.batches import chunks
from lth_pipeline.lottery.data.class_names import CLASS_NAMES
from lth_pipeline.lottery.models import Model
from lth_pipeline.lottery.small.compact import Small, as_trained, compact
from lth_pipeline.lottery.training.evaluation import at_once
from lth_pipeline.recipes.analyses.networks import Network, load, same_data
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.errors import StoreError
from lth_pipeline.recipes.facts import source_of, title_of
from lth_pipeline.recipes.lineage import related
from lth_pipeline.recipes.origins import origins
from lth_pipeline.recipes.results import size_of
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.training import data_for
from lth_pipeline.recipes.workshop import Product, Seen, Workshop

ABOUT = 1  # the format of what is said about an exported network
Tensors = dict[str, torch.Tensor]


class NotTrainedError(StoreError):
    """There is no such network in the store; the message says which there are and what trains it."""


@dataclass(frozen=True)
class Ticket:
    """A trained network, its parts taken out, and what its outputs are to be.

    network: of the store. small: without what the mask cut off. whole: as it was trained. about: JSON: what goes into
    an exported file.
    model, weights: the network that was trained, pruned weights zero. mean, std: what its images are normalised by.
    data: its data with pixels from 0 to 1, on the CPU; nothing but `chunks` of its parts should be read.
    """

    network: Network
    small: Small
    whole: Small
    about: dict[str, Any]
    model: Model
    weights: Tensors
    mean: tuple[float, ...]
    std: tuple[float, ...]
    data: Data

    @property
    def chain(self) -> Chain:
        return self.network.chain

    @property
    def step(self) -> Step:
        return self.network.step

    @property
    def batch(self) -> int:
        """Images a forward pass that fit into a CPU's memory."""
        return at_once(self.model, self.data.test)

    @cached_property
    def labels(self) -> np.ndarray:
        """int64 (n,) of the test images."""
        return self.data.test.labels.numpy()

    @cached_property
    def logits(self) -> np.ndarray:
        """float32 (n, classes): what the network as it was trained makes of the test images."""
        mean, std = (
            torch.tensor(values, dtype=torch.float64).float().view(-1, 1, 1) for values in (self.mean, self.std)
        )
        with torch.inference_mode():
            found = [
                self.model.logits(self.weights, images.sub(mean).div(std))
                for images, _ in chunks(self.data.test, self.batch)
            ]
        return torch.cat(found).numpy()

    @property
    def accuracy(self) -> float:
        """On the test images, of the network as it was trained; a share of 1."""
        return float((self.logits.argmax(1) == self.labels).mean())


def ticket_of(workshop: Workshop, chain: Chain, round: int, arm: str = "ticket") -> Ticket:
    """What `arm` (in round 0: the dense network) has trained in `round`; computes nothing of the experiment.

    Raises NotTrainedError where it is not trained, diverged, or has no such arm.
    """
    network = trained_network(workshop, chain, round, arm)
    torch.set_num_threads(workshop.threads)
    model, weights, mask = load(workshop, network)
    if mask is not None:
        weights = {name: tensor * mask[name] if name in mask else tensor for name, tensor in weights.items()}
    data = _pixels(workshop, chain, round)
    normalised = chain.owner(round).data.normalisation == "standard"
    channels = len(data.mean)
    mean, std = (data.mean, data.std) if normalised else ((0.0,) * channels, (1.0,) * channels)
    shape = chain.facts(round).image_shape
    small = compact(model, shape, weights, mask, mean, std)
    whole = as_trained(model, shape, weights, mean, std)
    about = _about(workshop, network, model, mask, small, len(data.test))
    return Ticket(network, small, whole, about, model, weights, mean, std, data)


def trained_network(workshop: Workshop, chain: Chain, round: int, arm: str = "ticket") -> Network:
    """The training of `arm` in `round`, of the first draw; see `ticket_of`."""
    seen: Seen = {}
    of = f"{chain.name}, replicate {chain.replicate}"
    if not _is_trained(workshop, chain, seen, round):
        raise NotTrainedError(f"{of}: round {round} is not trained; {_what_is(workshop, chain, seen, round)}")
    arms = {step.arm: step for step in reversed(chain.trainings(round))}
    step = chain.main(0) if round == 0 and arm == "ticket" else arms.get(arm)
    if step is None:
        raise NotTrainedError(f"{of}, round {round}: no arm {arm!r}; there are: {', '.join(reversed(arms))}")
    product = workshop.look_up(chain, step, seen)
    if product is None:
        raise NotTrainedError(f"{of}, {step}: not trained yet; train it: {_command(chain, round)}")
    if (at := product.facts.get("diverged_at")) is not None:
        raise NotTrainedError(f"{of}, {step}: diverged (loss not finite at iteration {at:,}); choose another one")
    under = chain.mask(step)
    return Network(chain, step, product, workshop.look_up(chain, under, seen) if under else None)


def _is_trained(workshop: Workshop, chain: Chain, seen: Seen, round: int) -> bool:
    """Round by round, so that no look-up goes further back than one; ends where none is beyond the card's own."""
    asked = chain.cards[chain.name].pruning.rounds
    for number in range(round):
        if workshop.look_up(chain, chain.main(number), seen) is None and number > asked:
            return False
    return workshop.look_up(chain, chain.main(round), seen) is not None


def _what_is(workshop: Workshop, chain: Chain, seen: Seen, round: int) -> str:
    last = next(number for number in count() if workshop.look_up(chain, chain.main(number), seen) is None) - 1
    there = "none is" if last < 0 else "round 0 is" if last == 0 else f"rounds 0 … {last} are"
    return f"{there}; train it: {_command(chain, round)}"


def _command(chain: Chain, round: int) -> str:
    return f"lth run {chain.name} --replicates {chain.replicate} --through {round}"


def _pixels(workshop: Workshop, chain: Chain, round: int) -> Data:
    """The data of a round as its networks got it, but for the normalisation."""
    owner = chain.owner(round)
    plain = owner.model_copy(update={"data": owner.data.model_copy(update={"normalisation": "unit"})})
    return data_for(plain, workshop.dirs, torch.device("cpu"), chain.facts(round).digest)


def _about(
    workshop: Workshop, network: Network, model: Model, mask: Tensors | None, small: Small, images: int
) -> dict[str, Any]:
    """Nothing in it changes from one export of a network to the next: the same network makes the same file."""
    chain, step, product = network.chain, network.step, network.product
    owner, facts = chain.owner(step.round), chain.facts(step.round)
    weights, density = size_of(chain, step, product, network.mask)
    dense = _dense(workshop, chain, step.round)
    elsewhere = origins(workshop, chain, step.round)
    return {
        "format": ABOUT,
        "experiment": chain.name,
        "replicate": chain.replicate,
        "round": step.round,
        "arm": step.arm,
        "quick": chain.cards[chain.name].quick,
        "density": density,
        "weights_left": weights,
        "weights_stored": small.weights,
        "parameters": model.parameters,
        "classes": class_names(workshop, chain, step.round),
        "image_shape": list(facts.image_shape),
        "colour": {1: "grey", 3: "rgb"}.get(facts.image_shape[0], ""),
        "data": {
            **{"name": owner.data.name, "title": title_of(owner.data)},
            **{"digest": facts.digest, "licence": facts.licence},
        },
        "accuracy": {
            "test": product.facts["test_accuracy_at_end"],
            "images": images,
            "dense": dense.facts["test_accuracy_at_end"] if dense else None,
        },
        "layers": in_place(_layers(model, mask), small),
        "versions": {**network.inputs, **({"dense": dense.version} if dense else {})},
        **({"origins": elsewhere} if elsewhere else {}),
        "recipe": product.recipe.id,
        "lth_pipeline": __version__,
    }


def _dense(workshop: Workshop, chain: Chain, round: int) -> Product | None:
    """The dense network of the same replicate; None where it learned other data."""
    return workshop.look_up(chain, chain.main(0)) if same_data(chain, round) else None


def class_names(workshop: Workshop, chain: Chain, round: int) -> list[str]:
    """What the classes are called, in the order of the logits; their numbers where nobody has given them names."""
    data, facts = chain.owner(round).data, chain.facts(round)
    source = source_of(data)
    if source:
        from lth_pipeline.lottery.data import images

        return list(images.recall(source, workshop.dirs).class_names)
    return list(CLASS_NAMES.get(data.name) or map(str, range(facts.classes)))


def _layers(model: Model, mask: Tensors | None) -> list[dict[str, Any]]:
    """Each prunable layer's weights and units."""
    found = []
    for layer in model.layers:
        left = int(mask[layer.weight].sum()) if mask and layer.weight in mask else layer.size
        found.append(
            {
                **{"name": layer.name, "kind": layer.kind, "density": left / layer.size},
                **{"weights": layer.size, "weights_left": left},
                **{"inputs": layer.shape[1], "outputs": layer.shape[0]},
            }
        )
    return found


def in_place(layers: Iterable[Mapping[str, Any]], small: Small) -> list[dict[str, Any]]:
    """`layers`, each with the inputs and outputs that it has in `small`: none where it is not there."""
    shapes = {
        op.tensors["weight"]: small.tensors[op.tensors["weight"]].shape
        for op in small.program.ops
        if op.kind in ("conv", "linear")
    }
    found = []
    for layer in layers:
        outputs, inputs = shapes.get(f"{layer['name']}.weight", (0, 0))[:2]
        found.append({**layer, "inputs_left": inputs, "outputs_left": outputs})
    return found


def lineage(ticket: Ticket) -> tuple[dict[str, str], dict[str, str]]:
    """({experiment: its settings as YAML, those by default left out} of those that the ticket's rounds are made of,
    {what: id} of the runs that trained it, as far as they are recorded).

    Of own images that lie elsewhere than in the data folder the last name alone: folders are nobody else's business.
    """
    import yaml

    chain, made_by = ticket.chain, ticket.network.product.record["made_by"]
    settings = {}
    for card in related(chain.cards, chain.name):
        known = card.model_dump(mode="json", exclude_defaults=True)
        if PurePath(path := card.data.path or "").is_absolute():
            known["data"]["path"] = PurePath(path).name
        settings[card.name] = yaml.safe_dump(known, sort_keys=False, allow_unicode=True)
    runs = {"MLflow run": made_by.get("mlflow_run"), "Dagster run": made_by.get("dagster_run")}
    return settings, {what: run for what, run in runs.items() if run}
