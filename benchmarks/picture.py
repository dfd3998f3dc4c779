"""docs/pictures/speed.png, from results.json.

python -m benchmarks.picture
"""

from __future__ import annotations

import sys

from benchmarks.machine import ROOT
from benchmarks.results import FOLDER, Figures, ResultsError, read

OURS, PEER, FLOOR = "#2563EB", "#9CA3AF", "#D1D5DB"
DENSITIES = ("0.2", "0.05", "0.01")


def bars(figures: Figures) -> dict[str, list[tuple[str, float, str]]]:
    """{title: (label, times the products' time, colour)} of a step and of an evaluation.

    Raises ResultsError where a figure has not been measured.
    """

    def value(name: str) -> float:
        if figures.get(name, {}).get("value") is None:
            raise ResultsError(f"{FOLDER / 'results.json'}: {name} has not been measured; run python -m benchmarks")
        return figures[name]["value"]

    found = {}
    for kind in ("step", "evaluation"):
        dense = value(f"lenet_{kind}_over_floor")
        found["A training step (batch 60)" if kind == "step" else "An evaluation (15,000 images)"] = [
            ("plain PyTorch loop", dense * value(f"lenet_{kind}_over_peer"), PEER),
            ("matrix products alone", 1.0, FLOOR),
            ("dense", dense, OURS),
            *(
                (f"{float(d):.0%} of the weights", dense * value(f"lenet_{kind}_at_{d}_over_dense"), OURS)
                for d in DENSITIES
            ),
        ]
    return found


def drawn(figures: Figures) -> bytes:
    from matplotlib.figure import Figure

    from lth_pipeline.reports.drawing import INK, png

    picture = Figure(figsize=(8.4, 2.7), facecolor="white", layout="constrained")
    for axes, (title, lines) in zip(picture.subplots(1, 2), bars(figures).items(), strict=True):
        places = range(len(lines), 0, -1)
        axes.barh(places, [times for _, times, _ in lines], color=[colour for *_, colour in lines], height=0.68)
        for place, (_, times, _) in zip(places, lines, strict=True):
            axes.text(times, place, f" {times:.2g}", va="center", fontsize=8, color=INK)
        axes.set_yticks(list(places), [label for label, *_ in lines], fontsize=8.5, color=INK)
        axes.set_xlabel("times the dense network's matrix products", fontsize=8, color=INK)
        axes.set_title(title, fontsize=9.5, loc="left", color=INK)
        axes.set_xlim(0, 1.15 * max(times for _, times, _ in lines))
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", labelsize=8, colors=INK)
    return png(picture)


def main() -> None:
    try:
        (ROOT / "docs" / "pictures" / "speed.png").write_bytes(drawn(read()))
    except ResultsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
