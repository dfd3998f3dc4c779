"""`lth show`"""

from __future__ import annotations

import click

from lth_pipeline.experiments.sweeps import Sweep


@click.command()
@click.argument("card", required=False)
def show(card: str | None) -> None:
    """Settings, ladder and cost of CARD, before anything runs; without CARD, every setting that a card may have.

    Of a sweep: what is varied, its experiments and what all of them cost.
    """
    if card is None:
        _show_all()
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from lth_pipeline.commands.common import data_dirs, named, places
    from lth_pipeline.commands.cost import cost_of, not_counted
    from lth_pipeline.commands.reading import make_ready
    from lth_pipeline.experiments.flat import described
    from lth_pipeline.lottery.models import NETWORKS
    from lth_pipeline.recipes import Chain
    from lth_pipeline.recipes.facts import facts_of, parts_of
    from lth_pipeline.recipes.ladder import ladder, model_of
    from lth_pipeline.recipes.remarks import taken_over

    home, cards = places()
    dirs = data_dirs(home)
    experiment = named(cards, card)
    if isinstance(experiment, Sweep):
        from lth_pipeline.commands.sweep_show import show_sweep

        show_sweep(home, cards, experiment)
        return
    cards = make_ready(home, cards, card)
    console = Console(markup=False)
    console.print(Text.assemble((card, "bold"), f"  {experiment.description}"))
    if experiment.branch_of:
        branch = experiment.branch_of
        console.print(f"a branch: rounds 0 … {branch.round - 1} are taken over from {branch.experiment}")
    chain = Chain(cards, card, 0, dirs)
    if taken_over(chain):
        console.print(taken_over(chain), highlight=False)
    settings = Table(box=None, pad_edge=False, header_style="bold", title="Settings", title_justify="left")
    for column in ("field", "value", "meaning"):
        settings.add_column(column)
    for field, value, meaning in described(experiment):
        settings.add_row(field, value, Text(meaning, "dim"))
    console.print(settings)

    facts, model = facts_of(experiment.data, dirs), model_of(experiment, dirs)
    train, validation, test = parts_of(experiment.data, facts)
    shape = "×".join(map(str, facts.image_shape))
    console.print(
        f"\n{facts.title}: {train:,} training, {validation:,} validation, {test:,} test images of {shape}, "
        f"{facts.classes} classes"
    )
    kinds = {layer.kind: 0 for layer in model.layers}
    for layer in model.layers:
        kinds[layer.kind] += layer.size
    shares = ", ".join(f"{weights:,} {kind}" for kind, weights in kinds.items())
    console.print(
        f"{experiment.model.name}: {model.parameters:,} parameters, {model.prunable:,} prunable weights ({shares})\n"
        f"  {NETWORKS[experiment.model.name].about}",
        highlight=False,
    )
    pruning = experiment.pruning
    console.print(_ladder(ladder(cards, card, pruning.rounds, dirs), model, pruning.structure))
    if pruning.scope == "global":
        console.print("·: decided by the global ranking, or not pruned", style="dim")
    if experiment.ticket_from and experiment.ticket_from.registry:
        console.print("round 1: as it was published", style="dim")
    elif experiment.ticket_from:
        console.print("round 1: as its source left it; ·: known once that is done", style="dim")

    cost = cost_of(experiment, Chain(cards, card, 0, dirs))
    console.print(
        f"\nCost: {cost.trainings} trainings ({experiment.replicates} replicates) "
        f"of {experiment.training.iterations:,} iterations "
        f"= {cost.iterations:,} iterations, {cost.images:,} images"
    )
    for said in not_counted([experiment]):
        console.print(said, highlight=False)
    console.print(f"Run it: lth run {card}", style="bold")


MOST_LAYERS = 8  # a column each; of deeper networks, a column a kind


def _ladder(rungs, model, structure: str):
    """Survivors by round, in all and by layer; there, whole units where they are pruned."""
    from rich.table import Table

    title = "Ladder" if structure == "weights" else "Ladder, layers in units"
    table = Table(box=None, pad_edge=False, header_style="bold", title=title, title_justify="left")
    whole = {layer.weight: layer.shape[0] for layer in model.layers}
    groups = {layer.name: [layer] for layer in model.layers}
    if len(groups) > MOST_LAYERS:
        groups = {}
        for layer in model.layers:
            groups.setdefault("output" if layer.is_output else f"{layer.kind} layers", []).append(layer)
    for column in ("round", "density", "weights", *groups):
        table.add_column(column, justify="right")
    for rung in rungs:
        keep = whole if rung.round == 0 and structure == "units" else rung.keep or {}
        cells = [
            f"{sum(keep[layer.weight] for layer in layers):,}" if all(layer.weight in keep for layer in layers) else "·"
            for layers in groups.values()
        ]
        known = rung.weights is not None
        density, weights = (f"{100 * rung.density:.2f} %", f"{rung.weights:,}") if known else ("·", "·")
        table.add_row(str(rung.round), density, weights, *cells)
    return table


def _show_all() -> None:
    from rich.console import Console
    from rich.table import Table

    from lth_pipeline.experiments.reference import entries

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("setting", "values", "default", "meaning", "source"):
        table.add_column(column, no_wrap=column == "setting", style="dim" if column == "source" else None)
    for entry in entries():
        table.add_row(entry.field, entry.values.replace("`", ""), entry.default, entry.meaning, entry.source)
    Console(markup=False).print(table)
