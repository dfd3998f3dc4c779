"""The small network: how large and how quick every round's ticket is, in every form, against the dense network.

Of the dense network and the ticket of every round; where there are convolutions, of the chosen rounds. onnxruntime's
figures need the packages of .[export], 2:4 a GPU; without them they are left out, `machine` says so, and a machine that
has them measures anew.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from itertools import product
from typing import Any

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes.analyses.analysis import Check, Found, Part, Subject
from lth_pipeline.recipes.analyses.networks import Network, chosen_rounds, comparable, last_round, networks
from lth_pipeline.recipes.chain import Chain


def parts(subject: Subject) -> list[Part]:
    """One for each replicate: all its networks take turns, so that every ratio is of one run on one machine.

    Times are measured, and no two measurements are alike: computed anew, a part has other times (and may have another
    peak of onnxruntime's memory), while sizes, accuracies and differences stay.
    """
    found = []
    for chain in subject.chains:
        there = comparable(networks(subject, chain, _rounds(subject, chain), ["dense", "ticket"]))
        if not there:
            continue
        found.append(_fullest(subject, there))
    return found


def _fullest(subject: Subject, there: list[Network]) -> Part:
    """The part with most in it of those that are in the store, or can be measured here."""
    has_onnx = bool(find_spec("onnx") and find_spec("onnxruntime"))
    has_two_four = subject.experiment.analysis.semi_structured and _multiplies_two_four(subject)
    for onnx, two_four in product((True, False), repeat=2):
        if two_four and not subject.experiment.analysis.semi_structured:
            continue
        part = _part(subject, there, onnx, two_four)
        can = has_onnx >= onnx and has_two_four >= two_four
        if can or subject.workshop.store.find(part.recipe.id):
            return part
    raise AssertionError("the least can be measured anywhere")


def _multiplies_two_four(subject: Subject) -> bool:
    import torch

    from lth_pipeline.lottery.small.semi_structured import has_kernels
    from lth_pipeline.recipes.route import choose_device

    return torch.cuda.is_available() and has_kernels(choose_device(subject.workshop.device))  # none is taken for it


def checks(found: Found, experiment: Experiment) -> list[Check]:
    """Of every exact form: int8 and 2:4 (float16) round, and are held to nothing."""
    rows = [row for row in found.tables.get("forms", []) if row["exact"]]
    if not rows:
        return []
    wrong = [row for row in rows if not row["same"]]
    said = "".join(f"; {row['left_out']}" for row in found.tables["machine"] if row["left_out"])
    if wrong:
        first = "; ".join(
            f"replicate {row['replicate']}, round {row['round']}, {row['form']} in {row['runtime']}: logits differ by "
            f"{_number(row['max_difference'])} of {_number(row['scale'])}, {row['changed']} predictions changed"
            for row in wrong[:3]
        )
        return [Check("same_outputs", False, f"{len(wrong)} of {len(rows)} have not: {first}{said}")]
    changed = sum(row["changed"] for row in rows)
    turned = f", {changed} predictions among them turned where two logits are equal to rounding" if changed else ""
    return [Check("same_outputs", True, f"all {len(rows)} have{turned}{said}")]


def _number(value: float | None) -> str:
    return "what is no number" if value is None else f"{value:.3g}"


def _rounds(subject: Subject, chain: Chain) -> list[int]:
    """A fully connected network takes a second or two a round; one of convolutions may take a minute."""
    experiment = chain.cards[chain.name]
    if experiment.analysis.rounds is None and experiment.model.name == "mlp":
        return list(range(last_round(subject, chain) + 1))
    return [0, *chosen_rounds(subject, chain)]


def _part(subject: Subject, there: list[Network], onnx: bool, two_four: bool) -> Part:
    chain = there[0].chain
    data, asked = chain.owner(there[-1].step.round).data, subject.experiment.analysis
    settings: dict[str, Any] = {
        "networks": [network.columns for network in there],
        "test_size": data.test_size,
        "normalisation": data.normalisation,
        "onnxruntime": onnx,
    }
    if asked.semi_structured:
        settings["semi_structured"] = two_four
    return Part(
        "small_network",
        f"replicate {chain.replicate}",
        settings,
        {
            "data": chain.facts(there[-1].step.round).digest,
            **{f"{n.step.round}/{name}": version for n in there for name, version in n.inputs.items()},
        },
        partial(_computed, subject, there, onnx),
    )


def _computed(subject: Subject, there: list[Network], onnx: bool) -> Found:
    from lth_pipeline.recipes.analyses.small_network_forms import measured

    rounds = [network.step.round for network in there]
    return measured(
        subject.workshop, there[0].chain, rounds, onnx=onnx, semi_structured=subject.experiment.analysis.semi_structured
    )
