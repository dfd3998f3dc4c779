"""The files of `lth export`: all of them written and checked, or none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lth_pipeline.commands.export import SUFFIXES

if TYPE_CHECKING:
    from lth_pipeline.recipes.analyses.analysis import Subject
    from lth_pipeline.recipes.exported import Exported, Form
    from lth_pipeline.recipes.small import Ticket


def check_targets(files: Sequence[Path], force: bool) -> None:
    """Raise ClickException where a file cannot be written, or is there and may not be written over, or where the model
    card of another network would be: files of one name have one card."""
    asked = {path.absolute() for path in files}
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
        for other in (path.with_suffix(suffix) for suffix in SUFFIXES if suffix != path.suffix):
            if other.exists() and other.absolute() not in asked:
                raise click.ClickException(
                    f"{other}: is there already, and {path.with_suffix('.md')} is the model card of both; delete it, "
                    f"write it anew too (--to {other} --force), or choose another name than {path.name}"
                )


def check_loader(files: Sequence[Path], force: bool) -> None:
    """The same where another file has the name of what loads a .safetensors file."""
    from lth_pipeline.lottery.small.safetensors_file import LOADER, loader_bytes

    for target in dict.fromkeys(path.parent / LOADER for path in files if path.suffix == ".safetensors"):
        if target.exists() and not force and (target.is_dir() or target.read_bytes() != loader_bytes()):
            raise click.ClickException(
                f"{target}: is there already and is another one; --force writes over it (it loads .safetensors files)"
            )


def export_files(ticket: Ticket, subject: Subject, forms: Mapping[Path, Form], why: str) -> None:
    """Write the files, their model cards and what loads them, and say what was written. why: this ticket was chosen.

    They are written beside where they go, checked there, and renamed once all are right.
    """
    from lth_pipeline.lottery.small.safetensors_file import LOADER, loader_bytes
    from lth_pipeline.recipes.export_figures import figures
    from lth_pipeline.recipes.exported import write
    from lth_pipeline.recipes.scratch import scratch

    done: dict[Path, Exported] = {}
    ready: dict[Path, Path] = {}  # where it goes -> where it lies
    beside = next(iter(forms)).parent
    with ExitStack() as until_done:
        with _writing(beside):
            kept = until_done.enter_context(scratch(beside))
        for number, (path, form) in enumerate(forms.items()):
            ready[path] = kept / str(number) / path.name
            with _writing(path):
                ready[path].parent.mkdir()
            done[path] = write(ticket, form, ready[path])
        told = figures(ticket, subject)
        for card in dict.fromkeys(path.with_suffix(".md") for path in forms):
            own = [one for path, one in done.items() if path.with_suffix(".md") == card]
            text, ready[card] = card_text(ticket, subject, own, told), kept / f"{len(ready)}.md"
            with _writing(card):
                ready[card].write_text(text, encoding="utf-8")
        for folder in dict.fromkeys(path.parent for path in forms if path.suffix == ".safetensors"):
            ready[folder / LOADER] = kept / f"{len(ready)}.py"
            with _writing(folder / LOADER):
                ready[folder / LOADER].write_bytes(loader_bytes())
        for target in reversed(ready):  # the networks last: none is ever there without its card
            with _writing(target):
                _put(ready[target], target)
    _say(ticket, done, told, why)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Around what does nothing but write: an OSError is the disk's."""
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{target}: cannot be written ({error.strerror})") from error


def card_text(ticket: Ticket, subject: Subject, written: Sequence[Exported], told: Mapping[str, Any]) -> str:
    """The model card of files of one name. told: figures of the network as trained, which files of 8 bits alone do not
    have."""
    from lth_pipeline.recipes.export_figures import figures
    from lth_pipeline.recipes.small import lineage
    from lth_pipeline.reports.model_card import model_card

    if all(one.form.int8 for one in written):
        told = figures(ticket, subject, written[0].checked.correct)
    return model_card(ticket.about, told, [one.described for one in written], *lineage(ticket))


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
    if 1 not in about["image_shape"][1:]:  # no image file holds a signal
        click.echo(f"Use it: lth predict --model {next(iter(done))} IMAGE.png")
