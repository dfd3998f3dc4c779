"""What Dagster's pages show of the assets of a round."""

from __future__ import annotations

from typing import Any

from dagster import MetadataValue

from lth_pipeline.orchestration import trainings
from lth_pipeline.orchestration.resources import Tracking
from lth_pipeline.orchestration.stages import combined
from lth_pipeline.recipes import Chain, Product, Step


def round_to(value: float, digits: int) -> float:
    return float(f"{value:.{digits}f}")


def training_metadata(tracking: Tracking, chain: Chain, done: list[trainings.Trained]) -> dict[str, Any]:
    from lth_pipeline.recipes.route import in_words
    from lth_pipeline.reports.drawing import markdown_picture

    if not done:
        return {"controls": MetadataValue.text("none: this card's arms are the ticket alone")}
    shown: dict[str, Any] = {}
    for trained in done:
        prefix = "" if len(done) == 1 else f"{trained.step.label}: "
        facts = trained.facts
        shown |= {
            f"{prefix}test accuracy at early stop": MetadataValue.float(
                round_to(facts["test_accuracy_at_early_stop"], 6)
            ),
            f"{prefix}test accuracy at end": MetadataValue.float(round_to(facts["test_accuracy_at_end"], 6)),
            f"{prefix}train accuracy at end": MetadataValue.float(round_to(facts["train_accuracy_at_end"], 6)),
            f"{prefix}early-stop iteration": MetadataValue.int(facts["early_stop_iteration"]),
            **(
                {f"{prefix}diverged at iteration": MetadataValue.int(facts["diverged_at"])}
                if "diverged_at" in facts
                else {}
            ),
            f"{prefix}computed on": MetadataValue.text(in_words(trained.product.record["route"])),
            f"{prefix}seconds": MetadataValue.float(round_to(facts["seconds"], 3)),
            f"{prefix}iterations a second": MetadataValue.float(round_to(facts["iterations_per_second"], 1)),
            f"{prefix}MLflow run": MetadataValue.url(tracking.tracker().run_url(chain.name, trained.run_id)),
        }
    shown["learning curve"] = MetadataValue.md(markdown_picture(trainings.joint_picture(chain, done), "learning curve"))
    return shown | _early_metadata(done[0])


def _early_metadata(trained: trainings.Trained) -> dict[str, Any]:
    """Of a dense training that was followed: where its mask settled."""
    from lth_pipeline.reports.drawing import markdown_picture

    if trained.distances is None:
        return {}
    settled, saved = trained.facts["early_bird_iteration"], trained.facts["early_bird_saves"]
    said = f"iteration {settled:,}: {saved:,} iterations of dense training are not needed for the mask"
    return {
        "mask settled": MetadataValue.text(said if settled else "never: it is pruned at the end"),
        "mask distance": MetadataValue.md(markdown_picture(trained.distances, "mask distance")),
    }


def origin_metadata(chain: Chain, products: dict[Step, Product], round: int) -> dict[str, Any]:
    owner = chain.owner(round).name
    came = []
    for product in products.values():
        if product.computed:
            again = {None: "", True: ", again, with the same bits", False: ", again, with OTHER bits"}[
                product.same_bits
            ]
            again += " (another route than before: rounding may differ)" if product.rerouted else ""
            came.append(f"computed{again}")
        else:
            came.append(f"found in the store: made for {trainings.origin(product)}")
    metadata = {"came from": MetadataValue.text("; ".join(came) or "nothing to make")}
    if owner != chain.name:
        metadata["branch"] = MetadataValue.text(f"round {round} is taken over from {owner}")
    if products:
        read = sorted({str(source) for step in products for source in chain.inputs(step).values()})
        metadata["made from"] = MetadataValue.text("; ".join(read) or "the card alone")
        metadata["data version"] = MetadataValue.text(combined([product.version for product in products.values()]))
    return metadata
