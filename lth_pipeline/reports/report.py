"""The report of an experiment: one HTML page that needs nothing else, no network either."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.drawing import svg
from lth_pipeline.reports.figures import accuracy_by_density, early_stop_by_density
from lth_pipeline.reports.table import by_round, differences, notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;color:#222;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:0}h2{margin-top:2.2rem}p.lead{color:#555;margin-top:.2rem}
figure{margin:1rem 0}figcaption{color:#555;font-size:.9rem}svg{max-width:100%;height:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
td,th{padding:.25rem .7rem;border-bottom:1px solid #e5e5e5;text-align:right}
th{border-bottom:2px solid #bbb;text-align:right}td:first-child,th:first-child{text-align:left}
p.note{background:#fff3d6;padding:.4rem .8rem;border-left:4px solid #e69f00}
.wide{overflow-x:auto}code{background:#f4f4f4;padding:.1rem .3rem}
"""


def report(
    name: str,
    description: str,
    subtitle: str,
    frame: pd.DataFrame,
    settings: Mapping[str, object],
    remarks: Sequence[str] = (),
    more: Sequence[tuple[Figure, str]] = (),
) -> str:
    """The page. subtitle: data set, iterations, n and seed; settings: dotted name -> value; remarks: sentences that
    stand above all; more: figures with their captions."""
    controls = [arm for arm in ARMS if arm not in ("dense", "ticket") and (frame["arm"] == arm).any()]
    pictures = [
        (accuracy_by_density(frame, "", "early_stop"), "Test accuracy at the early-stop iteration."),
        (accuracy_by_density(frame, "", "end"), "Test accuracy at the end of training."),
        (early_stop_by_density(frame, ""), "The iteration of least validation loss: the lower, the faster it learned."),
        *more,
    ]
    figures = (f"<figure>{svg(drawn)}<figcaption>{html.escape(said)}</figcaption></figure>" for drawn, said in pictures)
    sections = [
        f"<h1>{html.escape(name)}</h1><p class=lead>{html.escape(description)}<br>{html.escape(subtitle)}</p>",
        *(f"<p class=note>{html.escape(note[0].upper() + note[1:])}.</p>" for note in notes(frame)),
        *(f"<p>{html.escape(remark)}</p>" for remark in remarks),
        *(f"<p>{html.escape(sentence(frame, control))}</p>" for control in controls),
        *figures,
        f"<h2>By round</h2><div class=wide>{_table(frame)}</div>",
        "<h2>Settings</h2><table>"
        + "".join(
            f"<tr><td><code>{html.escape(k)}</code></td><td>{html.escape(str(v))}</td></tr>"
            for k, v in settings.items()
        )
        + "</table>",
    ]
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><style>{STYLE}</style>"
    title = f"<title>{html.escape(name)} · lottery tickets</title>"
    return f"<!doctype html><html lang=en>{head}{title}{''.join(sections)}</html>\n"


def sentence(frame: pd.DataFrame, control: str) -> str:
    """Ticket against `control` at the sparsest round of both, in words, with n and spread; nothing is tested here."""
    paired = differences(frame, control)
    if paired.empty:
        return f"No round has both the ticket and {ARMS[control].title} yet."
    last = paired.iloc[-1]
    spread = f" ± {100 * last['sd']:.2f}" if last["n"] > 1 else ""
    return (
        f"At {100 * last['density']:.1f} % of the weights the winning ticket ends {100 * last['mean']:+z.2f}{spread} "
        f"percentage points of test accuracy from {_named(control)} "
        f"(mean of paired differences{', ± their standard deviation' if spread else ''}; n = {int(last['n'])})."
    )


def _named(arm: str) -> str:
    return f"its {ARMS[arm].title} control" if ARMS[arm].control else f"the {ARMS[arm].title}"


def _table(frame: pd.DataFrame) -> str:
    head = [
        "round",
        "weights",
        "density",
        "arm",
        "n",
        "test accuracy at early stop",
        "at the end",
        "training accuracy",
        "early-stop iteration",
    ]
    rows = []
    for line in by_round(frame).itertuples():
        cells = [
            line.round,
            f"{line.weights:,}",
            f"{100 * line.density:.2f} %",
            ARMS[line.arm].title,
            line.n,
            _with_spread(line.test_accuracy_at_early_stop, line.test_accuracy_at_early_stop_sd, 100, 2),
            _with_spread(line.test_accuracy_at_end, line.test_accuracy_at_end_sd, 100, 2),
            f"{100 * line.train_accuracy_at_end:.2f}",
            _with_spread(line.early_stop_iteration, line.early_stop_iteration_sd, 1, 0),
        ]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "<table><tr>" + "".join(f"<th>{name}</th>" for name in head) + "</tr>" + "".join(rows) + "</table>"


def _with_spread(mean: float, sd: float, scale: float, digits: int) -> str:
    spread = "" if pd.isna(sd) else f" ± {scale * sd:,.{digits}f}"
    return f"{scale * mean:,.{digits}f}{spread}"
