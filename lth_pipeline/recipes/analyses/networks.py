"""The trained networks of a replicate, and its data, as analyses want them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from lth_pipeline.lottery.data import Data
from lth_pipeline.recipes.analyses.analysis import Subject
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.workshop import Product, Seen, Workshop

if TYPE_CHECKING:
    import torch

    from lth_pipeline.lottery.models import Model
    from lth_pipeline.lottery.training.train import Seeds, Trained

MOST_ROUNDS = 4  # that expensive analyses look at where the card does not say which

Tensors = dict[str, "torch.Tensor"]


@dataclass(frozen=True)
class Network:
    """A training that is in the store, not loaded yet. mask: None where the network is dense."""

    chain: Chain
    step: Step
    product: Product
    mask: Product | None

    @property
    def key(self) -> str:
        """What arrays of it are called by: "replicate0/round03/ticket"; the draw where it is not the first."""
        return f"replicate{self.chain.replicate}/round{self.step.round:02d}/{self.step.label.replace(' ', '_')}"

    @property
    def columns(self) -> dict[str, Any]:
        """What a row about it begins with."""
        facts = self.mask.facts if self.mask else self.product.facts if self.step.arm == "dense_small" else {}
        rung = self.chain.rung(0)
        return {
            "replicate": self.chain.replicate,
            "round": self.step.round,
            "arm": self.step.arm,
            "draw": self.step.draw,
            "density": facts.get("density", rung.density),
            "weights": facts.get("weights", rung.weights),
        }

    @property
    def inputs(self) -> dict[str, str]:
        """Data versions of its weights and its mask: what a part that looks at it depends on."""
        return {"trained": self.product.version, **({"mask": self.mask.version} if self.mask else {})}


def networks(
    subject: Subject, chain: Chain, rounds: Sequence[int] | None = None, arms: Sequence[str] | None = None
) -> list[Network]:
    """What has been trained and did not diverge, by round; computes nothing. rounds: only these; arms: only these, and
    of those drawn several times every draw."""
    workshop, seen = subject.workshop, {}
    found = []
    for round in range(last_round(subject, chain) + 1):
        if rounds is not None and round not in rounds:
            continue
        for step in chain.trainings(round):
            product = workshop.look_up(chain, step, seen)
            if product is None or "diverged_at" in product.facts or (arms is not None and step.arm not in arms):
                continue
            under = chain.mask(step)
            found.append(Network(chain, step, product, workshop.look_up(chain, under, seen) if under else None))
    return found


def last_round(subject: Subject, chain: Chain) -> int:
    """The deepest round whose ticket, and all before it, is trained: of those the card asks for, or that were run for
    it beyond; -1 without any."""
    seen: Seen = {}
    card = chain.cards[chain.name]
    for round in count():
        own = chain.replicate < card.replicates and round <= card.pruning.rounds
        asked = own or (chain.replicate, round) in subject.beyond
        if not asked or subject.workshop.look_up(chain, chain.main(round), seen) is None:
            return round - 1
    raise AssertionError


def chosen_rounds(subject: Subject, chain: Chain) -> list[int]:
    """The rounds that expensive analyses look at: the card's `analysis.rounds`, else the dense network, the last round
    and some evenly between; of those that have been trained."""
    last = last_round(subject, chain)
    asked = chain.cards[chain.name].analysis.rounds
    if asked is not None:
        return [round for round in asked if round <= last]
    spaces = MOST_ROUNDS - 1
    return sorted({(last * place + spaces // 2) // spaces for place in range(MOST_ROUNDS)}) if last >= 0 else []


def same_data(chain: Chain, round: int) -> bool:
    """Whether the networks of `round` learned what the dense network learned: a branch may have other data than its
    parent, and then its accuracies and losses are of other images."""
    return chain.owner(round).data == chain.owner(0).data


def comparable(found: Sequence[Network]) -> list[Network]:
    """`found` without the dense network, where one of them learned other data: it is nothing to hold them against."""
    apart = any(not same_data(network.chain, network.step.round) for network in found)
    return [network for network in found if network.step.round or not apart]


def load(workshop: Workshop, network: Network) -> tuple[Model, Tensors, Tensors | None]:
    """(model, trained weights, mask or None), on the CPU."""
    from lth_pipeline.recipes.artifacts import weights_of
    from lth_pipeline.recipes.steps import small_model

    weights = weights_of(workshop.store.load(network.product.version))
    mask = workshop.store.load(network.mask.version) if network.mask else None
    chain, step = network.chain, network.step
    if step.arm == "dense_small":
        return small_model(chain, step.round, _mask_of_round(workshop, chain, step.round)), weights, None
    return chain.model(step.round), weights, mask


def begun_from(workshop: Workshop, network: Network) -> Tensors:
    """The weights that its training started from, the pruned ones zero: θ₀, or those at the rewind point."""
    from lth_pipeline.recipes.artifacts import weights_of

    return weights_of(workshop.store.load(network.product.recipe.inputs["weights"]))


def data_of(workshop: Workshop, chain: Chain, round: int) -> Data:
    """The data of a round on the workshop's device: `train`, `validation`, `test`, normalised."""
    from lth_pipeline.recipes.training import data_for

    return data_for(chain.owner(round), workshop.dirs, workshop.training_device(), chain.facts(round).digest)


def retrained(
    workshop: Workshop,
    network: Network,
    *,
    data: Data | None = None,
    weights: Tensors | None = None,
    start: int | None = None,
    seeds: Callable[[Seeds], Seeds] = lambda own: own,
    **options: Any,
) -> Trained:
    """Its training once more, by itself; without more, the one that is recorded, and on its route to the bit.

    data: other data. weights: others to begin with. start: the iteration to begin at (with the schedule from there);
    left out: its own. seeds: gives other streams for its own. options: of `lottery.training.train.train`
    (`on_evaluation`, `on_step`, `stop`, `way`).
    """
    from dataclasses import replace

    import torch

    from lth_pipeline.lottery.training.train import train
    from lth_pipeline.recipes.training import inputs_of, schedule_of, seeds_of, teacher_of

    torch.set_num_threads(workshop.threads)
    chain, step = network.chain, network.step
    model, _, mask = load(workshop, network)
    inputs = inputs_of(workshop, network.product.recipe)
    schedule = schedule_of(chain, step)
    return train(
        model,
        begun_from(workshop, network) if weights is None else weights,
        mask,
        data or data_of(workshop, chain, step.round),
        schedule if start is None else replace(schedule, start=start),
        seeds(seeds_of(chain, step)),
        teacher=teacher_of(chain, step, inputs),
        **options,
    )


def _mask_of_round(workshop: Workshop, chain: Chain, round: int) -> Tensors:
    return workshop.store.load(workshop.make(chain, Step("mask", round)).version)
