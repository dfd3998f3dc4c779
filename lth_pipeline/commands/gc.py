"""`lth gc`"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lth_pipeline.commands.common import Cards
    from lth_pipeline.home import Home
    from lth_pipeline.orchestration.keep import Dagster
    from lth_pipeline.recipes.garbage import Garbage
    from lth_pipeline.recipes.inventory import Inventory
    from lth_pipeline.tracking.garbage import Runs
    from lth_pipeline.tracking.tracker import Tracker

RUNS = "MLflow runs"


@dataclass(frozen=True)
class Plan:
    """What would go from the store and from MLflow; runs: None where there is no tracking store."""

    garbage: Garbage
    runs: Runs | None

    def rows(self) -> dict[tuple[str, str], list[int]]:
        """(experiment, kind) -> bytes of each."""
        rows: dict[tuple[str, str], list[int]] = defaultdict(list)
        for item in self.garbage.items:
            rows[item.experiment, item.kind].append(item.bytes)
        for run in self.runs.remove if self.runs else ():
            rows[run.experiment, RUNS].append(run.bytes)
        return rows


@click.command()
@click.argument("cards", metavar="[CARD]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="show what would go, and remove nothing")
@click.option("--yes", is_flag=True, help="do not ask")
@click.option(
    "--everything",
    is_flag=True,
    help="also what was made from Python, by runs that Dagster here does not know, and for experiments that have no "
    "card any more, with their runs in MLflow; half-done trainings that no card would go on with; and what other "
    "projects that use the store may need",
)
def gc(cards: tuple[str, ...], dry_run: bool, yes: bool, everything: bool) -> None:
    """Remove what nothing current refers to: old artifacts, and MLflow runs that newer ones replaced.

    With CARDs, experiments or sweeps, only what was made for them. Kept is all that a card would look up, what Dagster
    and MLflow hold as current, and whatever those were made from; the store stays while other projects use it.
    """
    from lth_pipeline.commands.common import places
    from lth_pipeline.orchestration.instance import close_dead_runs, open_instance
    from lth_pipeline.orchestration.keep import read_dagster
    from lth_pipeline.recipes import Store
    from lth_pipeline.recipes.inventory import clearing

    home, known = places()
    store = Store(home.store)
    with ExitStack() as held:
        instance = held.enter_context(open_instance(home))
        close_dead_runs(instance)
        dagster = read_dagster(instance)
        busy = _busy(store, dagster)
        if busy and not dry_run:
            raise click.ClickException(busy)
        tracker = _tracker(home, dagster)
        planned = _plan(home, known, dagster, tracker, cards, everything)
        _show(planned, tracker)
        if busy:
            click.echo(f"Not now: {busy}")
        if dry_run or not planned.rows():
            return
        if not yes:
            click.confirm("Remove these for good?", abort=True)
        held.enter_context(clearing(store))
        home, known = places()  # much may have happened, also to the cards, while it was read and thought about
        dagster = read_dagster(instance)
        if busy := _busy(store, dagster):
            raise click.ClickException(busy)
        _remove(planned, _plan(home, known, dagster, tracker, cards, everything), tracker)


def _busy(store, dagster: Dagster) -> str:
    """Who is about to use what lies in the store, in words; empty where nobody is."""
    from lth_pipeline.recipes.inventory import claims_held

    if dagster.unfinished:
        return (
            f"these Dagster runs have not ended: {', '.join(dagster.unfinished)}; wait for them, "
            f"or end them (in Dagster: Runs → Terminate), then run again"
        )
    if claims := claims_held(store):
        return f"a process is about to make {', '.join(claims)} in {store.folder}; wait for it, then run again"
    return ""


def _tracker(home: Home, dagster: Dagster) -> Tracker | None:
    """The tracking store; None where none was ever made: a look makes none."""
    from lth_pipeline.tracking.tracker import TrackingError, open_tracker

    path = Path(home.tracking_uri.removeprefix("sqlite:///"))
    if home.tracking_uri.startswith("sqlite:///") and not path.is_file():
        if _trained(dagster):
            raise TrackingError(
                f"{path} is not there, although Dagster has recorded runs: what MLflow refers to cannot be told. "
                f"Put it back, or `lth run` the experiments to fill a new one, then run again"
            )
        return None
    return open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)


def _plan(
    home: Home, known: Cards, dagster: Dagster, tracker: Tracker | None, chosen: Collection[str], everything: bool
) -> Plan:
    from lth_pipeline.commands.common import data_dirs
    from lth_pipeline.experiments.sweeps import sweeps
    from lth_pipeline.orchestration.keep import current
    from lth_pipeline.recipes import Store
    from lth_pipeline.recipes.garbage import garbage
    from lth_pipeline.recipes.inventory import take_inventory
    from lth_pipeline.recipes.users import other_users
    from lth_pipeline.tracking.garbage import removable

    store = Store(home.store)
    found = take_inventory(store)
    only = _names(known, chosen, found)

    def is_alive(run: str) -> bool:  # of another project's Dagster nothing is known
        return not run or run in dagster.unfinished or run not in dagster.runs

    def ours(run: str) -> bool:
        return everything or not run or run in dagster.runs

    carded = {*known, *sweeps(known)} if everything else None
    runs = removable(tracker, is_alive, only, carded, ours) if tracker else None
    if runs:
        _ensure_filled(tracker, runs, dagster, known)
    logged = runs.logged() if runs else ((), ())
    others = other_users(store, found, home.dagster)
    needed, unknown = current(known, data_dirs(home), found, dagster, logged, everything, others)
    planned = garbage(found, needed, only)
    planned.notes.extend(f"{name}: {why}" for name, why in unknown.items() if only is None or name in only)
    return Plan(planned, runs)


def _ensure_filled(tracker: Tracker, runs: Runs, dagster: Dagster, known: Cards) -> None:
    """Raises TrackingError where MLflow knows nothing of an experiment that Dagster has trainings of: a store that was
    made anew. Which controls are current, MLflow alone says."""
    from lth_pipeline.tracking.tracker import TrackingError

    if empty := (_trained(dagster) & known.keys()) - runs.experiments():
        raise TrackingError(
            f"{tracker.uri} has no run of {', '.join(sorted(empty))}, although Dagster has recorded trainings: what "
            f"MLflow refers to cannot be told. Put the store back that has them, or `lth run` these to fill the new "
            f"one, then run again"
        )


def _trained(dagster: Dagster) -> set[str]:
    """The experiments of which Dagster has recorded trainings."""
    return {
        partition.rpartition("|")[0]
        for asset, partitions in dagster.recorded.items()
        if asset.endswith("_trained")
        for partition in partitions
    }


def _names(known: Cards, chosen: Iterable[str], found: Inventory) -> set[str] | None:
    """The experiments and sweeps that `chosen` are, or were: of some there may be artifacts and no card any more."""
    from lth_pipeline.commands.common import named
    from lth_pipeline.experiments.sweeps import members_of
    from lth_pipeline.recipes.garbage import made_for

    made = {made_for(record) for record in found.records.values()} - {""}
    names: set[str] = set()
    for name in chosen:
        names |= {name} if name in made and name not in known else {name, *members_of(named(known, name))}
    return names or None


def _show(planned: Plan, tracker: Tracker | None) -> None:
    from rich.console import Console
    from rich.table import Table

    from lth_pipeline.commands.disk import in_words

    for note in planned.garbage.notes:
        click.echo(note)
    for why, items in sorted(planned.garbage.kept.items()):
        click.echo(f"Kept, {why}: {len(items):,} file(s), {in_words(sum(item.bytes for item in items))}")
    if elsewhere := planned.runs.elsewhere if planned.runs else ():
        about = in_words(sum(run.bytes for run in elsewhere))
        click.echo(f"Kept, of Dagster runs that are not known here: {len(elsewhere):,} {RUNS}, {about}")
    rows = planned.rows()
    if not rows:
        click.echo("Nothing to remove.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, side in (("experiment", "left"), ("what", "left"), ("number", "right"), ("disk", "right")):
        table.add_column(column, justify=side, no_wrap=True)
    for (experiment, kind), sizes in sorted(rows.items()):
        table.add_row(experiment or "–", kind, f"{len(sizes):,}", in_words(sum(sizes)))
    whole = [size for sizes in rows.values() for size in sizes]
    table.add_row("all", "", f"{len(whole):,}", in_words(sum(whole)), style="bold")
    Console(markup=False).print(table)
    if planned.runs and planned.runs.bystanders and planned.runs.remove:
        click.echo(
            f"MLflow's database keeps rows of its runs, marked as deleted: `mlflow gc` would remove "
            f"{planned.runs.bystanders} with them. Restore that, or run `mlflow gc --backend-store-uri {tracker.uri}`."
        )


def _remove(shown: Plan, planned: Plan, tracker: Tracker | None) -> None:
    """Remove what was shown, as far as it still may go."""
    from lth_pipeline.commands.disk import in_words
    from lth_pipeline.recipes import garbage as store
    from lth_pipeline.tracking import garbage as tracking

    if _files(planned) - _files(shown):
        raise click.ClickException("meanwhile more may go than was shown; nothing was removed: run again")
    freed = store.remove(planned.garbage.items)
    click.echo(f"Freed {in_words(freed)} in the store.")
    if tracker is None or not planned.runs.remove:
        return
    count = len(planned.runs.remove)
    click.echo(f"Removing {count:,} run(s) from MLflow …")  # of a thousand for half a minute
    freed = tracking.remove(tracker, planned.runs)
    if tracker.artifacts is not None:
        click.echo(f"Freed {in_words(freed)} in MLflow: {count:,} run(s) removed.")
    else:
        click.echo(
            f"{count:,} run(s) are marked as deleted on {tracker.uri}. To free its disk, its administrator runs\n"
            f"  {tracking.administrators_command(planned.runs)}"
        )


def _files(plan: Plan) -> set:
    """What a plan would remove: files and ids of runs."""
    return {item.path for item in plan.garbage.items} | {run.id for run in (plan.runs.remove if plan.runs else ())}
