"""Ensembles of what an experiment has trained: one arm of a round over the replicates, and the tickets of several
rounds of one replicate.

Every network answers the whole test part once; its probabilities are kept until all ensembles are judged: 4 bytes for
every network, image and class (MNIST: 0.4 MB a network).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING, Any

from lth_pipeline.recipes.analyses.analysis import Found, Part, Rows, Subject
from lth_pipeline.recipes.analyses.networks import Network, chosen_rounds, data_of, load, networks, same_data

if TYPE_CHECKING:
    import torch

ARMS = ("dense", "ticket", "reinit", "dense_small")
MOST_SUBSETS = 20  # of the replicates, for each size


@dataclass(frozen=True)
class Group:
    """Networks that may answer together. of: "replicates" (one arm of one round), "rounds" (the tickets of one
    replicate) or "rounds_and_dense" (these and its dense network). about: the columns that its rows begin with. sizes:
    how many of its members an ensemble has."""

    of: str
    about: Mapping[str, Any]
    members: Sequence[Network]
    sizes: Sequence[int]


def parts(subject: Subject) -> list[Part]:
    """One part: all of them, for an ensemble reaches over replicates and rounds."""
    groups = _groups(subject)
    members = _members(groups)
    if not members:
        return []
    chain = members[0].chain
    settings = {
        "seed": chain.owner(0).seed,
        "groups": [
            {"of": group.of, "sizes": list(group.sizes), "members": [member.key for member in group.members]}
            for group in groups
        ],
        "densities": {member.key: member.columns["density"] for member in members},
        "trained_by": {member.key: member.product.recipe.id for member in members},
        "subsets": MOST_SUBSETS,
    }
    inputs = {f"{member.key}/{name}": version for member in members for name, version in member.inputs.items()}
    count = len({member.chain.replicate for member in members})
    about = f"{count} replicates" if count > 1 else f"replicate {chain.replicate}"
    inputs["data"] = chain.facts(0).digest
    return [Part("ensembles", about, settings, inputs, partial(_judge, subject, groups))]


def _groups(subject: Subject) -> list[Group]:
    """Of networks that learned other data than their dense network, none."""
    by_arm: dict[tuple[int, str], list[Network]] = {}
    rounds = []
    for chain in subject.chains:
        found = [
            network
            for network in networks(subject, chain, sorted({0, *chosen_rounds(subject, chain)}), ARMS)
            if network.step.draw == 0 and same_data(chain, network.step.round)
        ]
        for network in found:
            by_arm.setdefault((network.step.round, network.step.arm), []).append(network)
        tickets = [network for network in found if network.step.arm == "ticket"]
        dense = [network for network in found if network.step.arm == "dense"]
        for of, members in (("rounds", tickets), ("rounds_and_dense", dense + tickets)):
            if len(members) > 1 and (of == "rounds" or dense):
                about = {"replicate": chain.replicate, "round": None, "arm": "ticket"}
                rounds.append(Group(of, about, members, [len(members)]))
    over = [
        Group("replicates", {"replicate": None, "round": round, "arm": arm}, members, range(1, len(members) + 1))
        for (round, arm), members in sorted(by_arm.items(), key=lambda item: (item[0][0], ARMS.index(item[0][1])))
    ]
    return over + rounds


def _members(groups: Sequence[Group]) -> list[Network]:
    """Every network once."""
    return list({member.key: member for group in groups for member in group.members}.values())


def _judge(subject: Subject, groups: Sequence[Group]) -> Found:
    import torch

    torch.set_num_threads(subject.workshop.threads)
    members = _members(groups)
    answers, parameters = {}, {}
    for member in members:
        answers[member.key], parameters[member.key] = _answers(subject, member)
    chain = members[0].chain
    labels = data_of(subject.workshop, chain, 0).test.labels.cpu()
    dense = chain.model(0).parameters
    apart = {(row["first"], row["second"]): row for group in groups for row in _pairs(group, answers, labels)}
    rows = [
        {**_together(chosen, answers, labels, apart), **_size(chosen, parameters, dense)}
        for chosen in (_chosen(group, size, chain.owner(0).seed) for group in groups for size in group.sizes)
    ]
    return Found({"ensembles": rows, "pairs": list(apart.values())})


def _answers(subject: Subject, network: Network) -> tuple[torch.Tensor, int]:
    """(probabilities of the test part (N, classes), parameters that are left: weights, biases and batch norm's)."""
    from lth_pipeline.lottery.analysis.ensembles import probabilities
    from lth_pipeline.recipes.route import precision_of
    from lth_pipeline.recipes.training import schedule_of

    chain, step = network.chain, network.step
    test = data_of(subject.workshop, chain, step.round).test
    model, weights, _ = load(subject.workshop, network)
    precision = precision_of(schedule_of(chain, step), test.labels.device)
    left = model.parameters - model.prunable + network.columns["weights"]
    return probabilities(model, weights, test, precision), left


@dataclass(frozen=True)
class Chosen:
    """The ensembles of one size of a group: its subsets, all of them or as many as are looked at."""

    group: Group
    size: int
    subsets: Sequence[Sequence[Network]]


def _chosen(group: Group, size: int, seed: int) -> Chosen:
    from lth_pipeline.lottery.analysis.ensembles import subsets
    from lth_pipeline.lottery.randomness import generator, stream_seed

    draws = generator(stream_seed(seed, "ensembles", members=size, of=len(group.members)))
    places = subsets(len(group.members), size, MOST_SUBSETS, draws)
    return Chosen(group, size, [[group.members[place] for place in subset] for subset in places])


def _together(
    chosen: Chosen,
    answers: Mapping[str, torch.Tensor],
    labels: torch.Tensor,
    apart: Mapping[tuple[str, str], Mapping[str, Any]],
) -> dict[str, Any]:
    """Means over the subsets, with the least and the greatest accuracy among them."""
    from lth_pipeline.lottery.analysis.ensembles import judged, together

    both = [judged(together([answers[member.key] for member in subset]), labels) for subset in chosen.subsets]
    alone = [fmean(judged(answers[member.key], labels)[0] for member in subset) for subset in chosen.subsets]
    pairs = [apart[one.key, other.key] for subset in chosen.subsets for one, other in combinations(subset, 2)]
    by_error = [pair["disagreement_by_error"] for pair in pairs if pair["disagreement_by_error"] is not None]
    accuracies = [accuracy for accuracy, _ in both]
    group = chosen.group
    return {
        **group.about,
        "of": group.of,
        "rounds": ", ".join(str(round) for round in sorted({member.step.round for member in group.members})),
        "members": chosen.size,
        "subsets": len(chosen.subsets),
        "accuracy": fmean(accuracies),
        "accuracy_least": min(accuracies),
        "accuracy_greatest": max(accuracies),
        "loss": fmean(loss for _, loss in both),
        "member_accuracy": fmean(alone),
        "gain": fmean(accuracies) - fmean(alone),
        "disagreement": fmean(pair["disagreement"] for pair in pairs) if pairs else None,
        "disagreement_by_error": fmean(by_error) if by_error else None,
    }


def _size(chosen: Chosen, parameters: Mapping[str, int], dense: int) -> dict[str, Any]:
    """Of the largest subset; replicates of one round have as many, but where a criterion leaves it open."""
    left = max(sum(parameters[member.key] for member in subset) for subset in chosen.subsets)
    densities = [member.columns["density"] for member in chosen.group.members]
    return {
        "density": fmean(densities),
        "parameters": left,
        "share_of_dense": left / dense,
        "within_dense": left <= dense,
    }


def _pairs(group: Group, answers: Mapping[str, torch.Tensor], labels: torch.Tensor) -> Rows:
    from lth_pipeline.lottery.analysis.ensembles import by_error, disagreement, judged

    """Of "rounds_and_dense" all pairs, those of "rounds" among them, are called pairs of "rounds"."""
    rows = []
    for one, other in combinations(group.members, 2):
        share = disagreement(answers[one.key], answers[other.key])
        accuracies = [judged(answers[member.key], labels)[0] for member in (one, other)]
        rows.append(
            {
                **group.about,
                "of": group.of.removesuffix("_and_dense"),
                "first": one.key,
                "second": other.key,
                "density": (one.columns["density"] + other.columns["density"]) / 2,
                "disagreement": share,
                "disagreement_by_error": by_error(share, accuracies),
            }
        )
    return rows
