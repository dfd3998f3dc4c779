"""How masks are made: pruned by the card's criterion, drawn at random, or taken from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from lth_pipeline.lottery.data.batches import fetched, ready
from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.lottery.pruning.prune import prune
from lth_pipeline.lottery.pruning.scores import scores
from lth_pipeline.lottery.randomness import generator, stream_seed
from lth_pipeline.lottery.training import curve
from lth_pipeline.recipes import identity
from lth_pipeline.recipes.artifacts import early_weights_of, rows_of, weights_of
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.made import Made
from lth_pipeline.recipes.recipe import Recipe
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.training import data_for

if TYPE_CHECKING:
    from lth_pipeline.recipes.workshop import Workshop

Tensors = dict[str, torch.Tensor]


def pruned_mask(workshop: Workshop, chain: Chain, step: Step, recipe: Recipe, inputs: dict[str, Tensors]) -> Made:
    """The mask of a round, by the criterion of its card and by count."""
    pruning, rung = chain.owner(step.round).pruning, chain.rung(step.round)
    criterion = CRITERIA[pruning.criterion]
    model = chain.model(step.round)
    given: dict[str, Any] = {"model": model, "image_shape": chain.facts(step.round).image_shape}
    if "trained" in criterion.reads:
        given["trained"] = _trained(chain, step, inputs["weights"])
    if "initial" in criterion.reads:
        given["initial"] = weights_of(inputs["initial"])
    if "examples" in criterion.reads:
        given["examples"] = _examples(workshop, chain, step, recipe)

    def score(mask: Tensors) -> Tensors:
        draws = _stream(chain, step.round, "random_pruning") if "draws" in criterion.reads else None
        return scores(pruning.criterion, mask, **given, draws=draws)

    return described(
        prune(
            inputs.get("mask") or masks.ones(model),
            score,
            rung.keep,
            rung.ranked,
            structure=pruning.structure,
            of_unit=criterion.of_unit,
            steps=identity.steps_of(chain, step.round),
            allow_empty=pruning.empty_layers == "allow",
        )
    )


def followed_mask(chain: Chain, initial: Tensors, weights: Tensors) -> Tensors:
    """The mask of round 1 that `weights`, of the dense network while it is trained, would give."""
    pruning, rung = chain.owner(0).pruning, chain.followed().rung(1)
    return prune(
        masks.ones(chain.model(0)),
        lambda mask: scores(pruning.criterion, mask, trained=weights, initial=initial),
        rung.keep,
        rung.ranked,
        structure=pruning.structure,
        of_unit=CRITERIA[pruning.criterion].of_unit,
        allow_empty=True,  # of a network that has hardly been trained, any may be
    )


def drawn_mask(chain: Chain, step: Step, mask: Tensors) -> Made:
    """A mask with as many weights (or whole units) in each layer as `mask`, drawn at random.

    random_mask: positions by one draw for all rounds, so that each of its masks is inside the one before, as if the
    network had been pruned at random. shuffled_mask: the entries of this round's mask, permuted within each layer
    (Frankle et al. 2021, §4), afresh in each round.
    """
    coordinates = identity.draw(chain, step)
    draws = generator(stream_seed(coordinates.pop("seed"), step.arm, **coordinates))
    whole = chain.structure(step.round) == "units"
    drawn = {}
    for name in sorted(mask):
        rows = mask[name].flatten(1) if whole else mask[name].reshape(-1, 1)
        order = torch.randperm(len(rows), generator=draws)
        if step.arm == "random_mask":
            alive = int(rows.any(1).sum())
            chosen = torch.zeros(len(rows), dtype=torch.bool)
            chosen[order[:alive]] = True
            drawn[name] = chosen[:, None].expand_as(rows).reshape(mask[name].shape).clone()
        else:
            drawn[name] = rows[order].reshape(mask[name].shape)
    return described(drawn)


def taken_mask(chain: Chain, source: Tensors) -> Made:
    """The mask of a ticket from elsewhere, with the layers that do not fit left whole; facts name them."""
    taken = set(chain.carried())
    mask = {
        layer.weight: source[layer.weight].clone() if layer.name in taken else torch.ones(layer.shape, dtype=torch.bool)
        for layer in chain.model(1).layers
    }
    made = described(mask)
    return made._replace(facts={**made.facts, "fresh_layers": [layer.name for layer in chain.fresh()]})


def _trained(chain: Chain, step: Step, tensors: Tensors) -> Tensors:
    source = chain.pruned_from(step.round)
    at = curve.diverged_at(rows_of(tensors))
    if at is not None:
        raise PruningError(f"round {source.round} diverged at iteration {at:,}: there is nothing to prune")
    return early_weights_of(tensors) if chain.is_early(source) else weights_of(tensors)


def _examples(workshop: Workshop, chain: Chain, step: Step, recipe: Recipe) -> tuple[torch.Tensor, torch.Tensor]:
    """Training examples as the network takes them, on the CPU, without augmentation."""
    experiment = chain.owner(step.round)
    part = data_for(experiment, workshop.dirs, torch.device("cpu"), recipe.inputs["data"]).train
    number = identity.examples_of(chain, step.round)
    if number > len(part):
        raise PruningError(f"pruning.examples: there are {len(part):,} training examples, not {number:,}")
    order = torch.randperm(len(part), generator=_stream(chain, step.round, "pruning_examples"))
    pixels, labels = next(fetched(part, [order[_one_of_each_in_turn(part.labels[order])[:number]]]))
    return ready(part, pixels), labels


def _one_of_each_in_turn(labels: torch.Tensor) -> torch.Tensor:
    """Positions (N,) in the order: the first of every class, the second of every class, and so on."""
    by_class = labels.sort(stable=True).indices
    sizes = labels.bincount()
    firsts = (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    turn = torch.empty_like(by_class)
    turn[by_class] = torch.arange(len(labels)) - firsts
    return turn.sort(stable=True).indices


def _stream(chain: Chain, round: int, purpose: str) -> torch.Generator:
    coordinates = identity.scoring(chain, round)
    return generator(stream_seed(coordinates.pop("seed"), purpose, **coordinates))


def described(mask: Tensors) -> Made:
    """A mask with the facts that tables show of it."""
    counts = masks.counts(mask)
    return Made(mask, {"density": masks.density(mask), "weights": sum(counts.values()), "counts": counts})
