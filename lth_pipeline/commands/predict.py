"""`lth predict`"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from lth_pipeline.lottery.data.images.source import shown

if TYPE_CHECKING:
    import numpy as np

    from lth_pipeline.predicting import Prediction, Predictor


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE…")
@click.option(
    "--model",
    required=True,
    metavar="MODEL",
    help="a .onnx, .pt2 or .safetensors file (lth export), or registry:NAME@ALIAS (lth publish)",
)
@click.option("--top", type=click.IntRange(min=1), default=3, show_default=True, help="classes that are named")
@click.option("--resize", is_flag=True, help="crop the centre of an image of another size, and scale it")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def predict(images, model, top, resize, form) -> int:
    """What a winning ticket takes each IMAGE for, and its probability.

    Bad images are told apart from the others, which are predicted all the same; the exit status is 1 then.
    """
    from lth_pipeline.predicting import load

    predictor = load(model)
    good: list[str] = []
    prepared = _prepared(predictor, images, resize, good)
    found = list(predictor.predictions(prepared, top))  # which fills `good` as it goes
    if found or form != "table":
        FORMS[form](list(zip(good, found, strict=True)))
    return 0 if len(good) == len(images) else 1


def _prepared(predictor: Predictor, images: Sequence[str], resize: bool, good: list[str]) -> Iterator[np.ndarray]:
    """What can be predicted; `good` gets the names, the screen the errors of the others."""
    from lth_pipeline.predicting import ImageError

    for name in images:
        try:
            image = predictor.prepared(name, resize)
        except ImageError as error:
            click.echo(f"lth: {error}", err=True)
            continue
        good.append(name)
        yield image


def _table(found: Sequence[tuple[str, Prediction]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("image", overflow="fold")
    table.add_column("class", overflow="fold")
    table.add_column("probability", justify="right", no_wrap=True)
    if len(found[0][1].top) > 1:
        table.add_column("next", overflow="fold")
    for name, prediction in found:
        others = ", ".join(f"{shown(other)} {probability:.1%}" for other, probability in prediction.top[1:])
        cells = [shown(name), shown(prediction.name), f"{prediction.probability:.1%}", *([others] if others else [])]
        table.add_row(*cells)
    Console(markup=False).print(table)


def _json(found: Sequence[tuple[str, Prediction]]) -> None:
    import json

    rows = [
        {
            "image": name,
            "class": prediction.name,
            "probability": prediction.probability,
            "top": [{"class": other, "probability": probability} for other, probability in prediction.top],
        }
        for name, prediction in found
    ]
    click.echo(json.dumps(rows, indent=1))


def _csv(found: Sequence[tuple[str, Prediction]]) -> None:
    """A line for each class that is named, likeliest first."""
    import csv
    import sys

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["image", "rank", "class", "probability"])
    for name, prediction in found:
        for rank, (other, probability) in enumerate(prediction.top, start=1):
            writer.writerow([shown(name), rank, shown(other), probability])


FORMS = {"table": _table, "json": _json, "csv": _csv}
