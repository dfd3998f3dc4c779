"""Asset checks for what must always hold. A failed one stops what lies downstream."""

from __future__ import annotations

import warnings

from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, PartitionsDefinition, PreviewWarning

from lth_pipeline.orchestration.stages import Stage, asset_name
from lth_pipeline.recipes import Chain, Product, Step, Workshop

#: stage -> {check: what it says}
CHECKS = {
    "mask": {
        "counts_follow_the_ladder": "Exactly as many weights survive as the ladder says.",
        "inside_the_mask_before": "No pruned weight has come back.",
        "no_layer_is_empty": "Every layer keeps at least one weight.",
    },
    "ticket": {
        "survivors_equal_the_rewind_point": "Surviving weights are those of the rewind point, bit for bit.",
        "pruned_weights_are_zero": "Every pruned weight is exactly zero.",
    },
    "trained": {
        "pruned_weights_are_zero": "Every pruned weight is exactly zero after training.",
    },
    "control": {
        "pruned_weights_are_zero": "The control has the ticket's mask: what is pruned there is exactly zero here.",
        "starts_from_other_weights": "The control starts from weights other than the ticket's.",
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
    from lth_pipeline.recipes.steps import weights_of

    def tensors(step: Step):
        return weights_of(workshop.store.load((products.get(step) or workshop.make(chain, step)).version))

    passed: dict[str, bool] = {}
    mask = tensors(Step("mask", round)) if round and products else {}
    trained = [tensors(step) for step in products] if stage.trains else []
    if stage.name == "mask":
        rung, counts = chain.rung(round), masks.counts(mask)
        wanted = (
            sum(counts[name] for name in rung.ranked) == rung.keep[""] if rung.ranked else counts == dict(rung.keep)
        )
        passed["counts_follow_the_ladder"] = wanted
        passed["inside_the_mask_before"] = round == 1 or masks.is_subset(mask, tensors(Step("mask", round - 1)))
        passed["no_layer_is_empty"] = all(counts.values())
    elif stage.name == "ticket":
        ticket = tensors(Step("ticket", round))
        passed["survivors_equal_the_rewind_point"] = masks.survivors_equal(
            mask, ticket, tensors(chain.rewind_weights(round))
        )
        passed["pruned_weights_are_zero"] = masks.pruned_are_zero(mask, ticket)
    if stage.trains and round:
        passed["pruned_weights_are_zero"] = all(masks.pruned_are_zero(mask, weights) for weights in trained)
    if stage.name == "control":
        ticket = tensors(Step("ticket", round)) if products else {}
        starts = [tensors(chain.inputs(step)["weights"]) for step in products]
        passed["starts_from_other_weights"] = not any(masks.survivors_equal(mask, ticket, start) for start in starts)
    results = [AssetCheckResult(passed=ok, check_name=name) for name, ok in passed.items()]
    if stage.trains:
        results.append(_converged(products, trained))
        twice = [product for product in products.values() if product.same_bits is not None]
        same = all(product.same_bits for product in twice)
        metadata = {"computed twice": len(twice)}
        results.append(
            AssetCheckResult(passed=same, check_name=REPRODUCIBLE, severity=AssetCheckSeverity.WARN, metadata=metadata)
        )
    return results


def _converged(products: dict[Step, Product], trained: list) -> AssetCheckResult:
    stopped = {
        step.arm: product.facts["diverged_at"] for step, product in products.items() if "diverged_at" in product.facts
    }
    finite = all(bool(tensor.isfinite().all()) for weights in trained for tensor in weights.values())
    return AssetCheckResult(
        passed=not stopped and finite,
        check_name=CONVERGED,
        severity=AssetCheckSeverity.WARN,
        description="; ".join(f"{arm}: the loss was not finite at iteration {at:,}" for arm, at in stopped.items()),
        metadata={f"{arm}: stopped at iteration": at for arm, at in stopped.items()},
    )
