"""Charts of the places where weights survive: in which layers, and at which pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lth_pipeline.reports.analyses.mask_structure_tables import MOST_LAYERS, Tables
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Heat, Lines
from lth_pipeline.reports.over_replicates import DENSITY, Spread, by_density, line
from lth_pipeline.reports.wording import left, written

ALIKE = 0.02  # of a density, which no eye tells apart on the axis
IN_LAYER = "weights remaining in the layer, % (log)"
BRIGHTEST = 0.995  # the share of pixels within the scale: one that stands out would darken all others


def density_of_layers(tables: Tables, about: About) -> Chart | None:
    """A line for each layer; of a network of many layers a field, a row for each."""
    table = tables.layers.assign(arm="ticket")
    names = tables.layer_names
    if len(names) <= MOST_LAYERS:
        spreads = [by_density(table[table["layer"] == name], "ticket", "layer_density", 100.0) for name in names]
        under = [_first_alike(spreads, place) for place in range(len(names))]
        lines = [  # dashed over the line that it lies on, so that both are seen
            line(name, spreads[place], colour=place, style="solid" if under[place] == place else "dashed")
            for place, name in enumerate(names)
        ]
        hidden = [f"{names[place]} on {names[on]}" for place, on in enumerate(under) if on != place]
        panel = Lines(DENSITY, Axis(IN_LAYER, log=True), lines)
    else:
        rounds = sorted({0, *tables.rounds})
        mean = table[table["layer"].isin(names)].groupby(["layer", "round"])["layer_density"].mean()
        values = [[100 * mean.get((name, number), np.nan) or None for number in rounds] for name in names]
        columns = [left(tables.density(number)) for number in rounds]
        x, y = Axis("weights remaining in the network"), Axis("layer")
        panel, hidden = Heat(values, x, y, IN_LAYER, columns, names, log=True, rows_down=True), []
    at_last = table[table["round"] == tables.last].groupby("layer")["layer_density"].mean()
    fewest, most = at_last[names].idxmin(), at_last[names].idxmax()
    return Chart(
        "layer_density",
        f"Density of each layer: {about.head}",
        f"At {left(tables.density(tables.last))} of the weights, {fewest} is the emptiest layer with "
        f"{left(at_last[fewest])} of its weights left and {most} the fullest with {left(at_last[most])}.",
        [panel],
        [
            "What share of each layer's own weights is left as the network is pruned. Layer by layer, the card says "
            "how much goes; in one ranking of all layers it is found out, and a layer may run empty.",
            *([f"Lines that lie on each other are dashed: {', '.join(hidden)}."] if hidden else []),
            "Frankle & Carbin 2019 prune the layers of small networks at one rate (the output layer at half of it) and "
            "all convolutions of VGG-19 and ResNet-18 in one ranking (§4): at one rate the small layers of a deep "
            "network become bottlenecks.",
        ],
        notes=about.notes,
    )


def _first_alike(spreads: Sequence[Spread], place: int) -> int:
    """The first whose means are nearly those of `spreads[place]`, itself where there is none."""
    return next(n for n, other in enumerate(spreads) if np.allclose(other.mean, spreads[place].mean, rtol=ALIKE))


def first_layer(tables: Tables, about: About) -> Chart | None:
    """Of a first layer that reads pixels a map of them; of a convolution its kernel's positions."""
    shown = tables.rounds_to_show(about)
    maps = {number: there for number in shown if (there := tables.arrays_of(number, "pixels"))}
    if maps and len(tables.pixels):
        return _pixels(tables, about, maps)
    kernels = {number: there for number in shown if (there := tables.arrays_of(number, "kernel"))}
    return _kernel(tables, about, kernels) if kernels else None


def _pixels(tables: Tables, about: About, maps: dict[int, list[np.ndarray]]) -> Chart:
    of_round = {number: np.mean([_relative(each) for each in several], 0) for number, several in maps.items()}
    greatest = float(np.quantile(np.stack(list(of_round.values())), BRIGHTEST)) or 1.0
    scale = f"surviving weights, mean pixel = 1 (top: {greatest:.1f} or more)"
    panels = [
        _field(field, scale, f"{left(tables.density(number))} of the weights", (0.0, greatest))
        for number, field in of_round.items()
    ]
    if "data/sd" in tables.arrays:
        deviation = tables.arrays["data/sd"].mean(0)
        panels.append(_field(deviation, "standard deviation of the pixel (0 to 1)", "The training images"))
    pixels = tables.pixels[tables.pixels["round"] == max(maps)]
    unread = (pixels["unread"] / pixels["pixels"]).mean()
    with_sd = pixels["correlation_with_sd"].astype(float).mean()
    said = (
        "all pixels are read by as many weights"
        if np.isnan(with_sd)
        else f"the rank correlation of a pixel's weights with its standard deviation is {written(with_sd, '.2f')}"
    )
    return Chart(
        "pixels",
        f"How many weights of the first layer still read each pixel: {about.head}",
        f"At {left(tables.density(max(maps)))} of the weights, pixels that none reads: {100 * unread:.1f} %; {said}.",
        panels,
        [
            "Surviving outgoing weights of each pixel (of all its channels together), divided by their mean over the "
            "image, on one scale for all rounds; the mean of the replicates. The training images: how much each pixel "
            "varies over them. One that is always the same tells classes apart as little as a bias does.",
            "Frankle & Carbin 2019 (Appendix F, LeNet on MNIST, Adam) find the input's outgoing connections uneven: "
            "many pixels keep a lot of them and some keep few. The digits are centred, and the edges say little.",
        ],
        notes=about.notes,
    )


def _kernel(tables: Tables, about: About, kernels: dict[int, list[np.ndarray]]) -> Chart:
    first = tables.layers[tables.layers["layer"] == tables.layer_names[0]]
    shares = {
        number: np.mean([each.sum(0) * each[0].size / first["size"].iloc[0] for each in several], 0)
        for number, several in kernels.items()
    }
    greatest = 100 * max(float(field.max()) for field in shares.values())
    panels = [
        _field(100 * field, "weights left at the position, %", f"{left(tables.density(number))} of the weights",
               (0.0, greatest), numbers="{:.0f}")
        for number, field in shares.items()
    ]  # fmt: skip
    last = shares[max(shares)]
    return Chart(
        "kernel_positions",
        f"Where in its kernel the first convolution keeps weights: {about.head}",
        f"At {left(tables.density(max(shares)))} of the network's weights positions keep {100 * last.min():.1f} to "
        f"{100 * last.max():.1f} % of theirs, the centre {100 * last[tuple(n // 2 for n in last.shape)]:.1f} %.",
        panels,
        [
            "The share of the first layer's weights that survive at each position of its kernel, over all filters and "
            "channels; the mean of the replicates. It slides over the image, so there is no map of pixels.",
        ],
        columns=3,
        notes=about.notes,
    )


def _relative(counts: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (H, W), of mean 1; zeros where nothing is left."""
    field = counts.sum(0).astype(float)
    return field / field.mean() if field.any() else field


def _field(
    field: np.ndarray, scale: str, title: str, limits: tuple[float, float] | None = None, numbers: str = ""
) -> Heat:
    x, y = Axis("column"), Axis("row")
    across, down = (list(range(1, size + 1)) for size in (field.shape[1], field.shape[0]))
    values = field.tolist()
    return Heat(values, x, y, scale, across, down, limits, square=True, rows_down=True, title=title, numbers=numbers)
