"""Linear mode connectivity: every network against a copy that saw its data in another order.

Copy A is the training that is in the store. Copy B begins with the same weights, at the same iteration and learning
rate; its streams of data order, augmentation and dropout are others. For a dense network that goes on from iteration
k > 0 both copies are trained, from the weights at k and an optimiser that has seen nothing: as tickets are rewound.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes.analyses.analysis import Check, Found, Part, Subject
from lth_pipeline.recipes.analyses.networks import (
    Network,
    begun_from,
    chosen_rounds,
    data_of,
    load,
    networks,
    retrained,
    same_data,
)
from lth_pipeline.recipes.analyses.sample import sample_of
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.rewinding import rewind_iteration

if TYPE_CHECKING:
    from lth_pipeline.lottery.training.train import Seeds

ARMS = ("ticket", "reinit", "random_mask")
#: How far the error of an end may lie from what its training recorded. Without batch norm it is the same computation,
#: but for rounding on another route; with it, statistics are taken anew, of other images than training's last ones.
NEAR, NEAR_WITH_NORMS = 0.001, 0.03


def parts(subject: Subject) -> list[Part]:
    """The dense network from each of `analysis.rewind_points` and from the card's own rewind point; then the first of
    each arm's draws in each round."""
    asked = subject.experiment.analysis
    found = []
    for chain in subject.chains:
        pruned = [round for round in chosen_rounds(subject, chain) if round]
        dense = networks(subject, chain, [0]) if all(same_data(chain, round) for round in pruned) else []
        found += [_part(subject, network, at) for network in dense for at in _starts(chain, asked.rewind_points)]
        found += [
            _part(subject, network, network.chain.start(network.step))
            for network in networks(subject, chain, pruned, ARMS)
            if network.step.draw == 0
        ]
    return found


def _starts(chain: Chain, shares: Sequence[float]) -> list[int]:
    """Iterations at which copies of the dense network part: shares of its training, and where tickets are rewound to,
    so that it is known whether it is stable there."""
    card, total = chain.cards[chain.name], chain.owner(0).training.iterations
    starts = {round(share * total) for share in shares}
    rewound = rewind_iteration(card, chain.dirs) if card.rewind.mode == "weights" else total
    return sorted(starts | ({rewound} if rewound < total else set()))


def checks(found: Found, experiment: Experiment) -> list[Check]:
    rows = [row for row in found.tables.get("instability", []) if row["end_a_test_error"] is not None]
    if not rows:
        return []
    wrong = [
        f"replicate {row['replicate']}, round {row['round']}, {row['arm']} from iteration {row['start_iteration']}, "
        f"copy {copy.upper()}: {row[f'end_{copy}_test_error']:.4f}, recorded {row[f'recorded_{copy}_test_error']:.4f}"
        for row in rows
        for copy in ("a", "b")
        if abs(row[f"end_{copy}_test_error"] - row[f"recorded_{copy}_test_error"]) > _near(row)
    ]
    if wrong:
        return [Check("ends_agree", False, f"{len(wrong)} of {2 * len(rows)} ends do not: {'; '.join(wrong[:3])}")]
    return [Check("ends_agree", True, f"all ends of {len(rows)} lines do, within {max(map(_near, rows)):.2g} of error")]


def _near(row: dict[str, Any]) -> float:
    """Without batch norm one image may turn, where a thousand are too many to be as fine as that."""
    return NEAR_WITH_NORMS if row["batch_norm_images"] else max(NEAR, 1.5 / row["test_images"])


def _part(subject: Subject, network: Network, start: int) -> Part:
    chain, step, asked = network.chain, network.step, subject.experiment.analysis
    total = chain.owner(step.round).training.iterations
    about = {**network.columns, "start_iteration": start, "start_share": start / total}
    images = asked.examples if chain.model(step.round).norms else 0
    recipe = network.product.recipe
    drawn = {"batch_norm_images": images, "seed": subject.experiment.seed} if images else {}
    return Part(
        "connectivity",
        f"replicate {chain.replicate}, round {step.round}, {step.arm} from iteration {start}",
        {"of": about, "line_points": asked.line_points, "trained_by": recipe.id, **drawn},
        {**recipe.inputs, **network.inputs},
        partial(_compare, subject, network, about, images),
    )


def _compare(subject: Subject, network: Network, about: dict[str, Any], images: int) -> Found:
    """images: that batch norm's statistics are taken from; 0 without batch norm."""
    import torch

    from lth_pipeline.lottery.analysis.connectivity import STABLE, apart, errors_on_line, instability
    from lth_pipeline.recipes.route import precision_of
    from lth_pipeline.recipes.training import schedule_of

    workshop, chain, step = subject.workshop, network.chain, network.step
    torch.set_num_threads(workshop.threads)
    data, schedule = data_of(workshop, chain, step.round), schedule_of(chain, step)
    model, one, _ = load(workshop, network)
    begun, start = begun_from(workshop, network), about["start_iteration"]
    recorded = [1 - network.product.facts["test_accuracy_at_end"]]
    diverged, options = [], {"data": data}
    if start != schedule.start:
        begun = retrained(workshop, network, data=data, stop=start).weights
        options |= {"weights": begun, "start": start}
        again = retrained(workshop, network, **options)
        one, recorded, diverged = again.weights, [1 - again.rows[-1]["test_accuracy"]], [again.diverged_at]
    copy = retrained(workshop, network, seeds=copied, **options)
    recorded.append(1 - copy.rows[-1]["test_accuracy"])
    diverged.append(copy.diverged_at)
    rows, distance, cosine = [], None, None
    if diverged == [None] * len(diverged):
        statistics = (sample_of(subject, network), schedule.batch_size) if images else None
        precision = precision_of(schedule, data.test.labels.device)
        points = subject.experiment.analysis.line_points
        rows = errors_on_line(model, one, copy.weights, data, points, statistics, precision)
        distance, cosine = apart(model, begun, one, copy.weights)
    of_test, of_train = ([row[f"{part}_error"] for row in rows] for part in ("test", "train"))
    found = {
        **about,
        "instability_train": instability(of_train) if rows else None,
        "instability_test": instability(of_test) if rows else None,
        "stable": instability(of_test) < STABLE if rows else None,
        "l2_distance": distance,
        "cosine": cosine,
        "end_a_test_error": of_test[0] if rows else None,
        "end_b_test_error": of_test[-1] if rows else None,
        "recorded_a_test_error": recorded[0],
        "recorded_b_test_error": recorded[1],
        "test_images": len(data.test),
        "batch_norm_images": images,
    }
    return Found({"lines": [{**about, **row} for row in rows], "instability": [found]})


def copied(own: Seeds) -> Seeds:
    """The streams of copy B: each purpose's own ones, with a coordinate more."""
    from lth_pipeline.lottery.randomness import stream_seed

    return lambda purpose, number: stream_seed(own(purpose, number), purpose, copy=1)
