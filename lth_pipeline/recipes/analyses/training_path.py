"""The path of training: networks trained once more, and looked at on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes.analyses.analysis import Check, Found, Part, Rows, Subject
from lth_pipeline.recipes.analyses.loss_landscape import looked_at
from lth_pipeline.recipes.analyses.networks import Network, load, retrained
from lth_pipeline.recipes.analyses.sample import on_device, sample_of, sample_settings

if TYPE_CHECKING:
    import torch

    from lth_pipeline.lottery.analysis.path import Plane
    from lth_pipeline.lottery.analysis.survivors import Places
    from lth_pipeline.lottery.models import Model
    from lth_pipeline.lottery.training.train import Trained

Tensors = dict[str, "torch.Tensor"]
MARGIN = 0.2  # of the path's width, around it on its plane


def parts(subject: Subject) -> list[Part]:
    """One for each replicate and network: the dense one, and those at the sparsest of the chosen rounds."""
    found = []
    for chain in subject.chains:
        known = looked_at(subject, chain)
        last = max((network.step.round for network in known), default=0)
        found += [_part(subject, network) for network in known if network.step.round in (0, last)]
    return found


def checks(found: Found, experiment: Experiment) -> list[Check]:
    """On the same route the same bits. On another rounding differs and grows, to points of accuracy at the end where a
    network is sensitive: there the training is the same where its first evaluation is, before any step."""
    from lth_pipeline.recipes.artifacts import NEAR_AT_START

    rows = found.tables.get("training", [])
    if not rows:
        return []
    passed = all(row["same_bits"] or (not row["same_route"] and _apart_at_start(row) <= NEAR_AT_START) for row in rows)
    said = []
    for row in rows:
        if row["same_bits"]:
            how = "the same bits"
        else:
            route = "on the same route" if row["same_route"] else f"recorded on another route ({row['route']})"
            how = (
                f"other bits, {route}: before the first step the loss differs by {_apart_at_start(row):.2g} (between "
                f"routes {NEAR_AT_START} is allowed); at the end test accuracy is {row['test_accuracy']:.4f}, recorded "
                f"{row['recorded_accuracy']:.4f}"
            )
        said.append(f"replicate {row['replicate']}, round {row['round']}, {row['arm']}: {how}")
    return [Check("same_training", passed, "; ".join(said))]


def _apart_at_start(row: dict[str, Any]) -> float:
    """By how many nats the validation losses before the first step differ; one that is not finite is far."""
    losses = row["first_loss"], row["recorded_first_loss"]
    return math.inf if None in losses else abs(losses[0] - losses[1])


def _part(subject: Subject, network: Network) -> Part:
    recipe = network.product.recipe
    return Part(
        "training_path",
        f"replicate {network.chain.replicate}, {network.step}",
        {**sample_settings(subject, network), "arm": network.step.arm, "training": dict(recipe.settings)},
        {**recipe.inputs, **network.inputs, "data": network.chain.facts(network.step.round).digest},
        partial(_compute, subject, network),
    )


def _compute(subject: Subject, network: Network) -> Found:
    import torch

    from lth_pipeline.lottery.analysis import path
    from lth_pipeline.lottery.analysis.survivors import places
    from lth_pipeline.lottery.training.precision import computing

    torch.set_num_threads(subject.workshop.threads)
    model, recorded, mask = load(subject.workshop, network)
    where = places(model, recorded, mask)
    iterations, points, buffers, trained = _followed(subject, network, model, where)
    with computing("float32", subject.workshop.training_device()):
        losses, norms = _gradients(subject, network, model, where, points, buffers)
        differences = points.sub_(points[-1].clone())  # in place: it may take a gigabyte
        products = path.gram(differences)
        flat, course = path.plane(differences, products), path.course(products)
        surface, x, y = _surface(subject, network, model, trained.weights, where, flat)
    rows = [
        {
            "iteration": iteration,
            "x": float(flat.coordinates[point, 0]),
            "y": float(flat.coordinates[point, 1]),
            "distance_from_start": float(course.from_start[point]),
            "distance_to_end": float(course.to_end[point]),
            "cosine": float(course.cosine[point]),
            "gradient_norm": math.hypot(*norms[point].values()),
            "loss": losses[point],
        }
        for point, iteration in enumerate(iterations)
    ]
    layers = [row for at in (0, -1) for row in _layers(model, where, iterations[at], norms[at])]
    again = {
        **_compared(subject, network, model, mask, recorded, trained),
        "parameters": where.size,
        "images": len(sample_of(subject, network)),
        "explained_1": flat.shares[0],
        "explained_2": flat.shares[1],
    }
    tables = {"path": rows, "gradients": layers, "training": [again]}
    return Found(
        {name: [{**network.columns, **row} for row in table] for name, table in tables.items()},
        {f"{network.key}/plane": surface, f"{network.key}/plane_x": x, f"{network.key}/plane_y": y},
    )


def _followed(
    subject: Subject, network: Network, model: Model, where: Places
) -> tuple[list[int], torch.Tensor, list[Tensors], Trained]:
    """(iterations, what survives at each (points, n), batch norm's statistics at each, the training)."""
    import torch

    from lth_pipeline.lottery.analysis import path
    from lth_pipeline.lottery.analysis.survivors import gathered
    from lth_pipeline.recipes.training import schedule_of

    first = schedule_of(network.chain, network.step).start
    last = first + network.product.facts["iterations"]  # fewer than the schedule's where its patience ended
    wanted = path.iterations_to_see(first, last, path.points_that_fit(where.size))
    points = torch.empty(len(wanted), where.size)
    seen: list[int] = []
    buffers: list[Tensors] = []

    def see(iteration: int, weights: Tensors) -> None:
        if iteration in wanted and iteration not in seen:
            weights = {name: tensor.detach().cpu() for name, tensor in weights.items()}
            points[len(seen)] = gathered(where, weights)
            buffers.append({name: weights[name].clone() for name in model.buffers})
            seen.append(iteration)

    def on_evaluation(row: dict[str, float], state: Any) -> None:
        if int(row["iteration"]) == first:  # before the first step; all others come by `on_step`
            see(first, state().weights)

    trained = retrained(
        subject.workshop,
        network,
        on_evaluation=on_evaluation,
        on_step=lambda iteration, weights, state: see(iteration, weights()),
    )
    return seen, points[: len(seen)], buffers, trained


def _gradients(
    subject: Subject,
    network: Network,
    model: Model,
    where: Places,
    points: torch.Tensor,
    buffers: Sequence[Tensors],
) -> tuple[list[float], list[dict[str, float]]]:
    """(the loss at each point, {tensor: norm of its gradient} at each)."""
    from lth_pipeline.lottery.analysis.gradient_norm import gradients, norms
    from lth_pipeline.lottery.analysis.survivors import spread

    images = sample_of(subject, network)
    losses, found = [], []
    for point, statistics in zip(points, buffers, strict=True):
        weights = on_device(subject, {**spread(where, point), **statistics})
        loss, slopes = gradients(model, weights, images, where)
        losses.append(loss)
        found.append(norms(where, {name: slope.cpu() for name, slope in slopes.items()}))
    return losses, found


def _layers(model: Model, where: Places, iteration: int, norms: dict[str, float]) -> Rows:
    """A row for each prunable layer, in their order."""
    return [
        {
            "layer": layer.name,
            "iteration": iteration,
            "layer_weights": where.number(layer.weight),
            "gradient_norm": norms[layer.weight],
        }
        for layer in model.layers
    ]


def _surface(
    subject: Subject, network: Network, model: Model, end: Tensors, where: Places, flat: Plane
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(the loss on the plane of the path (points, points), where its columns stand, where its rows do)."""
    import torch

    from lth_pipeline.lottery.analysis.landscape import surface
    from lth_pipeline.lottery.analysis.sample import loss_on
    from lth_pipeline.lottery.analysis.survivors import spread

    points = subject.experiment.analysis.landscape_points
    least, most = flat.coordinates.amin(0), flat.coordinates.amax(0)
    around = MARGIN * (most - least).clamp_min(0.1 * float((most - least).max()))  # never a line
    x, y = (
        torch.linspace(float(low), float(high), points) for low, high in zip(least - around, most + around, strict=True)
    )
    axes = tuple(on_device(subject, spread(where, axis)) for axis in flat.axes)
    loss = loss_on(model, sample_of(subject, network))
    return surface(loss, on_device(subject, end), axes, x.tolist(), y.tolist()), x, y


def _compared(
    subject: Subject, network: Network, model: Model, mask: Tensors | None, recorded: Tensors, again: Trained
) -> dict[str, Any]:
    """The training that was followed against the one in the store."""
    import torch

    from lth_pipeline.lottery.training.ways import choose
    from lth_pipeline.recipes.artifacts import rows_of
    from lth_pipeline.recipes.route import in_words, precision_of, route
    from lth_pipeline.recipes.training import schedule_of

    device, schedule = subject.workshop.training_device(), schedule_of(network.chain, network.step)
    way = choose(model, mask, schedule, device)
    own, before = route(device, way=way, precision=precision_of(schedule, device)), network.product.record["route"]
    return {
        "same_bits": all(torch.equal(again.weights[name], recorded[name]) for name in recorded),
        "same_route": own == before,
        "route": in_words(before),
        "first_loss": again.rows[0]["validation_loss"],
        "recorded_first_loss": rows_of(subject.workshop.store.load(network.product.version))[0]["validation_loss"],
        "test_accuracy": again.rows[-1]["test_accuracy"],
        "recorded_accuracy": network.product.facts["test_accuracy_at_end"],
    }
