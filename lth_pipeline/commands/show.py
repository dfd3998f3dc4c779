"""`lth show`"""

from __future__ import annotations

import click


@click.command()
@click.argument("card")
def show(card: str) -> None:
    """Settings, ladder and cost of CARD, before anything runs."""
    from rich.console import Console
    from rich.table import Table

    from lth_pipeline.commands.common import card_named, data_dirs, places
    from lth_pipeline.commands.reading import reading_bar
    from lth_pipeline.experiments.flat import described
    from lth_pipeline.recipes.facts import facts_of, parts_of, title_of
    from lth_pipeline.recipes.ladder import ladder, model_of
    from lth_pipeline.recipes.ready import make_ready

    home, cards = places()
    dirs = data_dirs(home)
    experiment = card_named(cards, card)
    with reading_bar(title_of(experiment.data)) as progress:
        make_ready(cards, card, dirs, progress)
    console = Console()
    console.print(f"[bold]{card}[/bold]  {experiment.description}", highlight=False)
    if experiment.branch_of:
        branch = experiment.branch_of
        console.print(f"a branch: rounds 0 … {branch.round - 1} are taken over from {branch.experiment}")
    settings = Table(box=None, pad_edge=False, header_style="bold", title="Settings", title_justify="left")
    for column in ("field", "value", "meaning"):
        settings.add_column(column)
    for field, value, meaning in described(experiment):
        settings.add_row(field, value, f"[dim]{meaning}[/dim]")
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
        f"{experiment.model.name}: {model.parameters:,} parameters, {model.prunable:,} prunable weights ({shares})"
    )
    rungs = Table(box=None, pad_edge=False, header_style="bold", title="Ladder", title_justify="left")
    rungs.add_column("round", justify="right")
    rungs.add_column("density", justify="right")
    rungs.add_column("weights", justify="right")
    for layer in model.layers:
        rungs.add_column(layer.name, justify="right")
    for rung in ladder(cards, card, experiment.pruning.rounds, dirs):
        layers = [f"{rung.keep[layer.weight]:,}" if layer.weight in rung.keep else "·" for layer in model.layers]
        rungs.add_row(str(rung.round), f"{100 * rung.density:.2f} %", f"{rung.weights:,}", *layers)
    console.print(rungs)
    if experiment.pruning.scope == "global":
        console.print("·: a global ranking decides how many stay in each layer", style="dim")

    from_round = experiment.branch_of.round if experiment.branch_of else 0
    trainings = experiment.replicates * sum(
        1 if r == 0 else len(experiment.arms) for r in range(from_round, experiment.pruning.rounds + 1)
    )
    iterations = trainings * experiment.training.iterations
    console.print(
        f"\nCost: {trainings} trainings ({experiment.replicates} replicates) "
        f"of {experiment.training.iterations:,} iterations "
        f"= {iterations:,} iterations, {iterations * experiment.training.batch_size:,} images"
    )
    console.print(f"Run it: lth run {card}", style="bold")
