"""The verdict in words, pictures and tables: did a ticket win?"""

from __future__ import annotations

from math import isinf
from typing import Any

import pandas as pd

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.analyses.capped import bounded
from lth_pipeline.reports.analyses.parent import of_parent
from lth_pipeline.reports.analyses.section import About, Findings, Section, Shown
from lth_pipeline.reports.analyses.verdict_charts import ACCURACIES, accuracy, differences_of_pairs, speed
from lth_pipeline.reports.wording import left, written

NOTHING = "There is nothing to judge: no ticket, and no network to hold it against, were trained to their end."
ALONE = (
    "Tickets are not held against the dense network, which learned other data, and there is no other arm to judge by."
)
LEAST, SENSIBLE = 3, 5  # replicates


def section(findings: Findings, about: About) -> Section:
    tables = findings.tables
    summary = tables.get("summary", pd.DataFrame())
    differences = tables.get("differences", pd.DataFrame())
    if differences.empty:
        return Section(sentence(summary))
    said, arms, ratios = known(summary), tables["arms"], tables["speed"]
    margin, other_data = said["margin"], said["other_data"]
    if other_data:
        arms = arms[arms["arm"] != "dense"]
    bounds = bounded(arms, about.experiment) if len(ratios) else ""
    charts = [
        accuracy(arms, about),
        differences_of_pairs(differences, margin, about),
        *([speed(ratios, bounds, about)] if len(ratios) else []),
    ]
    shown = [_shown(differences, measure, margin) for measure in ACCURACIES]
    text = _text(summary, tables.get("diverged", pd.DataFrame()))
    text += [*([bounds] if bounds else []), *of_parent(about, not other_data)]
    return Section(sentence(summary), charts, text, shown)


def sentence(summary: pd.DataFrame) -> str:
    """The verdict in words, of the table `summary` (key, value); by test accuracy at early stop."""
    said = known(summary)
    if not said.get("rounds") or not said["most_pairs"]:
        return ALONE if said.get("other_data") else NOTHING
    fewest, most = said["fewest_pairs"], said["most_pairs"]
    replicates = "1 replicate" if most == 1 else f"{most if fewest == most else f'{fewest} to {most}'} replicates"
    if most < LEAST:
        asked = ["match the dense network"] if _held(said) else []
        asked += ["beat the same mask on fresh weights"] if said["reinit"] else []
        return (
            f"With {replicates} it cannot be told whether tickets {' or '.join(asked) or 'beat their controls'}; at "
            f"least {LEAST} are needed, {SENSIBLE} or more are sensible."
        )
    return (
        f"With {replicates}: {_matching(said, 'early_stop')}{_beating(said, 'early_stop')}. "
        f"{_winning(said, 'early_stop')}"
    )


def _held(said: dict[str, Any]) -> bool:
    """Whether a ticket learned the dense network's data, so that it is held against it."""
    return said["other_data"] < said["rounds"]


def known(summary: pd.DataFrame) -> dict[str, Any]:
    """{key: value} of a table (key, value); what is missing is None, whole numbers are int."""
    if summary.empty:
        return {}
    pairs = zip(summary["key"], summary["value"], strict=True)
    return {key: None if pd.isna(value) else _whole(value) for key, value in pairs}


def _whole(value: Any) -> Any:
    whole = not isinstance(value, bool | str) and float(value).is_integer()
    return int(value) if whole else value


def _matching(said: dict[str, Any], measure: str) -> str:
    within = f"within {100 * said['margin']:g} percentage points of test accuracy {_at(measure)}"
    if not _held(said):
        return "tickets are not held against the dense network, which learned other data"
    if not said[f"{measure}.dense.tested"]:
        return f"whether tickets match the dense network cannot be told: fewer than {LEAST} pairs"
    sparsest = said[f"{measure}.dense.matching.sparsest"]
    if sparsest is not None:
        last = ", the sparsest trained" if sparsest <= said["sparsest"] * 1.001 else ""
        return f"tickets match the dense network ({within}) down to {left(sparsest)} of the weights{last}"
    worse = said[f"{measure}.dense.worse.densest"]
    none = f"no ticket could be shown to match the dense network ({within})"
    return f"{none}, nor to be worse than it" if worse is None else f"{none}; at {left(worse)} it is worse"


def _beating(said: dict[str, Any], measure: str) -> str:
    if not said["reinit"]:
        return "; without the arm reinit it cannot be told whether the original initialisation matters"
    if not said[f"{measure}.reinit.tested"]:
        return f"; whether they beat the same mask on fresh weights cannot be told: fewer than {LEAST} pairs"
    rounds = said[f"{measure}.reinit.better"]
    if not rounds:
        return ", and none could be told apart as better from the same mask on fresh weights"
    dense, sparse = (left(said[f"{measure}.reinit.better.{end}"]) for end in ("densest", "sparsest"))
    where = f"from {dense} down to {sparse}"
    if rounds == 1:
        where = f"at {sparse}"
    elif not said[f"{measure}.reinit.better.unbroken"]:
        where = f"in {rounds} rounds between {dense} and {sparse}"
    who = "and" if said[f"{measure}.dense.matching"] else "and tickets"
    return f", {who} beat the same mask on fresh weights {where} (paired t-test, Holm, p < 0.05)"


def _winning(said: dict[str, Any], measure: str) -> str:
    trained = said["not_rewound"]
    if trained == said["rounds"]:
        return _not_rewound(said)
    also = f" {_not_rewound(said)}" if trained else ""
    if not _held(said):
        return f"So none can be said to win.{also}"
    sparsest = said[f"{measure}.winning.sparsest"]
    if sparsest is None:
        return f"No ticket could be shown to win: to match, to stop no later than dense and to beat its control.{also}"
    speedup = f"{measure}.winning.speedup"
    times, low, high = (said[f"{speedup}.{key}"] for key in ("ratio", "low", "high"))
    open_above = high is None or isinf(high)  # kept as None; without an interval both ends are
    above = "or more" if open_above else f"to {high:.2f}"
    interval = "" if low is None else f" (interval {low:.2f} {above})"
    fast = "" if times is None else f"; dense takes {times:.2f} times as many iterations{interval}"
    if low is not None and low <= 1 and (open_above or high >= 1):
        fast += ", so which of the two is faster is not shown"
    return (
        f"The sparsest winning ticket has {left(sparsest)} of the weights: it matches, beats its control and on "
        f"average comes to its early stop no later than the dense network{fast}.{also}"
    )


def _not_rewound(said: dict[str, Any]) -> str:
    rounds, trained = said["rounds"], said["not_rewound"]
    which = "Tickets" if trained == rounds else f"In {trained} of {rounds} rounds tickets"
    mode = said["rewind_mode"]
    setting = "ticket_from.weights: trained" if mode == "trained" else f"rewind.mode {mode}"
    return (
        f"{which} are not rewound ({setting}): such a ticket goes on from trained weights, is "
        "no winning ticket in the paper's sense, and its early stop is not held against that of others."
    )


def _at(measure: str) -> str:
    return "at early stop" if measure == "early_stop" else "at the end of training"


def _text(summary: pd.DataFrame, diverged: pd.DataFrame) -> list[str]:
    said = known(summary)
    text = [
        "Matching: the one-sided 95 % confidence bound of ticket minus dense, paired by replicate, is not below "
        f"−{100 * said['margin']:g} percentage points; rounds are tested from dense to sparse, and the first that "
        "fails ends the sequence. Better or worse: a two-sided paired t-test, its p corrected over the rounds by "
        "Holm's method, below 0.05. Winning: rewound, matching, early stop on average no later than dense's, and "
        "better than the same mask on fresh weights.",
    ]
    if said["most_pairs"] >= LEAST:
        text.append(f"By test accuracy at the end: {_matching(said, 'end')}{_beating(said, 'end')}.")
    if said["most_pairs"] < LEAST and said["not_rewound"]:  # else the sentence says it
        text.append(_not_rewound(said))
    if said["fewest_pairs"] < SENSIBLE:
        text.append(
            "With so few replicates an interval covers the true mean less often than the 95 % it is called by: about "
            "half of the time with 2 replicates, three times of four with 3. What is not told apart may still differ."
        )
    if not diverged.empty:
        lost = ", ".join(
            f"{row.arm} of round {row.round} in replicate {row.replicate}" for row in diverged.itertuples()
        )
        text.append(f"Diverged, and left out: {lost}.")
    return text


def _shown(differences: pd.DataFrame, measure: str, margin: float) -> Shown:
    own = differences[differences["measure"] == measure]
    rows = [
        [
            left(row["density"]),
            ARMS[row["against"]].title,
            str(row["n"]),
            _with_spread(row["mean"], row["sd"]),
            _interval(row["low"], row["high"]),
            _p(row["p"]),
            _p(row["p_holm"]),
            row["verdict"],
            _answer(row["matching"], row["within_margin"], row["verdict"]) if row["against"] == "dense" else "",
        ]
        for row in own.sort_values("round", kind="stable").to_dict("records")
    ]
    caption = (
        f"Ticket minus other, test accuracy {ACCURACIES[measure]}, percentage points (± standard deviation of the "
        "paired differences); interval: 95 %, by bootstrap (of 2 or 3 pairs the least to the greatest); p of the "
        "paired t-test, and after Holm's correction over the rounds; matching: within "
        f"{100 * margin:g} percentage points of dense, as every denser round."
    )
    columns = ["weights", "against", "n", "difference", "interval", "p", "p (Holm)", "verdict", "matching"]
    return Shown(caption, columns, rows)


def _with_spread(mean: float, sd: float | None) -> str:
    return written(100 * mean, "+.2f") + ("" if pd.isna(sd) else f" ± {100 * sd:.2f}")


def _interval(low: float | None, high: float | None) -> str:
    return "" if pd.isna(low) else f"{written(100 * low, '+.2f')} to {written(100 * high, '+.2f')}"


def _p(value: float | None) -> str:
    if pd.isna(value):
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _answer(matching: Any, alone: Any, verdict: str) -> str:
    """Whether a ticket matches dense; `alone`: whether it would by itself."""
    if pd.isna(matching):
        return "cannot be told"
    if matching:
        return "yes"
    return "not shown (a denser round is not)" if alone else "worse" if verdict == "worse" else "not shown"
