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
from lth_pipeline.recipes.room import Narrowed, most_together, route_before, size, was_stacked
from lth_pipeline.recipes.route import precision_of, route
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.store import name_together
from lth_pipeline.recipes.training import data_for, inputs_of, schedule_of, seeds_of, stop_of, what_was_made

if TYPE_CHECKING:
    from lth_pipeline.lottery.models import Model
    from lth_pipeline.recipes.workshop import Seen, Workshop

ALONE = ("dense_small", "ticket_distilled")  # arms with a network, or a loss, of their own


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

    again: those that are there too, as many as the record has. So many and the same networks side by side give the same
    bits once more; networks with convolutions have bits of their own whatever trains beside them, and are alone in
    their company then, where they were in one before.
    """
    own, device = Member(chain, step, recipe), workshop.training_device()
    most = most_together(workshop, device, model, schedule_of(chain, step))
    before = route_before(workshop, recipe, device) if again else None
    if workshop.processes > 1 or most < 2 or not _may_join(chain, step, model):
        return []
    if before and not was_stacked(before):
        return []
    if not fits(data_for(chain.owner(step.round), workshop.dirs, device, recipe.inputs["data"])):
        return []
    if again and not model.fully_connected:
        return [own]
    beside = _beside(workshop, chain, step)
    if not again and (left := _left_half_done(workshop, beside, own, claims)):
        return left
    if again:
        return _as_before(workshop, beside, own, most, before.get("networks_together", 1) if before else None)
    found = []
    for other, candidate in _block(beside, own, most):
        if (other, candidate) == (chain, step):
            found.append(own)
        elif (needed := _prepared(workshop, other, candidate)) and _missing(workshop, needed, claims):
            found.append(needed)
    return found if len(found) > 1 else []


def train_fewer(workshop: Workshop, members: Sequence[Member], own: Member, model: Model) -> None:
    """From now on this workshop trains half as many such networks side by side: the device had no memory for `members`.

    These begin anew, as if there had never been more of them: a state of more has other bits. So it is removed."""
    schedule, device = schedule_of(own.chain, own.step), workshop.training_device()
    most = min(most_together(workshop, device, model, schedule), len(_beside(workshop, own.chain, own.step)))
    while most >= len(members):
        most //= 2
    workshop.store.drop_checkpoint(name_together([member.recipe.id for member in members]))
    note = (
        f"device {str(device)!r} has not enough memory for {len(members)} networks side by side ({own.step}, batch "
        f"size {schedule.batch_size}); from here on {f'{most} train' if most > 1 else 'one trains'} at a time"
    )
    workshop.narrowed[size(device, model, schedule)] = Narrowed(most, note)
    workshop.warn(note)


def why_fewer(workshop: Workshop, own: Member, model: Model) -> str:
    """What the record of a training says, beside which fewer are trained than might be: the device has no memory for
    more. Empty where all are."""
    schedule = schedule_of(own.chain, own.step)
    narrowed = workshop.narrowed.get(size(workshop.training_device(), model, schedule))
    if narrowed is None or not _may_join(own.chain, own.step, model):
        return ""
    return narrowed.note if len(_beside(workshop, own.chain, own.step)) > narrowed.most else ""


def make_together(workshop: Workshop, members: Sequence[Member], own: Member, model: Model, again: bool) -> Made:
    """Train `members`, and give what came of `own`; the others are put into the store here, but not `again`."""
    chain, step = own.chain, own.step
    device, schedule, stop = workshop.training_device(), schedule_of(chain, step), stop_of(step)
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
    note = why_fewer(workshop, own, model)
    made = [what_was_made(one, stop, data, how)._replace(note=note) for one in trained]
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


def _block(beside: Sequence[tuple[Chain, Step]], own: Member, most: int) -> Sequence[tuple[Chain, Step]]:
    place = beside.index((own.chain, own.step))
    return beside[place // most * most :][:most]


def _as_before(
    workshop: Workshop, beside: Sequence[tuple[Chain, Step]], own: Member, most: int, before: int | None
) -> list[Member]:
    """The `before` that trained with `own`, itself among them: as many as may, or fewer by halves where memory had been
    short (`train_fewer`). Where no such number comes out, or none is known, as many as may."""
    found, most = [], min(most, len(beside))
    while most > 1:
        members = [
            own if (chain, step) == (own.chain, own.step) else _prepared(workshop, chain, step)
            for chain, step in _block(beside, own, most)
        ]
        found.append([member for member in members if member])
        if before in (None, len(found[-1])):
            break
        most //= 2
    chosen = next((members for members in found if len(members) == before), found[0] if found else [])
    return chosen if len(chosen) > 1 else []


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
