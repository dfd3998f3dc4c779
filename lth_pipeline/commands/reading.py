"""Reading own images with a progress bar, and fetching published tickets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lth_pipeline.commands.common import Cards, data_dirs
from lth_pipeline.home import Home

if TYPE_CHECKING:
    from lth_pipeline.recipes.registry import Registry
    from lth_pipeline.tracking.tracker import Tracker

Progress = Callable[[int, int], None]


def make_ready(home: Home, cards: Cards, name: str, anew: bool = False) -> Cards:
    """`recipes.ready.make_ready` of experiment `name`, with a bar for each set of images that has to be read.

    anew: published tickets that are in the cache are asked for again, since an alias may have moved: where a run is
    planned, which then goes by the cards that are given.
    """
    from lth_pipeline.recipes import ready
    from lth_pipeline.recipes.facts import prepare, source_of, title_of
    from lth_pipeline.recipes.lineage import related

    dirs, own = data_dirs(home), cards[name].data
    # those that a ticket or a branch comes from, under their own titles
    others = {source_of(card.data): card.data for card in related(cards, name) if card.data.name == "images"}
    for data in (data for source, data in others.items() if source != source_of(own)):
        with reading_bar(title_of(data)) as progress:
            prepare(data, dirs, progress)
    with reading_bar(title_of(own)) as progress:
        return ready.make_ready(cards, name, dirs, progress, [home.experiments], asked_of(home, anew))


def asked_of(home: Home, anew: bool) -> Registry:
    """The model registry of this home's MLflow, which is opened where a card names a published ticket."""
    import click

    from lth_pipeline.orchestration.registry import registry_at

    def opened() -> Tracker:
        from lth_pipeline.tracking.registered import NotRegisteredError
        from lth_pipeline.tracking.tracker import open_tracker

        path = Path(home.tracking_uri.removeprefix("sqlite:///"))
        if home.tracking_uri.startswith("sqlite:///") and not path.is_file():  # a look makes none
            raise NotRegisteredError(f"there is no registry yet, {path} is not there; `lth publish` makes one")
        return open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)

    return registry_at(opened, lambda message: click.echo(f"lth: {message}", err=True), anew)


@contextmanager
def reading_bar(title: str) -> Iterator[Progress]:
    """Gives a function of (images read, images in all). Nothing is drawn where everything is in the cache already."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(markup=False, stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Bars(*columns, console=console, disable=not console.is_terminal) as bars:
        task = None

        def progress(done: int, total: int) -> None:
            nonlocal task
            if task is None:
                task = bars.add_task(f"reading {title}", total=total)
                if not console.is_terminal:
                    console.print(f"reading {title}: {total:,} images, once", highlight=False)
            bars.update(task, completed=done)

        yield progress
