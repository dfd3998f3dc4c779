"""The trainings of one replicate by processes that the user's own torchrun starts, on one machine or on several:

    torchrun --nnodes 2 --nproc-per-node 4 --rdzv-backend c10d --rdzv-endpoint HOST:PORT \\
        -m lth_pipeline.commands.distributed CARD --replicate 0 --through 3

The first process walks down the rounds and keeps what is made in the store; the others make their part of each
training. What is there already is not trained again, and `lth run CARD` afterwards records what it finds.
docs/distributed.md has the rest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import torch

    from lth_pipeline.home import Home
    from lth_pipeline.recipes import Chain, Step, Workshop
    from lth_pipeline.recipes.team import Agreed, Team


@click.command()
@click.argument("card")
@click.option("--replicate", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--through", type=click.IntRange(min=0), metavar="ROUND", help="the last round; left out: the card's")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="of each process, on a CPU")
def distributed(card: str, replicate: int, through: int | None, threads: int) -> None:
    """Train the rounds of CARD with all processes that torchrun has started."""
    if "RANK" not in os.environ:
        raise click.ClickException(
            "start it with torchrun: torchrun --nproc-per-node 4 -m lth_pipeline.commands.distributed CARD"
        )
    import torch

    from lth_pipeline.commands.common import data_dirs
    from lth_pipeline.home import find_home
    from lth_pipeline.recipes.team import join
    from lth_pipeline.recipes.team_training import follow

    home = find_home()
    torch.set_num_threads(threads)
    with ExitStack() as claims:
        team = join(home.device, hold=_holding(claims, home, f"torchrun {card}, replicate {replicate}"))
        if team.leads:
            _lead(home, team, card, replicate, through, threads)
            team.dismiss()
        else:
            follow(team, data_dirs(home))
        team.part()


def _holding(claims: ExitStack, home: Home, holder: str) -> Callable[[torch.device, Agreed], None]:
    """What claims this process's GPU, once all processes have theirs, until `claims` is closed."""
    from lth_pipeline.recipes.devices import held, that_will_do

    def hold(device: torch.device, agreed: Agreed) -> None:
        mine = that_will_do(str(device))  # on the CPU none
        claims.enter_context(held(mine, home.devices, holder, waiting, len(mine), agreed))

    def waiting(held_by: str) -> None:
        click.echo(f"Waiting for a device: {held_by}")

    return hold


def _lead(home: Home, team: Team, card: str, replicate: int, through: int | None, threads: int) -> None:
    """Make all of a replicate's trainings that are missing."""
    from lth_pipeline.commands.common import data_dirs, named, places
    from lth_pipeline.commands.reading import asked_of
    from lth_pipeline.experiments import Experiment
    from lth_pipeline.recipes import Workshop
    from lth_pipeline.recipes.ready import make_ready
    from lth_pipeline.recipes.remote import store_at
    from lth_pipeline.recipes.users import mark_use

    _, cards = places()
    chosen = named(cards, card)
    if not isinstance(chosen, Experiment):
        raise click.ClickException(f"{card} is a sweep; give one of its experiments: {', '.join(chosen.members)}")
    store, dirs = store_at(home.store, home.remote), data_dirs(home)
    store.ensure_writable()
    mark_use(store, home.dagster)
    cards = make_ready(cards, card, dirs, None, [home.experiments], asked_of(home, anew=True))
    several = team.size > 1  # a single one trains as ever, and its artifacts have the same bits
    workshop = Workshop(
        store,
        dirs,
        device=str(team.device),
        threads=threads,
        checkpoint_seconds=home.checkpoint_seconds,
        processes=team.size,
        team=team if several else None,
        made_by={"experiment": card, "replicate": replicate},
        on_row=_telling(card, replicate),
        on_wait=lambda about: click.echo(f"{about}: another process is about it; waiting"),
        on_trouble=lambda message: click.echo(message, err=True),
    )
    chain = workshop.chain(cards, card, replicate)
    workshop.mending(lambda: _walk(workshop, chain, chosen.pruning.rounds if through is None else through))


def _walk(workshop: Workshop, chain: Chain, last: int) -> None:
    from lth_pipeline.recipes.divergence import diverged_above

    for round in range(last + 1):
        if why := diverged_above(chain, round, lambda whose, step: workshop.make(whose, step).facts):
            click.echo(f"{why}; round {round} and those below it are left out")
            return
        for step in chain.trainings(round):
            product = workshop.make(chain, step)
            done = "trained" if product.computed else "in the store"
            click.echo(f"{chain.name}, replicate {chain.replicate}, {step}: {done}, {product.version[:12]}")


def _telling(card: str, replicate: int) -> Callable[[Step, dict[str, float], int], None]:
    def on_row(step: Step, row: dict[str, float], total: int) -> None:
        told = f"iteration {row['iteration']:,.0f} of {total:,}, test accuracy {row['test_accuracy']:.4f}"
        click.echo(f"{card}, replicate {replicate}, {step}: {told}")

    return on_row


def main() -> None:
    from lth_pipeline.commands.common import known_errors

    try:
        distributed(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except known_errors() as error:
        click.echo(f"lth: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
