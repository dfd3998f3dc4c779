"""`lth data`"""

from __future__ import annotations

from pathlib import Path

import click

#: sets that need no download -> (the package that they come with, what to say)
INSTALLED = {
    "digits": ("sklearn", "digits needs no download: it ships inside scikit-learn"),
    "mnist1d": ("mnist1d", "mnist1d needs no download: the package mnist1d makes it (pip install mnist1d)"),
}
OWN = "images needs no download: your own images are read from the folder or tar that the card names, in {sets}"


@click.group()
def data() -> None:
    """The data sets: which are here, and fetching those that are not."""


@data.command("list")
def list_sets() -> None:
    """Every data set: what it is, and whether it is here."""
    from rich.console import Console
    from rich.table import Table

    from lth_pipeline.home import find_home
    from lth_pipeline.lottery.data import DATASETS

    sets = find_home().data
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "title", "shape", "images", "here", "where", "licence"):
        whole = column in ("name", "shape", "images")
        right = column in ("shape", "images")
        table.add_column(column, justify="right" if right else "left", no_wrap=whole, overflow="fold")
    for name, facts in DATASETS.items():
        shape = "×".join(str(size) for size in facts.image_shape)
        here, where = _state(name, sets)
        table.add_row(name, facts.title, shape, f"{facts.train:,} + {facts.test:,}", here, where, facts.licence)
    table.add_row("images", "your own images", "any", "any", "", f"a folder or tar in {sets}", "yours")
    console = Console(markup=False)
    console.print(table)
    console.print(f"\nlth data get NAME fetches a set into {sets} (LTH_DATA_DIR)", style="dim", soft_wrap=True)


@data.command()
@click.argument("name")
def get(name: str) -> None:
    """Fetch the data set NAME, unless it is here and whole already."""
    from lth_pipeline.commands.common import no_such
    from lth_pipeline.home import find_home
    from lth_pipeline.lottery.data import DATASETS
    from lth_pipeline.lottery.data.download import CLASSES, download
    from lth_pipeline.lottery.data.files import find

    sets = find_home().data
    if name in INSTALLED:
        click.echo(INSTALLED[name][1])
    elif name == "images":
        click.echo(OWN.format(sets=sets))
    elif name not in CLASSES:
        raise no_such("data set", name, [*DATASETS, "images"])
    else:
        sha256 = download(name, sets)
        click.echo(f"{DATASETS[name].title} is in {find(name, sets).folder}; SHA-256 of its content: {sha256}")


def _state(name: str, sets: Path) -> tuple[str, str]:
    """(here, where): found by the files' names alone."""
    if name in INSTALLED:
        from importlib.util import find_spec

        package = INSTALLED[name][0]
        return ("here", f"package {package}") if find_spec(package) else ("not here", f"pip install {package}")
    from lth_pipeline.lottery.data.files import FILES, find

    found = find(name, sets)
    if found.whole:
        return "here", str(found.folder)
    if found.paths:
        return f"incomplete: {len(found.paths)} of {len(FILES[name].names)} files", str(found.folder)
    return "not here", ""
