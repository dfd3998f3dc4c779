"""What the masks of an experiment are like: where weights survive, what they were, and how far they went.

A part per replicate and round reads that round's networks and, to tell what its pruning took, the training that was
pruned; a part per round compares the replicates' masks; one has the data's mean image. So a deeper round, or another
replicate, computes only itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

from lth_pipeline.recipes.analyses.analysis import Found, Part, Subject, make
from lth_pipeline.recipes.analyses.networks import Network, networks
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.workshop import Seen

NAME = "mask_structure"


@dataclass(frozen=True)
class Round:
    """What there is of one replicate and round.

    here: its trainings. mask: data version of the mask that most of them are under; None in round 0.
    previous: that of the round before; None in round 1.
    initial: data version of the weights that a ticket is rewound to; of one that is not, the initial ones.
    before: the training that was pruned, and the controls under its mask; empty in round 0.
    reads_pixels: whether the first layer is fully connected.
    """

    chain: Chain
    number: int
    here: Sequence[Network]
    mask: str | None
    previous: str | None
    initial: str
    before: Sequence[Network]
    reads_pixels: bool

    @property
    def arm(self) -> str:
        """What its mask is called by."""
        return "ticket" if self.number else "dense"

    @property
    def key(self) -> str:
        return f"replicate{self.chain.replicate}/round{self.number:02d}/{self.arm}"

    @property
    def of_network(self) -> dict[str, Any]:
        """The settings that the network is built from."""
        settings = self.here[0].product.recipe.settings
        return {name: settings[name] for name in ("model", "image_shape", "classes")}

    @property
    def data(self) -> dict[str, Any]:
        """The settings that say which images are trained on: of a first layer that reads pixels, else none."""
        if not self.reads_pixels:
            return {}
        chain = self.chain
        return {"data": self.here[0].product.recipe.settings["data"], "seed": chain.owner(self.number).seed}


def parts(subject: Subject) -> list[Part]:
    """The data's mean image (of the last round's data), each replicate's rounds, each round's replicates against each
    other."""
    rounds = [round for chain in subject.chains for round in _rounds(subject, chain)]
    reading = [round for round in rounds if round.reads_pixels]
    images = [_part_of_images(subject, max(reading, key=lambda round: round.number))] if reading else []
    return [*images, *(_part_of_round(subject, round) for round in rounds), *_parts_of_replicates(subject, rounds)]


def _rounds(subject: Subject, chain: Chain) -> list[Round]:
    seen: Seen = {}
    trained = {number: list(here) for number, here in groupby(networks(subject, chain), lambda each: each.step.round)}
    reads_pixels = bool(trained) and chain.model(0).layers[0].kind == "fc"
    found = []
    for number, here in trained.items():
        steps = _initial(chain, number), Step("mask", number), Step("mask", number - 1)
        initial, *masks = (subject.workshop.look_up(chain, step, seen) for step in steps[: min(number, 2) + 1])
        if initial is None or None in masks:
            continue
        mask, previous = (*(mask.version for mask in masks), None, None)[:2]
        before = _pruned(chain, number, trained)
        found.append(Round(chain, number, here, mask, previous, initial.version, before, reads_pixels))
    return found


def _initial(chain: Chain, number: int) -> Step:
    rewound = number and chain.owner(number).rewind.mode == "weights"
    return chain.rewind_weights(number) if rewound else Step("initial_weights")


def _pruned(chain: Chain, number: int, trained: dict[int, list[Network]]) -> list[Network]:
    """The training that a round's mask comes from, and those under the same mask; of a mask from elsewhere none."""
    if not number or chain.takes_ticket(number):
        return []
    source = chain.pruned_from(number)
    alike = chain.mask(source)
    there = trained.get(source.round, [])
    return [each for each in there if each.step.arm != "dense_small" and chain.mask(each.step) == alike]


def _part_of_round(subject: Subject, round: Round) -> Part:
    inputs = {"initial": round.initial}
    inputs |= {name: version for name, version in (("mask", round.mask), ("previous", round.previous)) if version}
    for role, several in (("here", round.here), ("before", round.before)):
        for network in several:
            named = {**network.inputs, "begun": network.product.recipe.inputs["weights"]}
            inputs |= {f"{role}/{network.step.label}/{name}": version for name, version in named.items()}
    if round.reads_pixels:
        inputs["data"] = round.chain.facts(round.number).digest
    chain = round.chain
    settings = {
        "replicate": chain.replicate,
        "round": round.number,
        **round.of_network,
        **round.data,
        "structure": chain.structure(round.number) if round.number else "weights",
        "pruned_from": chain.pruned_from(round.number).round if round.before else None,
        "early": bool(round.before) and chain.is_early(chain.pruned_from(round.number)),
    }
    about = f"replicate {chain.replicate}, round {round.number}"
    return Part(NAME, about, settings, inputs, partial(_of_round, subject, round))


def _parts_of_replicates(subject: Subject, rounds: Sequence[Round]) -> list[Part]:
    """Of each round that two replicates or more have been pruned to."""
    found = []
    for number in sorted({round.number for round in rounds if round.number}):
        here = [round for round in rounds if round.number == number]
        if len(here) > 1:
            inputs = {f"replicate{round.chain.replicate}": round.mask for round in here}
            settings = {"round": number, "replicates": [round.chain.replicate for round in here]}
            about = f"round {number}, replicates against each other"
            found.append(Part(NAME, about, settings, inputs, partial(_of_replicates, subject, here)))
    return found


def _part_of_images(subject: Subject, round: Round) -> Part:
    """The data's mean image, for a first layer that reads pixels."""
    inputs = {"data": round.chain.facts(round.number).digest}
    return Part(NAME, "the data's mean image", round.data, inputs, partial(_of_images, subject, round))


def _of_round(subject: Subject, round: Round) -> Found:
    import torch

    from lth_pipeline.recipes.analyses.mask_structure_round import found_in

    torch.set_num_threads(subject.workshop.threads)
    images = make(subject.workshop, _part_of_images(subject, round)).found if round.reads_pixels else None
    return found_in(subject.workshop, round, images)


def _of_replicates(subject: Subject, here: Sequence[Round]) -> Found:
    import torch

    from lth_pipeline.recipes.analyses.mask_structure_round import between_replicates

    torch.set_num_threads(subject.workshop.threads)
    return between_replicates(subject.workshop, here)


def _of_images(subject: Subject, round: Round) -> Found:
    import torch

    from lth_pipeline.recipes.analyses.mask_structure_round import images_of

    torch.set_num_threads(subject.workshop.threads)
    return images_of(subject.workshop, round)
