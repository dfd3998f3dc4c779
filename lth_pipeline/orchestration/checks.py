"""Asset checks for what must always hold. A failed one stops what lies downstream."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, PartitionsDefinition, PreviewWarning

from lth_pipeline.orchestration.stages import Stage, asset_name
from lth_pipeline.recipes import Chain, Product, Step, Workshop
from lth_pipeline.recipes.step import DRAWN

if TYPE_CHECKING:
    import torch

#: stage -> {check: what it says}
CHECKS = {
    "mask": {
        "counts_follow_the_ladder": "Exactly as many weights, or whole units, survive as the ladder says.",
        "inside_the_mask_before": "No pruned weight has come back. (Masks that are pruned anew may cross.)",
        "no_layer_is_empty": "Every layer keeps at least one weight, unless the card allows an empty one.",
    },
    "ticket": {
        "survivors_equal_the_rewind_point": "Surviving weights are those of the rewind point, or, without "
        "rewinding, the trained ones: bit for bit.",
        "pruned_weights_are_zero": "Every pruned weight is exactly zero.",
    },
    "trained": {
        "pruned_weights_are_zero": "Every pruned weight is exactly zero after training.",
    },
    "control": {
        "pruned_weights_are_zero": "What is pruned by a control's mask is exactly zero in it.",
        "starts_from_other_weights": "No control starts from the ticket's weights: other values, or another mask.",
        "densities_are_the_tickets": "In each layer a control has as many weights left as the ticket.",
    },
}
#: not invariants but what came out: a warning, and nothing is stopped
REPRODUCIBLE = "recompute_gives_the_same_bits"
CONVERGED = "training_did_not_diverge"
WARNINGS = {
    CONVERGED: "Loss and weights stayed finite. A ticket that diverged is not pruned: the rounds below are left out.",
    REPRODUCIBLE: "Computed from scratch, it came out the same to the bit (passes where it was not computed twice).",
}


def check_specs(stage: Stage, round: int, partitions: PartitionsDefinition) -> list[AssetCheckSpec]:
    """The checks of an asset, partition by partition: without, Dagster's pages mix the replicates up, and runs side by
    side make it say that a check was not run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreviewWarning)  # partitions of checks are a preview in 1.13; our pin holds it
        return _specs(stage, round, partitions)


def _specs(stage: Stage, round: int, partitions: PartitionsDefinition) -> list[AssetCheckSpec]:
    name = asset_name(stage.name, round)
    specs = [
        AssetCheckSpec(check, asset=name, description=says, blocking=True, partitions_def=partitions)
        for check, says in CHECKS.get(stage.name, {}).items()
        if round or check != "pruned_weights_are_zero"  # nothing is pruned in round 0
    ]
    if stage.trains:
        specs += [
            AssetCheckSpec(check, asset=name, description=says, partitions_def=partitions)
            for check, says in WARNINGS.items()
        ]
    return specs


def left_out(why: str) -> list[AssetCheckResult]:
    """The checks of a mask that cannot be: warnings that say why."""
    return [
        AssetCheckResult(passed=False, check_name=check, severity=AssetCheckSeverity.WARN, description=why)
        for check in CHECKS["mask"]
    ]


def run_checks(
    stage: Stage, round: int, workshop: Workshop, chain: Chain, products: dict[Step, Product]
) -> list[AssetCheckResult]:
    from lth_pipeline.lottery.pruning import masks
    from lth_pipeline.recipes.artifacts import weights_of

    @cache  # the arms of a round share its mask
    def tensors(step: Step) -> dict[str, torch.Tensor]:
        return weights_of(workshop.store.load((products.get(step) or workshop.make(chain, step)).version))

    passed: dict[str, bool] = {}
    said: dict[str, dict[str, str]] = {}
    mask = tensors(Step("mask", round)) if round and products else {}
    trained = [tensors(step) for step in products] if stage.trains else []
    if stage.name == "mask":
        pruning, empty = chain.owner(round).pruning, [name for name, count in masks.counts(mask).items() if not count]
        passed["counts_follow_the_ladder"] = counts_hold(chain, round, mask, tensors)
        anew = pruning.mode == "one_shot" or round == 1
        passed["inside_the_mask_before"] = anew or masks.is_subset(mask, tensors(Step("mask", round - 1)))
        passed["no_layer_is_empty"] = not empty or (pruning.empty_layers == "allow" and len(empty) < len(mask))
        said["no_layer_is_empty"] = {"empty layers": ", ".join(empty) or "none"}
    elif stage.name == "ticket":
        ticket = tensors(Step("ticket", round))
        passed["survivors_equal_the_rewind_point"] = masks.survivors_equal(
            mask, ticket, went_on_from(chain, round, workshop)
        )
        passed["pruned_weights_are_zero"] = masks.pruned_are_zero(mask, ticket)
    under = {step: tensors(chain.mask(step)) for step in products if stage.trains and chain.mask(step)}
    if stage.trains and round:
        weights = dict(zip(products, trained, strict=True))
        passed["pruned_weights_are_zero"] = all(masks.pruned_are_zero(under[step], weights[step]) for step in under)
    if stage.name == "control":
        ticket = tensors(Step("ticket", round)) if products else {}
        starts = [tensors(chain.begin(step)) for step in products if step.arm in DRAWN]
        passed["starts_from_other_weights"] = not any(masks.survivors_equal({}, ticket, start) for start in starts)
        counts = masks.counts(mask)
        passed["densities_are_the_tickets"] = all(masks.counts(own) == counts for own in under.values())
    results = [AssetCheckResult(passed=ok, check_name=name, metadata=said.get(name)) for name, ok in passed.items()]
    if stage.trains:
        results.append(_converged(products, trained))
        twice = [product for product in products.values() if product.same_bits is not None]
        same = all(product.same_bits or product.rerouted for product in twice)
        metadata = {"computed twice": len(twice)}
        results.append(
            AssetCheckResult(passed=same, check_name=REPRODUCIBLE, severity=AssetCheckSeverity.WARN, metadata=metadata)
        )
    return results


def counts_hold(chain: Chain, round: int, mask: dict[str, torch.Tensor], tensors: Callable[[Step], dict]) -> bool:
    """Whether `mask` has the counts of the ladder; of a ticket from elsewhere, those of its source and whole layers."""
    from lth_pipeline.lottery.pruning import masks

    if chain.takes_ticket(round):
        source, taken = tensors(chain.inputs(Step("mask", 1))["mask"]), set(chain.carried())
        return all(
            mask[layer.weight].equal(source[layer.weight]) if layer.name in taken else bool(mask[layer.weight].all())
            for layer in chain.model(1).layers
        )
    rung, counts = chain.rung(round), masks.counts(mask)
    if chain.owner(round).pruning.structure == "units":
        counts = {name: int(tensor.flatten(1).any(1).sum()) for name, tensor in mask.items()}
    return sum(counts[name] for name in rung.ranked) == rung.keep[""] if rung.ranked else counts == dict(rung.keep)


def went_on_from(chain: Chain, round: int, workshop: Workshop) -> dict[str, torch.Tensor]:
    """The weights that the ticket of `round` has where its mask leaves them."""
    from lth_pipeline.recipes.artifacts import early_weights_of, weights_of

    step = chain.ticket_weights(round)
    tensors = workshop.store.load(workshop.make(chain, step).version)
    return early_weights_of(tensors) if chain.is_early(step) else weights_of(tensors)


def _converged(products: dict[Step, Product], trained: list) -> AssetCheckResult:
    stopped = {
        step.label: product.facts["diverged_at"] for step, product in products.items() if "diverged_at" in product.facts
    }
    finite = all(bool(tensor.isfinite().all()) for weights in trained for tensor in weights.values())
    return AssetCheckResult(
        passed=not stopped and finite,
        check_name=CONVERGED,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(f"{arm}: the loss was not finite at iteration {at:,}" for arm, at in stopped.items()),
        metadata={f"{arm}: stopped at iteration": at for arm, at in stopped.items()},
    )
