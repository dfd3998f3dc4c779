"""How each kind of step is computed from its inputs' tensors."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import torch

from lth_pipeline.lottery.models.narrow import narrowed
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.randomness import generator, stream_seed
from lth_pipeline.recipes import identity
from lth_pipeline.recipes.artifacts import early_weights_of, weights_of
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.errors import PublishedError
from lth_pipeline.recipes.ladder import network_settings
from lth_pipeline.recipes.made import Made
from lth_pipeline.recipes.out_of_memory import saying_what_helps, unless_out_of_memory
from lth_pipeline.recipes.pruning import described, drawn_mask, pruned_mask, taken_mask
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.together import Member, company, make_together, train_fewer, why_fewer
from lth_pipeline.recipes.training import inputs_of, schedule_of, train_step
from lth_pipeline.recipes.transfer import with_norms

if TYPE_CHECKING:
    from lth_pipeline.lottery.models import Model
    from lth_pipeline.recipes.workshop import Workshop

Tensors = dict[str, torch.Tensor]


def compute(workshop: Workshop, chain: Chain, step: Step, recipe: Recipe, again: bool = False) -> Made:
    """What `step` is. again: a recompute; of what trains beside it nothing is kept."""
    torch.set_num_threads(workshop.threads)
    if step.trains:
        return _trained(workshop, chain, step, recipe, again)
    inputs = inputs_of(workshop, recipe)
    if step.kind == "mask":
        return _mask(workshop, chain, step, recipe, inputs)
    if step.kind == "published_mask":
        return described(_published(workshop, chain, step))
    return Made(_weights(workshop, chain, step, inputs), {})


def _trained(workshop: Workshop, chain: Chain, step: Step, recipe: Recipe, again: bool) -> Made:
    model = small_model(chain, step.round, _mask_of_small(workshop, chain, step))
    own, schedule = Member(chain, step, recipe), schedule_of(chain, step)
    with saying_what_helps(workshop.training_device(), f"{chain.name}, {step}", schedule):
        while True:
            with ExitStack() as claims:
                members = company(workshop, chain, step, recipe, model, claims, again)
                if not members:
                    alone = train_step(workshop, chain, step, recipe, model)
                    return alone._replace(note=why_fewer(workshop, own, model))
                together = partial(make_together, workshop, members, own, model, again)
                if len(members) == 1:
                    return together()
                if made := unless_out_of_memory(together):
                    return made
                train_fewer(workshop, members, own, model)


def _mask(workshop: Workshop, chain: Chain, step: Step, recipe: Recipe, inputs: dict[str, Tensors]) -> Made:
    if step.arm:
        return drawn_mask(chain, step, inputs["mask"])
    if chain.takes_ticket(step.round):
        return taken_mask(chain, inputs["mask"])
    return pruned_mask(workshop, chain, step, recipe, inputs)


def _weights(workshop: Workshop, chain: Chain, step: Step, inputs: dict[str, Tensors]) -> Tensors:
    """What a training starts from."""
    match step.kind:
        case "published_weights":
            return _published(workshop, chain, step)
        case "initial_weights":
            return _fresh_weights(chain, step, chain.model(0))
        case "transferred_weights":
            return _merged(chain, inputs["weights"], laid_under(chain, step, "source", inputs))
        case "ticket" | "random_mask" | "shuffled_mask":
            return masks.apply(inputs["mask"], laid_under(chain, step, "weights", inputs))
        case "reinit":
            return masks.apply(inputs["mask"], _fresh_weights(chain, step, chain.model(step.round)))
        case "reinit_same_sign":
            fresh = masks.apply(inputs["mask"], _fresh_weights(chain, step, chain.model(step.round)))
            return _with_signs(fresh, inputs["ticket"], inputs["mask"])
        case "dense_small":
            return _fresh_weights(chain, step, small_model(chain, step.round, inputs["mask"]))
    raise ValueError(f"no step {step.kind!r}")


def _published(workshop: Workshop, chain: Chain, step: Step) -> Tensors:
    """The mask, or the weights, of the published ticket that `chain` begins with."""
    from lth_pipeline.lottery.digest import digest
    from lth_pipeline.recipes import registry

    origin = chain.owner(1).ticket_from
    ticket = registry.read(origin, workshop.dirs)
    weights = ticket.trained if origin.weights == "trained" else ticket.rewound
    tensors = ticket.mask if step.kind == "published_mask" else weights
    if digest(tensors) != chain.published_content(step):
        raise PublishedError(f"{origin.place}: is another ticket by now than when it was asked for; run again")
    return tensors


def small_model(chain: Chain, round: int, mask: Tensors | None) -> Model:
    """The dense network with as many weights as `mask` leaves, or as near as its widths allow; without: the whole."""
    if mask is None:
        return chain.model(round)
    return narrow_model(chain, round, sum(masks.counts(mask).values()))


def narrow_model(chain: Chain, round: int, left: int) -> Model:
    """The dense network with `left` weights, or as near as its widths allow."""
    facts, experiment = chain.facts(round), chain.owner(round)
    return narrowed(experiment.model.name, facts.image_shape, facts.classes, left, **network_settings(experiment))


def _mask_of_small(workshop: Workshop, chain: Chain, step: Step) -> Tensors | None:
    if step.arm != "dense_small":
        return None
    return workshop.store.load(workshop.make(chain, Step("mask", step.round)).version)


def laid_under(chain: Chain, step: Step, name: str, inputs: dict[str, Tensors]) -> Tensors:
    """The weights that go into `step` under `name`: of a dense training that was followed, those at which its mask
    settled."""
    came = chain.inputs(step)[name]
    home = chain.other(came.of) if came.of else chain
    tensors = inputs[name]
    return early_weights_of(tensors) if home.is_early(came) else weights_of(tensors)


def _fresh_weights(chain: Chain, step: Step, model: Model) -> Tensors:
    coordinates = identity.draw(chain, step)
    return model.initialise(generator(stream_seed(coordinates.pop("seed"), step.kind, **coordinates)))


def _with_signs(fresh: Tensors, ticket: Tensors, mask: Tensors) -> Tensors:
    """The magnitudes of `fresh` with the signs of `ticket`, weight by weight (Zhou et al. 2019, §4)."""
    return {
        name: torch.where(mask[name], torch.copysign(tensor, ticket[name]), tensor) if name in mask else tensor
        for name, tensor in fresh.items()
    }


def _merged(chain: Chain, own: Tensors, source: Tensors) -> Tensors:
    """The source's tensors of the layers that are carried over, and of the batch norms after them; else one's own."""
    taken = with_norms(chain.model(1), chain.carried())
    return {name: (source[name] if name.rsplit(".", 1)[0] in taken else tensor).clone() for name, tensor in own.items()}
