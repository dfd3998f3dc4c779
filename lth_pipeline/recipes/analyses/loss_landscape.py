"""The loss around trained networks: surfaces in two directions, and how sharply it is curved."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes.analyses.analysis import Check, Found, Part, Subject
from lth_pipeline.recipes.analyses.networks import Network, chosen_rounds, comparable, load, networks
from lth_pipeline.recipes.analyses.sample import on_device, sample_of, sample_settings
from lth_pipeline.recipes.chain import Chain

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]
ARMS = ("dense", "ticket", "reinit")
EIGENVALUES = 3
DIRECTIONS = 10  # in which the rise is taken; the first two span the surface
#: A point may lie so far below the centre: a share of the centre's loss, and as much besides. Training ends at its last
#: iteration, not at the minimum, and the noise of its batches keeps it from there.
TOLERANCE, BESIDES = 0.25, 1e-3


def parts(subject: Subject) -> list[Part]:
    """One for each replicate and chosen round, and for the dense network."""
    found = []
    for chain in subject.chains:
        known = looked_at(subject, chain)
        for round in sorted({network.step.round for network in known}):
            found.append(_part(subject, [network for network in known if network.step.round == round]))
    return found


def looked_at(subject: Subject, chain: Chain) -> list[Network]:
    """The dense network, and of the chosen rounds the ticket and the first draw of random reinit."""
    rounds = {0, *chosen_rounds(subject, chain)}
    return comparable([network for network in networks(subject, chain, rounds, ARMS) if network.step.draw == 0])


def checks(found: Found, experiment: Experiment) -> list[Check]:
    rows = found.tables.get("sharpness", [])
    judged = [row for row in rows if row["loss"] is not None and row["lowest"] is not None]
    if not judged:
        return []
    worst = max(judged, key=_too_low)
    why = (
        f"of {len(judged)} surfaces none may have a point below its centre by more than {TOLERANCE:.0%} of the loss "
        f"there and {BESIDES:g}; worst: replicate {worst['replicate']}, round {worst['round']}, {worst['arm']}: "
        f"{worst['lowest']:.4g}, at the centre {worst['loss']:.4g}"
    )
    return [Check("landscape_minimum", _too_low(worst) <= 0, why)]


def _too_low(row: dict[str, Any]) -> float:
    """By how much more than it may a surface's lowest point lies below its centre; negative where it does not."""
    return row["loss"] - row["lowest"] - TOLERANCE * row["loss"] - BESIDES


def _part(subject: Subject, of: list[Network]) -> Part:
    chain, round = of[0].chain, of[0].step.round
    return Part(
        "loss_landscape",
        f"replicate {chain.replicate}, round {round}",
        {**sample_settings(subject, of[0]), "arms": [network.step.arm for network in of]},
        {
            **{f"{network.step.arm}/{name}": version for network in of for name, version in network.inputs.items()},
            "data": chain.facts(round).digest,
        },
        partial(_compute, subject, of),
    )


def _compute(subject: Subject, of: list[Network]) -> Found:
    import torch

    from lth_pipeline.lottery.training.precision import computing

    torch.set_num_threads(subject.workshop.threads)
    rows, arrays = [], {}
    with computing("float32", subject.workshop.training_device()):
        for network in of:
            row, surface, at = _around(subject, network)
            rows.append(row)
            arrays |= {f"{network.key}/surface": surface, f"{network.key}/at": at}
    return Found({"sharpness": rows}, arrays)


def _around(subject: Subject, network: Network) -> tuple[dict[str, Any], torch.Tensor, torch.Tensor]:
    """(its row, the surface (points, points), where its rows and columns stand)."""
    import torch

    from lth_pipeline.lottery.analysis import hessian, landscape
    from lth_pipeline.lottery.analysis.sample import loss_on
    from lth_pipeline.lottery.analysis.survivors import places
    from lth_pipeline.lottery.randomness import generator, stream_seed

    model, weights, mask = load(subject.workshop, network)
    weights = on_device(subject, weights)
    images, device = sample_of(subject, network), subject.workshop.training_device()

    def draws(purpose: str, **which: int) -> torch.Generator:
        """The same for every network of the replicate."""
        seed = stream_seed(subject.experiment.seed, purpose, replicate=network.chain.replicate, **which)
        return generator(seed)

    loss = loss_on(model, images)
    prunable = [layer.weight for layer in model.layers]

    def direction(axis: int) -> Tensors:
        return landscape.direction(weights, prunable, mask, draws("landscape_direction", axis=axis))

    axes = direction(0), direction(1)
    at = torch.linspace(-1, 1, subject.experiment.analysis.landscape_points)
    surface = landscape.surface(loss, weights, axes, at.tolist(), at.tolist())

    where = places(model, weights, mask)
    product = hessian.hessian_product(model, weights, where, images)
    top = hessian.top_eigenvalues(product, where.size, draws("lanczos"), count=EIGENVALUES, device=device)
    trace, error = hessian.trace(product, where.size, draws("hutchinson"), device=device)
    rise, rise_error = landscape.rise(loss, weights, map(direction, range(DIRECTIONS)))
    missing = [None] * (EIGENVALUES - len(top.values))
    row = {
        **network.columns,
        "parameters": where.size,
        "images": len(images),
        "loss": loss(weights),
        "lowest": float(surface.min()),
        **{f"eigenvalue_{n}": value for n, value in enumerate([*top.values, *missing], 1)},
        **{f"residual_{n}": value for n, value in enumerate([*top.residuals, *missing], 1)},
        "products": top.products,
        "trace": trace,
        "trace_se": error,
        "rise": rise,
        "rise_se": rise_error,
    }
    return row, surface, at
