"""The files of `lth export`: all of them written and checked, or none."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lth_pipeline.recipes.analyses.analysis import Subject
    from lth_pipeline.recipes.exported import Exported, Form
    from lth_pipeline.recipes.small import Ticket

LOADER = "lth_network.py"  # what a .safetensors file is loaded with


def check_targets(files: Sequence[Path], force: bool) -> None:
    """Raise ClickException where a file cannot be written, or is there and may not be written over."""
    for path in files:
        folder = path.parent
        if not folder.is_dir():
            raise click.ClickException(f"--to {path}: there is no folder {folder}; make it first")
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise click.ClickException(f"--to {path}: {folder} cannot be written to ({error.strerror})") from error
        for target in (path, path.with_suffix(".md")):
            if target.is_dir():
                raise click.ClickException(f"{target}: is a folder; choose another name")
            if target.exists() and not force:
                raise click.ClickException(f"{target}: is there already; --force writes over it")


def check_loader(files: Sequence[Path], force: bool) -> None:
    """The same where another file has the name of what loads a .safetensors file."""
    from lth_pipeline.lottery.small.safetensors_file import loader_bytes

    for target in dict.fromkeys(path.parent / LOADER for path in files if path.suffix == ".safetensors"):
        if target.exists() and not force and (target.is_dir() or target.read_bytes() != loader_bytes()):
            raise click.ClickException(
                f"{target}: is there already and is another one; --force writes over it (it loads .safetensors files)"
            )


def export_files(ticket: Ticket, subject: Subject, forms: Mapping[Path, Form], why: str) -> None:
    """Write the files, their model cards and what loads them, and say what was written. why: this ticket was chosen.

    They are written beside where they go, checked there, and renamed once all are right.
    """
    from lth_pipeline.lottery.small.safetensors_file import loader_bytes
    from lth_pipeline.recipes.export_figures import figures
    from lth_pipeline.recipes.exported import write

    done: dict[Path, Exported] = {}
    ready: dict[Path, Path] = {}  # where it goes -> where it lies
    try:
        with tempfile.TemporaryDirectory(prefix=".lth-export-", dir=next(iter(forms)).parent) as kept:
            for number, (path, form) in enumerate(forms.items()):
                ready[path] = Path(kept) / str(number) / path.name
                ready[path].parent.mkdir()
                done[path] = write(ticket, form, ready[path])
            told = figures(ticket, subject)
            for card in dict.fromkeys(path.with_suffix(".md") for path in forms):
                own = {path: one for path, one in done.items() if path.with_suffix(".md") == card}
                ready[card] = Path(kept) / f"{len(ready)}.md"
                ready[card].write_text(card_text(ticket, own, told), encoding="utf-8")
            for folder in dict.fromkeys(path.parent for path in forms if path.suffix == ".safetensors"):
                ready[folder / LOADER] = Path(kept) / f"{len(ready)}.py"
                ready[folder / LOADER].write_bytes(loader_bytes())
            for target in reversed(ready):  # the networks last: none is ever there without its card
                _put(ready[target], target)
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or next(iter(forms))}: cannot be written ({error.strerror})"
        ) from error
    _say(ticket, done, told, why)


def card_text(ticket: Ticket, done: Mapping[Path, Exported], told: Mapping[str, Any]) -> str:
    """The model card of files of one name."""
    from lth_pipeline.recipes.small import lineage
    from lth_pipeline.reports.model_card import model_card

    return model_card(ticket.about, told, [one.described for one in done.values()], *lineage(ticket))


def _put(lies: Path, goes: Path) -> None:
    """Rename; into a folder of another file system, copy beside it first."""
    from lth_pipeline.files import write_atomically

    if lies.stat().st_dev == goes.parent.stat().st_dev:
        lies.chmod(0o644)
        lies.replace(goes)
    else:
        write_atomically(goes, lies.read_bytes())


def _say(ticket: Ticket, done: Mapping[Path, Exported], told: Mapping[str, Any], why: str) -> None:
    from lth_pipeline.reports.model_card import name_of, said
    from lth_pipeline.reports.wording import left

    about, own, dense = ticket.about, told["accuracy"], told["dense"]
    against = f", the dense network {100 * dense['share']:.2f} %" if dense else ""
    click.echo(
        f"{name_of(about)}: {about['weights_left']:,} weights, {left(about['density'])}; test accuracy "
        f"{100 * own['share']:.2f} %{against} (n = {own['images']:,} images)"
    )
    if why:
        click.echo(f"chosen: {why}")
    for path, one in done.items():
        share = one.bytes / one.bytes_as_trained
        click.echo(f"  {path}: {one.bytes:,} bytes, {share:.2f} of the network as trained; {one.form}")
        click.echo(f"    checked: {said(one.described)}")
    for card in dict.fromkeys(path.with_suffix(".md") for path in done):
        click.echo(f"  {card}: the model card, with five lines that load it")
    click.echo(f"Use it: lth predict --model {next(iter(done))} IMAGE.png")
