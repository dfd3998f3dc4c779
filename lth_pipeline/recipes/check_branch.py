"""What is wrong with a card that takes over another's rounds, or its ticket."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from pydantic import BaseModel

from lth_pipeline.experiments import Experiment, Fault
from lth_pipeline.experiments.settings import TransferSettings
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.recipes.facts import facts_of
from lth_pipeline.recipes.ladder import model_of, ranked_layers, source_layers
from lth_pipeline.recipes.lineage import owner, related
from lth_pipeline.recipes.registry import known, registered
from lth_pipeline.recipes.rewinding import rewind_iteration
from lth_pipeline.recipes.step import MASKED
from lth_pipeline.recipes.transfer import carried

#: settings that make a branch another experiment than its parent
OWN = ("data", "model", "training", "rewind", "seed", "draws", "distillation", "ticket_from")


def branch_faults(experiment: Experiment, cards: Mapping[str, Experiment], dirs: DataDirs | None) -> list[Fault]:
    branch = experiment.branch_of
    parent = cards[branch.experiment]
    if branch.round > experiment.pruning.rounds:
        expected = f"must be at most pruning.rounds ({experiment.pruning.rounds}), or no round is this experiment's own"
        return [Fault("branch_of.round", branch.round, expected)]
    before = owner(cards, parent.name, branch.round - 1)
    one, two = facts_of(before.data, dirs), facts_of(experiment.data, dirs)
    same_shape = (one.image_shape, one.classes) == (two.image_shape, two.classes)
    if not same_shape or model_of(before, dirs).layers != model_of(experiment, dirs).layers:
        return [
            Fault(
                "model",
                experiment.model.name,
                f"a branch keeps the network and the image shape of {parent.name}, whose masks it takes over",
            )
        ]
    if before.pruning.scope == "global" and experiment.pruning.scope == "layerwise" and branch.round > 1:
        return [
            Fault(
                "pruning.scope",
                "layerwise",
                f"cannot follow the global rounds of {parent.name}: "
                f"how much is left in each layer is not known beforehand",
            )
        ]
    if branch.round > 1 and before.pruning.structure != experiment.pruning.structure:
        expected = f"must be that of the rounds of {parent.name}: how much is left of each unit is not known beforehand"
        return [Fault("pruning.structure", experiment.pruning.structure, expected)]
    both_global = before.pruning.scope == experiment.pruning.scope == "global" and branch.round > 1
    if both_global and ranked_layers(before.pruning, model_of(before, dirs)) != ranked_layers(
        experiment.pruning, model_of(experiment, dirs)
    ):
        expected = f"must rank the layers that {parent.name} ranks: how much is left in each is not known beforehand"
        fields = ("leave_out", "output_rate", "rates")
        field = next(field for field in fields if getattr(before.pruning, field) != getattr(experiment.pruning, field))
        value = getattr(experiment.pruning, field)
        return [Fault(f"pruning.{field}", list(value) if field == "leave_out" else value, expected)]
    if branch.round > 1 and parent.ticket_from != experiment.ticket_from:
        expected = f"has no effect: round 1, which a ticket from elsewhere is, is taken over from {parent.name}"
        return [Fault("ticket_from", _said(experiment.ticket_from), expected)]
    dense = owner(cards, parent.name, 0)
    for field in ("find_early", "early_bird"):
        if getattr(dense, field) != getattr(experiment, field):
            expected = f"has no effect: the dense training is taken over from {dense.name}"
            return [Fault(field, _said(getattr(experiment, field)), expected)]
    iteration = rewind_iteration(experiment, dirs)
    if iteration >= dense.training.iterations:
        expected = (
            f"must be below the {dense.training.iterations:,} iterations of {dense.name}, whose round 0 it takes over"
        )
        field = next((name for name in ("fraction", "epoch") if getattr(experiment.rewind, name)), "iteration")
        return [Fault(f"rewind.{field}", getattr(experiment.rewind, field), expected)]
    same = all(getattr(parent, field) == getattr(experiment, field) for field in OWN)
    same = same and set(parent.arms) == set(experiment.arms)
    if same and parent.pruning.model_copy(update={"rounds": experiment.pruning.rounds}) == experiment.pruning:
        return [
            Fault(
                "branch_of.experiment",
                parent.name,
                "this branch changes nothing; change a setting, or run the parent",
            )
        ]
    return []


def _said(settings: object) -> object:
    return settings.model_dump() if isinstance(settings, BaseModel) else settings


def reference_faults(experiment: Experiment, cards: Mapping[str, Experiment]) -> list[Fault]:
    """Whether `ticket_from` names an experiment, and none that waits for this one; or a published ticket."""
    origin = experiment.ticket_from
    if origin is None:
        return []
    if origin.registry:  # which version that is, and whether there is one, is asked before a run
        return []
    members = [name for name, card in cards.items() if card.sweep and card.sweep.sweep == origin.experiment]
    if members:
        expected = f"is a sweep; take the ticket of one of its experiments: {', '.join(members)}"
        return [Fault("ticket_from.experiment", origin.experiment, expected)]
    if origin.experiment not in cards:
        close = get_close_matches(origin.experiment, cards, n=1)
        guess = f" did you mean {close[0]}?" if close else ""
        expected = f"no such experiment;{guess} There are: {', '.join(cards)}"
        return [Fault("ticket_from.experiment", origin.experiment, expected)]
    way = _circle(cards, experiment.name, ())
    if way:
        return [Fault("ticket_from.experiment", origin.experiment, f"the tickets go in a circle: {' → '.join(way)}")]
    return []


def _circle(cards: Mapping[str, Experiment], name: str, way: tuple[str, ...]) -> tuple[str, ...] | None:
    if name in way:
        return (*way, name)
    card = cards.get(name)
    above = [card.branch_of, card.ticket_from] if card else []
    return next((c for a in above if a and a.experiment and (c := _circle(cards, a.experiment, (*way, name)))), None)


def is_cut(cards: Mapping[str, Experiment], origin: TransferSettings, dirs: DataDirs | None) -> bool:
    """Whether weights that a ticket was rewound to are zero where one before it was pruned: those that another ticket
    was trained to, be it one that a ticket was taken from, or the round before, where the source does not rewind."""
    if origin.registry:
        return registered(origin, dirs).cut
    source = owner(cards, origin.experiment, origin.round)
    above = source.ticket_from
    if above and above.weights != "own":
        return above.weights == "trained" or is_cut(cards, above, dirs)
    return source.rewind.mode != "weights" and source.pruning.mode == "iterative" and origin.round > 1


def _is_tuned(cards: Mapping[str, Experiment], origin: TransferSettings) -> bool:
    """Whether it comes, through whatever experiments, of a published ticket or of what one was trained to."""
    if origin.registry or origin.weights == "trained":
        return True
    above = owner(cards, origin.experiment, origin.round).ticket_from
    return above is not None and _is_tuned(cards, above)


def _own_published(experiment: Experiment, cards: Mapping[str, Experiment], dirs: DataDirs | None) -> str:
    """How a published ticket came of `experiment` itself, in words; empty where it did not, or that is not known."""
    waiting, seen = [(experiment, "")], set()
    while waiting:
        card, way = waiting.pop()
        origin = card.ticket_from
        if origin and origin.registry and (found := known(origin, dirs)):
            said = f"{way}version {found.version} is the ticket of {found.whose}"
            whose = found.facts["experiment"]
            for other in related(cards, whose) if whose in cards else ():
                if other.name == experiment.name:
                    return said if whose == other.name else f"{said}, which comes of {other.name}"
                if other.name not in seen:
                    seen.add(other.name)
                    waiting.append((other, f"{said}; "))
    return ""


def transfer_faults(experiment: Experiment, cards: Mapping[str, Experiment], dirs: DataDirs | None) -> list[Fault]:
    """Whether the ticket that `experiment` takes fits its network."""
    origin = experiment.ticket_from
    if origin is None:
        return []
    if origin.registry and (said := _own_published(experiment, cards, dirs)):
        expected = f"{said}: it would go on from itself; take one that does not come of {experiment.name}"
        return [Fault("ticket_from.registry", origin.registry, expected)]
    if not carried(source_layers(cards, origin, dirs), model_of(experiment, dirs).layers, origin.weights):
        if origin.registry:
            found = registered(origin, dirs)
            field, network, whose = "registry", found.facts["model"]["name"], f"version {found.version} ({found.whose})"
        else:
            source = owner(cards, origin.experiment, origin.round)
            field, network, whose = "experiment", source.model.name, source.name
        expected = (
            f"{experiment.model.name} shares no layer of the same shape with {network} of {whose}; "
            "take a ticket of the same network"
        )
        return [Fault(f"ticket_from.{field}", getattr(origin, field), expected)]
    moved = [arm for arm in MASKED if arm in experiment.arms]
    # that an experiment does not rewind was never refused: for such a source a remark says so
    if moved and origin.weights == "source" and _is_tuned(cards, origin) and is_cut(cards, origin, dirs):
        expected = (
            f"cannot have {moved[0]} with the weights of {origin.place}: they are zero where it was pruned before, and "
            "another mask would leave less of them; leave it out"
        )
        return [Fault("arms", list(experiment.arms), expected)]
    pruning = experiment.pruning
    for field in ("criterion", "structure", "mode", "examples", "steps"):
        value = getattr(pruning, field)
        if pruning.rounds == 1 and value != type(pruning).model_fields[field].default:
            expected = "has no effect: round 1, the only one, is the ticket from elsewhere; give more rounds"
            return [Fault(f"pruning.{field}", value, expected)]
    return []
