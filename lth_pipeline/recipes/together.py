"""Which trainings run side by side with one that is asked for, and their running.

On a GPU a small network leaves most of the device idle, so whoever comes first trains all networks of a round: the
other arms, and the same of the other replicates. Each has its own artifact, as if it had been trained alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch

from lth_pipeline.lottery.errors import ModelError, PruningError
from lth_pipeline.lottery.training import curve
from lth_pipeline.lottery.training.together import Network, can_train_together, fits, train_together
from lth_pipeline.lottery.training.train import State, Trained
from lth_pipeline.recipes.artifacts import weights_of
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.checkpoints import keeper, load_together, save_together
from lth_pipeline.recipes.divergence import diverged_above
from lth_pipeline.recipes.errors import Elsewhere
from lth_pipeline.recipes.made import Made
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.route import choose_device, precision_of, route
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.store import name_together
from lth_pipeline.recipes.training import data_for, inputs_of, schedule_of, seeds_of, stop_of, what_was_made

if TYPE_CHECKING:
    from lth_pipeline.lottery.models import Model
    from lth_pipeline.recipes.workshop import Seen, Workshop

ALONE = ("dense_small", "ticket_distilled")  # arms with a network, or a loss, of their own
SHARE = 0.4  # of a GPU's memory, that networks trained together may take by the estimate of `room`


@dataclass(frozen=True)
class Member:
    chain: Chain
    step: Step
    recipe: Recipe


def company(
    workshop: Workshop, chain: Chain, step: Step, recipe: Recipe, model: Model, claims: ExitStack, again: bool
) -> list[Member]:
    """`step` and the trainings that are still missing and may run beside it: of the same round, network, data and
    schedule, of this replicate and of those that `workshop.replicates` names (None: all of the card). In the order of
    replicates and arms, whoever asks.

    What these need from the rounds above is made where it is missing. Each is claimed, until `claims` ends; one that
    another process is about is left to it. Empty where `step` trains by itself.

    again: those that are there too. So many and the same networks side by side give the same bits once more; networks
    with convolutions have bits of their own whatever trains beside them, and are alone in their company then.
    """
    own, device = Member(chain, step, recipe), choose_device(workshop.device)
    most = room(device, model, schedule_of(chain, step).batch_size) if workshop.together is None else workshop.together
    if most < 2 or not _may_join(chain, step, model):
        return []
    if not fits(data_for(chain.owner(step.round), workshop.dirs, device, recipe.inputs["data"])):
        return []
    if again and not model.fully_connected:
        return [own]
    beside = _beside(workshop, chain, step)
    if not again and (left := _left_half_done(workshop, beside, own, claims)):
        return left
    place = beside.index((chain, step))
    found = []
    for other, candidate in beside[place // most * most :][:most]:
        if (other, candidate) == (chain, step):
            found.append(own)
        elif (needed := _prepared(workshop, other, candidate)) and (again or _missing(workshop, needed, claims)):
            found.append(needed)
    return found if len(found) > 1 else []


def make_together(workshop: Workshop, members: Sequence[Member], own: Member, model: Model, again: bool) -> Made:
    """Train `members`, and give what came of `own`; the others are put into the store here, but not `again`."""
    chain, step = own.chain, own.step
    device, schedule, stop = choose_device(workshop.device), schedule_of(chain, step), stop_of(step)
    data = data_for(chain.owner(step.round), workshop.dirs, device, own.recipe.inputs["data"])
    precision = precision_of(schedule, device)
    how = {"way": "together", "precision": precision, "networks_together": len(members)}
    ids, sealed, store = [member.recipe.id for member in members], route(device, **how), workshop.store
    states = None if again else load_together(store, ids, sealed)
    networks = []
    for place, member in enumerate(members):
        inputs = inputs_of(workshop, member.recipe)
        networks.append(
            Network(
                weights_of(inputs["weights"]),
                inputs.get("mask"),
                seeds_of(member.chain, member.step),
                resume=states[place] if states else None,
                on_evaluation=_telling(workshop, member, chain, stop or schedule.iterations),
            )
        )

    def save(states: list[State]) -> None:
        save_together(store, ids, states, sealed)

    keep = None if again else keeper(workshop, f"{step} and {len(ids) - 1} trained beside it", save)
    trained = train_together(model, networks, data, schedule, stop=stop, on_steps=keep)
    made = [what_was_made(one, stop, data, how) for one in trained]
    place = members.index(own)
    if again:
        return made[place]
    # A process that is killed between the first of them that is kept and the last leaves a state of all: so few as are
    # missing then would train to other bits.
    save(_ends(trained))
    for member, one in zip(members, made, strict=True):
        if member != own and store.find(member.recipe.id) is None:
            with _made_for(workshop, member.chain):
                workshop.keep(member.recipe, one, member.step)
    return made[place]._replace(once_kept=partial(store.drop_checkpoint, name_together(ids)))


def room(device: torch.device, model: Model, batch_size: int) -> int:
    """How many networks a device takes: on a CPU one, where stacking costs (ten LeNets take 1.19 ms each and step, one
    alone 0.92: the products bound the step, and the weights of many fall out of the cache).

    A network holds weights, gradients and two moments, and a batch's activations forth and back. Of the whole memory,
    not what is free of it just now: as many train together in a recompute, or after a crash, as before.
    """
    if device.type != "cuda":
        return 1
    whole = torch.cuda.get_device_properties(device).total_memory
    each = 4 * 4 * model.parameters + 2 * 4 * batch_size * model.widest * len(model.layers)
    return max(1, int(SHARE * whole / each))


def _may_join(chain: Chain, step: Step, model: Model) -> bool:
    """Whether `step` may be trained beside others at all."""
    return step.arm not in ALONE and not chain.is_early(step) and can_train_together(model, schedule_of(chain, step))


def _beside(workshop: Workshop, chain: Chain, step: Step) -> list[tuple[Chain, Step]]:
    """All that may train beside `step`, and itself. Arms of one round differ in their schedule where only some go on
    from a rewind point."""
    wanted = range(chain.cards[chain.name].replicates) if workshop.replicates is None else workshop.replicates
    return [
        (other, candidate)
        for other in (chain.beside(number) for number in sorted({chain.replicate, *wanted}))
        for candidate in ([step] if stop_of(step) else other.trainings(step.round))
        if candidate.arm not in ALONE and schedule_of(other, candidate) == schedule_of(chain, step)
    ]


def _prepared(workshop: Workshop, chain: Chain, step: Step) -> Member | None:
    """`step` of `chain` with all before it made; None where it cannot be trained."""
    with _made_for(workshop, chain):
        try:
            if diverged_above(chain, step.round, lambda whose, above: workshop.make(whose, above).facts):
                return None
            return Member(chain, step, workshop.recipe(chain, step))
        except (PruningError, ModelError):  # of that replicate alone: its own run will say so
            return None


def _missing(workshop: Workshop, member: Member, claims: ExitStack) -> bool:
    """Whether it has not been trained, and nobody is about it; then it is claimed."""
    chain, step = member.chain, member.step
    if workshop.look_up(chain, step) or not claims.enter_context(workshop.store.claimed(member.recipe.id, wait=False)):
        return False
    return not workshop.look_up(chain, step)  # it may have been made before it was claimed


@contextmanager
def _made_for(workshop: Workshop, chain: Chain) -> Iterator[None]:
    """What is kept in here says that it is `chain`'s; nobody watches it."""
    made_by, watching = workshop.made_by, workshop.on_row
    if made_by:
        others = {name: value for name, value in made_by.items() if name != "mlflow_run"}
        workshop.made_by = {**others, "replicate": chain.replicate}
    workshop.on_row = None
    try:
        yield
    finally:
        workshop.made_by, workshop.on_row = made_by, watching


def _left_half_done(
    workshop: Workshop, beside: Sequence[tuple[Chain, Step]], own: Member, claims: ExitStack
) -> list[Member]:
    """Those that trained together with `own` when their process was killed, also where some are in the store by now;
    empty where there are none, or one is not to be trained any more. Raises Elsewhere where another process goes on
    with them."""
    for ids in workshop.store.trained_together(own.recipe.id):
        known = {own.recipe.id: own} | _known(workshop, beside)
        if not set(ids) <= set(known):
            continue
        name = name_together(ids)
        if not claims.enter_context(workshop.store.claimed(name, wait=False)):
            raise Elsewhere(name)
        for other in sorted(set(ids) - {own.recipe.id}):  # whoever has one of them comes here too, and lets go of it
            claims.enter_context(workshop.store.claimed(other, wait=True))
        if workshop.store.checkpoint_path(name).is_file():  # or it was done meanwhile
            return [known[id] for id in ids]
    return []


def _known(workshop: Workshop, beside: Sequence[tuple[Chain, Step]]) -> dict[str, Member]:
    """Those of `beside` whose recipe is known without anything being made."""
    found = {}
    for chain, step in beside:
        seen: Seen = {}
        recipe = chain.recipe(step, partial(_looked_up, workshop, chain, seen))
        if recipe:
            found[recipe.id] = Member(chain, step, recipe)
    return found


def _looked_up(workshop: Workshop, chain: Chain, seen: Seen, source: Step) -> str | None:
    product = workshop.look_up(chain, source, seen)
    return product.version if product else None


def _ends(trained: Sequence[Trained]) -> list[State]:
    """States of trainings that are over: nothing is stepped from them, so no optimiser's memory is needed."""
    last = max(int(one.rows[-1]["iteration"]) for one in trained)
    return [State(last, one.weights, {}, one.rows, one.seconds) for one in trained]


def _telling(
    workshop: Workshop, member: Member, chain: Chain, iterations: int
) -> Callable[[curve.Row, Callable[[], State]], None]:
    """Tells `on_row` of the evaluations of `member`, if it is one of `chain`."""

    def on_evaluation(row: curve.Row, state: Callable[[], State]) -> None:
        if workshop.on_row and member.chain is chain:
            workshop.on_row(member.step, row, iterations)

    return on_evaluation
