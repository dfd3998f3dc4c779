"""`lth export`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

SUFFIXES = (".onnx", ".pt2", ".safetensors")


@click.command()
@click.argument("card")
@click.option(
    "--to",
    "files",
    multiple=True,
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="what to write: a name that ends with .onnx, .pt2 or .safetensors; may be given several times",
)
@click.option(
    "--round", "number", type=click.IntRange(min=0), help="left out: the sparsest that matches the dense network"
)
@click.option(
    "--replicate", type=click.IntRange(min=0), help="left out: of that round the one of least validation loss"
)
@click.option(
    "--arm", default="ticket", show_default=True, help="which network of the round; round 0 has the dense one"
)
@click.option("--sparse", is_flag=True, help=".safetensors: weights as CSR or BSR where that is smaller")
@click.option("--int8", is_flag=True, help=".onnx: weights of 8 bits; its accuracy is measured and said")
@click.option("--as-trained", is_flag=True, help="take nothing out: every weight, the pruned ones as zeros")
@click.option("--force", is_flag=True, help="write over files that are there")
def export(card, files, number, replicate, arm, sparse, int8, as_trained, force) -> None:
    """Write a trained network of CARD, an experiment, as a file that runs without lth_pipeline.

    What the mask cut off is taken out. The file is read back and has to answer as the trained network does, on the
    whole test set. Beside it goes a model card (.md); beside .safetensors also lth_network.py, which loads it.
    """
    from lth_pipeline.commands.common import named, places, workshop
    from lth_pipeline.commands.export_files import check_targets
    from lth_pipeline.experiments.sweeps import Sweep

    _check_options(files, sparse, int8)
    check_targets(files, force)
    home, cards = places()
    chosen = named(cards, card)
    if isinstance(chosen, Sweep):
        members = ", ".join(chosen.members)
        raise click.ClickException(f"{card} is a sweep; export one of its experiments: {members}")
    from lth_pipeline.commands.export_files import check_loader, export_files
    from lth_pipeline.commands.reading import make_ready
    from lth_pipeline.lottery.small.errors import ExportError
    from lth_pipeline.orchestration.begun import begun_in
    from lth_pipeline.orchestration.instance import open_instance
    from lth_pipeline.orchestration.partitions import deepest_round
    from lth_pipeline.orchestration.results import subject_of
    from lth_pipeline.recipes.exported import Form
    from lth_pipeline.recipes.small import ticket_of

    check_loader(files, force)
    forms = {
        path: Form(path.suffix, sparse and path.suffix == ".safetensors", int8 and path.suffix == ".onnx", as_trained)
        for path in files
    }
    shop = workshop(home)
    make_ready(home, cards, card)
    with open_instance(home) as instance:
        begun = begun_in(instance, deepest_round(cards))
    subject = subject_of(cards, card, shop, begun)
    why = ""
    if number is None or replicate is None:
        number, replicate, why = _chosen(subject, number, replicate)
    try:
        ticket = ticket_of(shop, shop.chain(cards, card, replicate), number, arm)
        export_files(ticket, subject, forms, why)
    except ExportError as error:
        raise click.ClickException(str(error)) from error


def _check_options(files: Sequence[Path], sparse: bool, int8: bool) -> None:
    for path in files:
        if path.suffix not in SUFFIXES:
            ends = path.suffix or "nothing"
            raise click.ClickException(f"--to {path}: ends with {ends!r}, not {', '.join(SUFFIXES)}")
    for option, asked, suffix in (("--sparse", sparse, ".safetensors"), ("--int8", int8, ".onnx")):
        if asked and not any(path.suffix == suffix for path in files):
            raise click.ClickException(f"{option} is for {suffix} files; give one: --to NAME{suffix}")


def _chosen(subject, number: int | None, replicate: int | None) -> tuple[int, int, str]:
    """(round, replicate, why these), by the verdict's rule and the validation loss where they are left out."""
    from lth_pipeline.recipes.chosen import chosen_replicate, chosen_round, verdict_of

    rows, name, why = subject.rows(), subject.experiment.name, []
    if number is None:
        found = chosen_round(verdict_of(subject), rows)
        if found.round is None:
            raise click.ClickException(f"{name}: no round can be chosen: {found.why}. Name one: --round ROUND")
        number = found.round
        why.append(f"round {number}: {found.why}")
    if replicate is None:
        replicate = chosen_replicate(rows, number)
        if replicate is None:
            there = sorted({row["round"] for row in rows})
            trained = f"trained are rounds {there[0]} … {there[-1]}" if there else "nothing is trained yet"
            raise click.ClickException(
                f"{name}: no network of round {number} is there to choose a replicate by; {trained}; train it: "
                f"lth run {name} --through {number}"
            )
        why.append(f"replicate {replicate}: the least validation loss in round {number}")
    return number, replicate, "; ".join(why)
