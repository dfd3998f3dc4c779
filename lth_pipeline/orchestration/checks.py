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
        "weights_are_finite": "Training did not diverge.",
    },
    "control": {
        "pruned_weights_are_zero": "The control has the ticket's mask: what is pruned there is exactly zero here.",
        "starts_from_other_weights": "The control starts from weights other than the ticket's.",
        "weights_are_finite": "Training did not diverge.",
    },
}
#: not an invariant of the artifact but of the computer: a warning, and nothing is stopped
REPRODUCIBLE = "recompute_gives_the_same_bits"


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
        says = "Computed from scratch, it came out the same to the bit (passes where it was not computed twice)."
        specs.append(AssetCheckSpec(REPRODUCIBLE, asset=name, description=says, partitions_def=partitions))
    return specs


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
    if stage.trains:
        passed["weights_are_finite"] = all(bool(t.isfinite().all()) for weights in trained for t in weights.values())
        if round:
            passed["pruned_weights_are_zero"] = all(masks.pruned_are_zero(mask, weights) for weights in trained)
    if stage.name == "control":
        ticket = tensors(Step("ticket", round)) if products else {}
        starts = [tensors(chain.inputs(step)["weights"]) for step in products]
        passed["starts_from_other_weights"] = not any(masks.survivors_equal(mask, ticket, start) for start in starts)
    results = [AssetCheckResult(passed=ok, check_name=name) for name, ok in passed.items()]
    if stage.trains:
        twice = [product for product in products.values() if product.same_bits is not None]
        same = all(product.same_bits for product in twice)
        metadata = {"computed twice": len(twice)}
        results.append(
            AssetCheckResult(passed=same, check_name=REPRODUCIBLE, severity=AssetCheckSeverity.WARN, metadata=metadata)
        )
    return results
