"""Charts of corrupted images: what they look like, and what networks answer to them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.robustness_lines import dense_rule, from_to, lines_by_density
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Heat, Lines
from lth_pipeline.reports.over_replicates import DENSITY, arms_of
from lth_pipeline.reports.wording import left

#: as the paper groups them, and what stands under a picture
GROUPS = {
    "Noise": {"gaussian_noise": "gaussian", "shot_noise": "shot", "impulse_noise": "impulse"},
    "Blur": {"defocus_blur": "defocus", "glass_blur": "glass", "motion_blur": "motion", "zoom_blur": "zoom"},
    "Weather": {"snow": "snow", "frost": "frost", "fog": "fog", "brightness": "brightness"},
    "Digital": {
        "contrast": "contrast",
        "elastic_transform": "elastic",
        "pixelate": "pixelate",
        "jpeg_compression": "JPEG",
    },
}


def corruption_charts(corruptions: pd.DataFrame, arrays: Mapping[str, np.ndarray], about: About) -> list[Chart]:
    charts = [_by_density(corruptions, about), _by_family(corruptions, about)]
    images = next((array for name, array in sorted(arrays.items()) if name.endswith("/corrupted_images")), None)
    return [*charts, *([] if images is None else [_mosaic(images, corruptions, about)])]


def corrupted_means(corruptions: pd.DataFrame) -> pd.DataFrame:
    """A row for each network (replicate, round, arm, density): clean; corrupted, the mean over families and severities;
    lost, the difference. Shares."""
    keys = ["replicate", "round", "arm", "density"]
    is_clean = corruptions["family"] == "clean"
    clean, corrupted = (corruptions[rows].groupby(keys)["accuracy"].mean() for rows in (is_clean, ~is_clean))
    return pd.DataFrame({"clean": clean, "corrupted": corrupted, "lost": clean - corrupted}).reset_index()


def _by_density(corruptions: pd.DataFrame, about: About) -> Chart:
    means = corrupted_means(corruptions)
    panels = []
    for title, column, label in (
        ("Right on corrupted images", "corrupted", "accuracy on corrupted images, %"),
        ("Lost to corruption", "lost", "accuracy on clean less that on corrupted images, percentage points"),
    ):
        lines = lines_by_density(means, column)
        panels.append(Lines(DENSITY, Axis(label), lines, dense_rule(means, column), title))
    severities = ", ".join(str(severity) for severity in sorted(set(corruptions["severity"]) - {0}))
    return Chart(
        "corruption_accuracy",
        f"Accuracy on images corrupted in {corruptions['family'].nunique() - 1} ways: {about.head}",
        "Accuracy on corrupted images from the dense network on the left to the sparsest: "
        f"{from_to(panels[0].lines, '.1f')}.",
        panels,
        [
            f"Mean over all families of corruptions and severities {severities}; the lines set out from the dense "
            "network. Lost to corruption: a network that was worse to begin with loses less easily. Point: mean of "
            "the replicates; band: least to greatest.",
            "Hendrycks & Dietterich 2019 (Benchmarking Neural Network Robustness to Common Corruptions and "
            "Perturbations) corrupt ImageNet's photographs in these ways.",
        ],
        notes=about.notes,
    )


def _by_family(corruptions: pd.DataFrame, about: About) -> Chart:
    """Dense and the arms of the last round."""
    last = corruptions["round"].max()
    at_last = corruptions[corruptions["round"] == last]
    columns = [("dense", corruptions[corruptions["round"] == 0])]
    columns += [(arm, at_last[at_last["arm"] == arm]) for arm in arms_of(at_last)]
    columns = [(arm, rows) for arm, rows in columns if len(rows)]
    families = list(dict.fromkeys(corruptions["family"]))
    means = [
        [float(100 * rows.loc[rows["family"] == family, "accuracy"].mean()) for _, rows in columns]
        for family in families
    ]
    shown = 1 if len(columns) > 1 else 0  # whose best and worst are told
    told = sorted((row[shown], family) for row, family in zip(means, families, strict=True) if family != "clean")
    worst, best = told[0], told[-1]
    where = f"at {left(at_last['density'].mean())} of the weights" if last else "of the dense network"
    panel = Heat(
        means,
        Axis("network"),
        Axis("corruption"),
        "accuracy, %",
        [ARMS[arm].title for arm, _ in columns],
        [_name(family) for family in families],
        limits=(0, 100),
        numbers="{:.1f}",
        rows_down=True,
    )
    return Chart(
        "corruption_families",
        f"Accuracy by family of corruption, {where}: {about.head}",
        "A table of colours, a row for each corruption and a column for each network. The "
        f"{ARMS[columns[shown][0]].title} is worst on {_name(worst[1])} ({worst[0]:.1f} %) and best on "
        f"{_name(best[1])} ({best[0]:.1f} %).",
        [panel],
        [
            "Mean over severities and replicates, in per cent; the first row is of the same images uncorrupted. "
            "All networks but the dense one have the same share of weights.",
        ],
        columns=1,
        notes=about.notes,
    )


def _name(family: str) -> str:
    return family.replace("_", " ").replace("jpeg", "JPEG")


def _mosaic(images: np.ndarray, corruptions: pd.DataFrame, about: About) -> Chart:
    """images: uint8 (1 + families × severities, h, w): clean, then family by family, severity by severity."""
    seen = [(family, severity) for family, severity in zip(corruptions["family"], corruptions["severity"], strict=True)]
    of = dict(zip(dict.fromkeys(seen), images, strict=True))
    severities = [0, *sorted(set(corruptions["severity"]) - {0})]
    panels = []
    for title, names in GROUPS.items():
        there = [family for family in names if (family, severities[-1]) in of]
        if not there:
            continue
        rows = [
            [of["clean", 0] if severity == 0 else of[family, severity] for family in there] for severity in severities
        ]
        panels.append(_tiles(rows, [names[family] for family in there], severities, title))
    return Chart(
        "corrupted_images",
        f"One test image, corrupted: {about.head}",
        f"The same test image in columns for each corruption, {len(panels)} groups of them; clean in the first row, "
        "more and more corrupted below.",
        panels,
        [
            "What the networks were asked about: the first of the drawn images, its brightness in colours (0 black, 1 "
            "white; one scale for all). Severities have the strengths of the paper, which are made for photographs of "
            "224 pixels; small images are enlarged for what reaches over pixels, so that they can still be told apart.",
        ],
        notes=about.notes,
    )


def _tiles(rows: list[list[np.ndarray]], names: list[str], severities: list[int], title: str) -> Heat:
    """Images side by side with a line of empty cells between them."""
    high, wide = rows[0][0].shape
    field: list[list[float | None]] = []
    for images in rows:
        for line_of in range(high):
            joined: list[float | None] = []
            for image in images:
                joined += [*(float(value) / 255 for value in image[line_of]), None]
            field.append(joined[:-1])
        field.append([None] * len(field[-1]))
    field.pop()
    across = [(place * (wide + 1) + (wide - 1) / 2, name) for place, name in enumerate(names)]
    down = [
        (place * (high + 1) + (high - 1) / 2, str(severity) if severity else "clean")
        for place, severity in enumerate(severities)
    ]
    return Heat(
        field,
        Axis("corruption", ticks=across),
        Axis("severity", ticks=down),
        "brightness of a pixel, 0 to 1",
        [float(place) for place in range(len(field[0]))],
        [float(place) for place in range(len(field))],
        limits=(0, 1),
        square=True,
        rows_down=True,
        title=title,
    )
