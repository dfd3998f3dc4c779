"""What is wrong with a card's pruning, rewinding and arms, given its network and data."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from lth_pipeline.experiments import Experiment, Fault
from lth_pipeline.experiments.errors import MISSING
from lth_pipeline.experiments.settings.arms import EarlyBirdSettings
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.errors import ModelError, PruningError
from lth_pipeline.lottery.models import Layer
from lth_pipeline.lottery.models.narrow import narrowed
from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.recipes.facts import facts_of, parts_of
from lth_pipeline.recipes.ladder import Rung, climb, matches, model_of, network_settings, rate
from lth_pipeline.recipes.lineage import owner
from lth_pipeline.recipes.rewinding import mask_every, rewind_iteration

MASKS = 400  # of one training, at most: those of VGG-19's 20 million weights are then 1 GB


def layer_faults(experiment: Experiment, dirs: DataDirs | None) -> list[Fault]:
    """Settings by kind or name of layer that mean no layer of this network, or one twice."""
    layers = model_of(experiment, dirs).layers
    found = _kind_faults(experiment, layers) or _name_faults(experiment, layers)
    return found or _unit_faults(experiment, layers) or _idle_faults(experiment, layers)


def _kind_faults(experiment: Experiment, layers: tuple[Layer, ...]) -> list[Fault]:
    own = experiment.pruning.output_rate is not None
    kinds = {layer.kind for layer in layers if not (own and layer.is_output)}
    beside = " beside the output, which has its own rate" if own else ""
    return [
        Fault(
            f"pruning.rates.{kind}",
            value,
            f"has no effect: {experiment.model.name} has no {kind} layers{beside}, only {', '.join(sorted(kinds))}",
        )
        for kind, value in (experiment.pruning.rates or {}).items()
        if kind not in kinds
    ]


def _name_faults(experiment: Experiment, layers: tuple[Layer, ...]) -> list[Fault]:
    pruning, network = experiment.pruning, experiment.model.name
    rates, names = pruning.layer_rates or {}, ", ".join(layer.name for layer in layers)
    for field, patterns in (("layer_rates", tuple(rates)), ("leave_out", pruning.leave_out)):
        for place, pattern in enumerate(patterns):
            at = f"pruning.{field}.{pattern if field == 'layer_rates' else place}"
            if not any(matches(layer, [pattern]) for layer in layers):
                return [Fault(at, pattern, f"means no layer of {network}; its layers are {names}")]
    for layer in layers:
        own = matches(layer, rates)
        if len(own) > 1:
            return [Fault("pruning.layer_rates", own, f"{layer.name} has more than one rate; give it one")]
        if own and matches(layer, pruning.leave_out):
            return [Fault("pruning.leave_out", list(pruning.leave_out), f"{layer.name} has a rate in layer_rates")]
        told = [f for f in ("output_rate", "output_factor") if getattr(pruning, f) is not None and layer.is_output]
        if told and (own or matches(layer, pruning.leave_out)):
            expected = f"has no effect: {layer.name} is in {'layer_rates' if own else 'leave_out'}; leave one out"
            return [Fault(f"pruning.{told[0]}", getattr(pruning, told[0]), expected)]
    for pattern in pruning.leave_out:
        without = pruning.model_copy(update={"leave_out": tuple(p for p in pruning.leave_out if p != pattern)})
        if not any(rate(without, layer) for layer in layers if matches(layer, [pattern])):
            expected = "has no effect: these layers are not pruned anyway; leave it out"
            return [Fault("pruning.leave_out", list(pruning.leave_out), f"{pattern} {expected}")]
    return []


def _unit_faults(experiment: Experiment, layers: tuple[Layer, ...]) -> list[Fault]:
    pruning = experiment.pruning
    if pruning.structure == "weights":
        return []
    for field in ("output_rate", "output_factor"):
        if getattr(pruning, field) is not None:
            expected = "has no effect where whole units are pruned: the output's units are the classes, and stay"
            return [Fault(f"pruning.{field}", getattr(pruning, field), expected)]
    for pattern, value in (pruning.layer_rates or {}).items():
        if all(layer.is_output for layer in layers if matches(layer, [pattern])):
            expected = "has no effect where whole units are pruned: the output's units are the classes, and stay"
            return [Fault(f"pruning.layer_rates.{pattern}", value, expected)]
    if pruning.scope == "global" and pruning.densities:
        expected = "a ranking of whole units has units of many sizes, so no density can be promised; give rates"
        return [Fault("pruning.densities", list(pruning.densities), expected)]
    return []


def _idle_faults(experiment: Experiment, layers: tuple[Layer, ...]) -> list[Fault]:
    """Rates that no layer goes by, as each has another, or is left out."""
    pruning = experiment.pruning
    given = pruning.rates or {}
    idle = {f"rates.{kind}": {"rates": {**given, kind: 0.0}} for kind in given if given[kind]}
    if pruning.output_factor is not None:
        idle["output_factor"] = {"output_factor": None}
    for field, update in idle.items():
        without = pruning.model_copy(update=update)
        if all(rate(pruning, layer) == rate(without, layer) for layer in layers):
            value = given[field.removeprefix("rates.")] if "." in field else pruning.output_factor
            expected = "has no effect: what it is for is left out, or has another rate; leave it out, or give 0"
            if "." not in field:
                expected = "has no effect: the output's kind has no rate that it could be a part of; leave it out"
            return [Fault(f"pruning.{field}", value, expected)]
    return []


def protocol_faults(experiment: Experiment, dirs: DataDirs | None) -> list[Fault]:
    """The rewind point and the examples that a criterion looks at."""
    rewind, training = experiment.rewind, experiment.training
    iteration = rewind_iteration(experiment, dirs)
    field = next((field for field in ("fraction", "epoch") if getattr(rewind, field)), None)
    if field and not 0 < iteration < training.iterations:
        expected = f"is iteration {iteration:,}; it must be between 0 and training.iterations ({training.iterations:,})"
        return [Fault(f"rewind.{field}", getattr(rewind, field), expected)]
    steps = training.step_at or ()
    if rewind.mode == "learning_rate" and training.schedule == "step" and iteration >= steps[-1]:
        expected = f"takes back nothing: from iteration {iteration:,} on the rate is the last; use fine_tuning"
        return [Fault("rewind.mode", "learning_rate", expected)]
    early = _early_faults(experiment, dirs)
    if early:
        return early
    left = training.iterations - iteration
    if field and training.patience and training.patience * training.evaluate_every >= left:
        expected = f"has no effect: so many evaluations take all the {left:,} iterations of a ticket; give fewer"
        return [Fault("training.patience", training.patience, expected)]
    return _example_faults(experiment, dirs) if "examples" in CRITERIA[experiment.pruning.criterion].reads else []


def _example_faults(experiment: Experiment, dirs: DataDirs | None) -> list[Fault]:
    asked, facts = experiment.pruning.examples, facts_of(experiment.data, dirs)
    there = parts_of(experiment.data, facts)[0]
    if asked is None and 10 * facts.classes > there:
        expected = f"is missing: ten for each class are {10 * facts.classes:,}, more than the {there:,} training images"
        return [Fault("pruning.examples", MISSING, expected)]
    if asked and asked > there:
        return [Fault("pruning.examples", asked, f"must not exceed the {there:,} training images")]
    if asked == 1 and model_of(experiment, dirs).norms:
        return [Fault("pruning.examples", 1, "must be at least 2: batch norm takes the deviation of a batch")]
    return []


def _early_faults(experiment: Experiment, dirs: DataDirs | None) -> list[Fault]:
    """Two masks of density d differ in at most 2 min(d, 1 − d) of all weights: below that, any mask has settled."""
    if not experiment.find_early or experiment.branch_of:
        return []
    rung = next(islice(climb({experiment.name: experiment}, experiment.name, dirs), 1, None))
    asked, training = experiment.early_bird or EarlyBirdSettings(), experiment.training
    if asked.every and asked.every % training.evaluate_every:
        expected = f"must be a multiple of training.evaluate_every ({training.evaluate_every})"
        return [Fault("early_bird.every", asked.every, expected)]
    threshold, every = asked.distance, mask_every(experiment, dirs)
    masks = training.iterations // every
    if asked.checks >= masks:
        expected = f"no mask can settle so: there are {masks:,}, one every {every:,} iterations, with "
        expected += f"{max(0, masks - 1):,} distances between them; give fewer checks, or a smaller early_bird.every"
        return [Fault("early_bird.checks", asked.checks, expected)]
    if masks > MASKS:
        return [Fault("early_bird.every", every, f"makes {masks:,} masks; give a greater one, for at most {MASKS:,}")]
    if rung.density is None or 2 * min(rung.density, 1 - rung.density) >= threshold:
        return []
    expected = f"is more than two masks of round 1, at {100 * rung.density:.1f} %, can differ: give a smaller one"
    return [Fault("early_bird.distance", threshold, expected)]


def ladder_faults(experiment: Experiment, cards: Mapping[str, Experiment], dirs: DataDirs | None) -> list[Fault]:
    """Rounds that prune nothing, or a layer away whole, or that cannot be counted."""
    pruning, model = experiment.pruning, model_of(experiment, dirs)
    asked = "densities" if pruning.densities else "rates"
    if not any(rate(pruning, layer) for layer in model.layers):
        return [Fault(f"pruning.{asked}", getattr(pruning, asked), "prunes none of this network's layers")]
    rungs: list[Rung] = []
    try:
        for rung in islice(climb(cards, experiment.name, dirs), pruning.rounds + 1):
            found = _rung_faults(experiment, rung, rungs, asked, owner(cards, experiment.name, rung.round))
            if found:
                return found
            rungs.append(rung)
    except PruningError as error:
        if experiment.ticket_from and len(rungs) == 1:
            return [_of_ticket(experiment, f"{error}; take ")]
        expected = f"{error}; give at most {len(rungs) - 1} rounds"
        return [Fault("pruning.rounds", pruning.rounds, expected)]
    return _small_faults(experiment, rungs[-1], dirs)


def _rung_faults(experiment: Experiment, rung: Rung, above: list[Rung], asked: str, owned: Experiment) -> list[Fault]:
    pruning = experiment.pruning
    gone = emptied(rung, owned)
    if gone and rung.round == 1 and experiment.ticket_from:
        return [_of_ticket(experiment, f"has {gone} pruned away whole; take ")]
    if gone:
        expected = f"prunes {gone} away whole in round {rung.round}; "
        if pruning.densities:
            return [Fault("pruning.densities", list(pruning.densities), expected + "give higher ones")]
        expected += f"give at most {rung.round - 1} rounds, or lower rates"
        return [Fault("pruning.rounds", pruning.rounds, expected)]
    risen = _risen(rung, above[-1], owned) if above else None
    if risen:
        expected = f"cannot keep {rung.keep[risen]:,} {owned.pruning.structure} of {risen} in round {rung.round}: "
        expected += f"only {above[-1].keep[risen]:,} are left in the round before; give lower ones"
        return [Fault("pruning.densities", list(pruning.densities or ()), expected)]
    same = above and rung.keep is not None and above[-1].keep == rung.keep
    fell = above and None not in (rung.weights, above[-1].weights) and rung.weights >= above[-1].weights
    if (same or fell) and not (owned.ticket_from and rung.round == 1):
        expected = f"prunes nothing in round {rung.round}; "
        if pruning.densities:
            return [Fault("pruning.densities", list(pruning.densities), expected + "give lower ones")]
        if rung.round == 1:
            return [Fault("pruning.rates", pruning.rates, expected + "raise the rates")]
        expected += f"give at most {rung.round - 1} rounds, or raise the rates"
        return [Fault("pruning.rounds", pruning.rounds, expected)]
    return []


def _of_ticket(experiment: Experiment, expected: str) -> Fault:
    """Of a ticket from elsewhere that was pruned too far."""
    origin = experiment.ticket_from
    if origin.registry:
        return Fault("ticket_from.registry", origin.registry, f"{expected}a published ticket of an earlier round")
    return Fault("ticket_from.round", origin.round, f"{expected}an earlier round")


def _risen(rung: Rung, above: Rung, owned: Experiment) -> str | None:
    """A layer that is asked for more than the round before has left: a branch to densities may."""
    layerwise = rung.keep and above.keep and not rung.ranked and not above.ranked
    if not layerwise or owned.pruning.mode == "one_shot" or (owned.ticket_from and rung.round == 1):
        return None
    return next((name for name, count in rung.keep.items() if count > above.keep[name]), None)


def _small_faults(experiment: Experiment, last: Rung, dirs: DataDirs | None) -> list[Fault]:
    told = too_small(experiment, last, dirs)
    return [Fault("arms", list(experiment.arms), told)] if told else []


def too_small(experiment: Experiment, rung: Rung, dirs: DataDirs | None) -> str | None:
    """Why there is no dense network as small as `rung`, in words; None where there is, or the card does not ask."""
    if "dense_small" not in experiment.arms or rung.weights is None:
        return None
    facts = facts_of(experiment.data, dirs)
    try:
        narrowed(experiment.model.name, facts.image_shape, facts.classes, rung.weights, **network_settings(experiment))
    except ModelError as error:
        return f"dense_small cannot be so small in round {rung.round}: {error}"
    return None


def emptied(rung: Rung, experiment: Experiment) -> str | None:
    """What `rung` leaves nothing of, in words; None where every layer keeps something, or need not."""
    if rung.keep is None:
        return None
    if experiment.pruning.empty_layers == "allow":
        return "the network" if sum(rung.keep.values()) < 1 or min(rung.keep.values()) < 0 else None
    empty = [layer for layer, count in rung.keep.items() if count < (len(rung.ranked) or 1)]
    return (empty[0] or "the network") if empty else None


def empties(
    cards: Mapping[str, Experiment], name: str, rounds: int, dirs: DataDirs | None = None
) -> tuple[int, str] | None:
    """(round, weight name) where the ladder of experiment `name` first leaves a layer nothing, down to `rounds`."""
    for rung in islice(climb(cards, name, dirs), rounds + 1):
        gone = emptied(rung, owner(cards, name, rung.round))
        if gone:
            return rung.round, gone
    return None
