"""Did a ticket win? Means with intervals, paired differences with tests, what they add up to. docs/verdict.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.recipes.analyses.analysis import Check, Found, Part, Rows, Subject

#: what is judged, the first for the sentence and the checks: Frankle & Carbin 2019 (§1) define a winning ticket by it
JUDGED = {"early_stop": "test_accuracy_at_early_stop", "end": "test_accuracy_at_end"}
MEASURED = (*JUDGED.values(), "train_accuracy_at_end", "early_stop_iteration")
NAMED = ("replicate", "round", "arm", "draw", "diverged_at")  # of a training that diverged
SPARSE, FAIRLY_SPARSE = 0.05, 0.20  # the densities that the checks ask about

#: {(round, arm): {replicate: {measure: mean over its draws}}}
Averages = dict[tuple[int, str], dict[int, dict[str, float]]]


def parts(subject: Subject) -> list[Part]:
    rows, asked = subject.rows(), subject.experiment.analysis
    if not rows:
        return []
    settings = {"margin": asked.margin, "resamples": asked.resamples, "seed": subject.experiment.seed}
    inputs = {
        f"r{row['round']:02d}.{row['arm']}.{row['draw']}.replicate{row['replicate']}": row["data_version"]
        for row in rows
    }
    return [Part("verdict", "all replicates", settings, inputs, lambda: judged(rows, **settings))]


def judged(rows: Rows, margin: float, resamples: int, seed: int) -> Found:
    """The tables arms, speed, differences, summary and diverged, of the rows of `results.csv`. Accuracies and their
    differences are shares of 1; of several draws of an arm a replicate has the mean."""
    from lth_pipeline.lottery.randomness import stream_seed

    averages, how = averaged(rows), (resamples, stream_seed(seed, "bootstrap"))
    speed = _speed(averages, how)
    differences = [row for measure in JUDGED.values() for row in _differences(averages, measure, margin, how)]
    lost = [row for row in rows if row["diverged_at"] is not None]
    return Found(
        {
            "summary": _summary(averages, differences, speed, margin, len(lost)),
            "arms": _arms(averages, how),
            "differences": differences,
            "speed": speed,
            "diverged": [{key: row[key] for key in NAMED} for row in lost],
        }
    )


def checks(found: Found, experiment: Experiment) -> list[Check]:
    judged = [row for row in found.tables["differences"] if row["measure"] == JUDGED["early_stop"]]
    beats = [row for row in judged if row["against"] == "reinit" and row["density"] <= SPARSE]
    matches = [row for row in judged if row["against"] == "dense" and row["density"] <= FAIRLY_SPARSE]
    return [
        *([_check("ticket_beats_reinit", beats, _beats)] if beats else []),
        *([_check("ticket_matches_dense", matches, _matches)] if matches else []),
    ]


def averaged(rows: Rows) -> Averages:
    """What did not diverge, draws averaged, by round, arm and replicate; arms in the order of ARMS."""
    draws: dict[tuple[int, str], dict[int, Rows]] = {}
    order = list(ARMS)
    for row in sorted(rows, key=lambda row: (row["round"], order.index(row["arm"]), row["replicate"], row["draw"])):
        if row["diverged_at"] is None:
            draws.setdefault((row["round"], row["arm"]), {}).setdefault(row["replicate"], []).append(row)
    return {
        place: {
            replicate: {name: _mean([row[name] for row in several]) for name in ("density", "weights", *MEASURED)}
            for replicate, several in by_replicate.items()
        }
        for place, by_replicate in draws.items()
    }


def _arms(averages: Averages, how: tuple[int, int]) -> Rows:
    from lth_pipeline.lottery.analysis.statistics import bootstrap_interval, spread

    found = []
    for (round, arm), by_replicate in averages.items():
        size = {name: _mean([one[name] for one in by_replicate.values()]) for name in ("density", "weights")}
        for measure in MEASURED:
            values = [one[measure] for one in by_replicate.values()]
            low, high = bootstrap_interval(values, *how) or (None, None)
            found.append(
                {
                    **{"round": round, "arm": arm, "density": size["density"], "weights": _whole(size["weights"])},
                    **{"measure": measure, "n": len(values), "mean": _mean(values), "sd": spread(values)},
                    **{"low": low, "high": high},
                }
            )
    return found


def _differences(averages: Averages, measure: str, margin: float, how: tuple[int, int]) -> Rows:
    """Ticket minus each other arm, and minus dense, in every round that has both."""
    from lth_pipeline.lottery.analysis import statistics

    found = []
    for against in _others(averages):
        rows, several = [], []
        for round, density, pairs in _paired(averages, against):
            differences = [ticket[measure] - other[measure] for ticket, other in pairs]
            low, high = statistics.bootstrap_interval(differences, *how) or (None, None)
            several.append(differences)
            rows.append(
                {
                    **{"round": round, "density": density, "against": against, "measure": measure, "n": len(pairs)},
                    **{"mean": _mean(differences), "sd": statistics.spread(differences), "low": low, "high": high},
                }
            )
        ps = [statistics.paired_p(differences) for differences in several]
        within = [statistics.non_inferior(differences, margin) for differences in several]
        columns = zip(rows, several, ps, statistics.holm(ps), within, statistics.in_sequence(within), strict=True)
        for row, differences, p, corrected, alone, matching in columns:
            row |= {"p": p, "p_holm": corrected, "verdict": statistics.verdict(row["mean"], corrected)}
            of_dense = (statistics.lower_bound(differences), alone, matching) if against == "dense" else (None,) * 3
            row |= dict(zip(("lower_bound", "within_margin", "matching"), of_dense, strict=True))
        found += rows
    return found


def _speed(averages: Averages, how: tuple[int, int]) -> Rows:
    """How many times as many iterations the others take to their early stop as the ticket."""
    from lth_pipeline.lottery.analysis.statistics import bootstrap_ratio

    found = []
    for against in _others(averages):
        for round, density, pairs in _paired(averages, against):
            own, other = ([one["early_stop_iteration"] for one in side] for side in zip(*pairs, strict=True))
            low, high = bootstrap_ratio(other, own, *how) or (None, None)
            found.append(
                {
                    **{"round": round, "density": density, "against": against, "n": len(pairs)},
                    **{"ticket_iteration": _mean(own), "other_iteration": _mean(other)},
                    **{"ratio": _mean(other) / _mean(own) if any(own) else None, "low": low, "high": high},
                }
            )
    return found


def _summary(averages: Averages, differences: Rows, speed: Rows, margin: float, diverged: int) -> Rows:
    """{key, value} of what the sentence says; a key begins with the measure it is of, early_stop or end."""
    tickets = [by_replicate for (_, arm), by_replicate in averages.items() if arm == "ticket"]
    found: dict[str, Any] = {
        "replicates": len({replicate for by_replicate in averages.values() for replicate in by_replicate}),
        "most_pairs": max((row["n"] for row in differences), default=0),
        "fewest_pairs": min((row["n"] for row in differences), default=0),
        "rounds": len(tickets),
        "sparsest": min((one["density"] for by_replicate in tickets for one in by_replicate.values()), default=None),
        "diverged": diverged,
        "margin": margin,
        "reinit": any(row["against"] == "reinit" for row in differences),
    }
    by_dense = {row["round"]: row for row in speed if row["against"] == "dense"}
    for name, measure in JUDGED.items():
        of = {
            against: [row for row in differences if (row["measure"], row["against"]) == (measure, against)]
            for against in ("dense", "reinit")
        }
        matching = [row for row in of["dense"] if row["matching"]]
        better = [row for row in of["reinit"] if row["verdict"] == "better"]
        fast = {round for round, row in by_dense.items() if row["ticket_iteration"] <= row["other_iteration"]}
        beaten = {row["round"] for row in better}
        winning = [row for row in matching if row["round"] in fast & beaten]
        gain = by_dense[winning[-1]["round"]] if winning else {}
        own = {
            "dense.tested": sum(row["p"] is not None for row in of["dense"]),
            "dense.matching": len(matching),
            "dense.matching.sparsest": matching[-1]["density"] if matching else None,
            "dense.within_margin_alone": sum(bool(row["within_margin"]) for row in of["dense"]),
            **_counted("dense.worse", [row for row in of["dense"] if row["verdict"] == "worse"]),
            "reinit.tested": sum(row["p"] is not None for row in of["reinit"]),
            **_counted("reinit.better", better),
            "reinit.better.unbroken": bool(better) and better[-1]["round"] - better[0]["round"] == len(better) - 1,
            "reinit.worse": sum(row["verdict"] == "worse" for row in of["reinit"]),
            **_counted("winning", winning),
            **{f"winning.speedup.{key}": gain.get(key) for key in ("ratio", "low", "high")},
        }
        found |= {f"{name}.{key}": value for key, value in own.items()}
    return [{"key": key, "value": value} for key, value in found.items()]


def _counted(name: str, rows: Rows) -> dict[str, Any]:
    return {
        name: len(rows),
        f"{name}.densest": rows[0]["density"] if rows else None,
        f"{name}.sparsest": rows[-1]["density"] if rows else None,
    }


def _others(averages: Averages) -> list[str]:
    """What the ticket is held against: the dense network, then the other arms that there are."""
    there = {arm for _, arm in averages}
    return [arm for arm in ARMS if arm != "ticket" and arm in there]


def _paired(averages: Averages, against: str) -> list[tuple[int, float, list[tuple[Mapping, Mapping]]]]:
    """(round, density of the ticket, pairs of ticket and other) of every round with at least one replicate of both."""
    found = []
    for (round, arm), tickets in averages.items():
        others = averages.get((0 if against == "dense" else round, against), {})
        pairs = [(ticket, others[replicate]) for replicate, ticket in tickets.items() if replicate in others]
        if arm == "ticket" and pairs:
            found.append((round, _mean([ticket["density"] for ticket, _ in pairs]), pairs))
    return found


def _check(name: str, rows: Rows, judge) -> Check:
    """Of rounds that are sparse enough; `judge` gives what it is called, and the rows that have it."""
    if all(row["p"] is None for row in rows):
        most = max(row["n"] for row in rows)
        pairs = "1 pair" if most == 1 else f"{most} pairs"
        return Check(name, False, f"Too few replicates to tell: {pairs} in a round, and at least 3 are needed.")
    return Check(name, *judge(rows))


def _beats(rows: Rows) -> tuple[bool, str]:
    better = [row for row in rows if row["verdict"] == "better"]
    nearest = min((row for row in rows if row["p"] is not None), key=lambda row: (row["mean"] <= 0, row["p_holm"]))
    one = better[-1] if better else nearest
    said = "" if better else f"No ticket at {100 * SPARSE:g} % of the weights or fewer is told apart as better. "
    return bool(better), (
        f"{said}{'At' if better else 'The nearest: at'} {_percent(one['density'])} it stops {_points(one['mean'])} "
        f"of test accuracy from its control (n = {one['n']}, p = {one['p_holm']:.2g} after Holm's correction)."
    )


def _matches(rows: Rows) -> tuple[bool, str]:
    matching = [row for row in rows if row["matching"]]
    if matching:
        last = matching[-1]
        return True, (
            f"At {_percent(last['density'])}, and in every denser round, the lower bound of ticket minus dense lies "
            f"within the margin: there at {_points(last['lower_bound'])} (n = {last['n']})."
        )
    alone = [_percent(row["density"]) for row in rows if row["within_margin"]]
    first = rows[0]
    bound = "not known" if first["lower_bound"] is None else _points(first["lower_bound"])
    by_itself = f"; by themselves {', '.join(alone)} would pass, but a denser round did not" if alone else ""
    return False, (
        f"No ticket at {100 * FAIRLY_SPARSE:g} % of the weights or fewer is shown to match: at "
        f"{_percent(first['density'])} the lower bound of ticket minus dense is {bound} (n = {first['n']}){by_itself}."
    )


def _percent(density: float) -> str:
    return f"{100 * density:.1f} %"


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f} percentage points"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _whole(value: float) -> int:
    return int(value + 0.5)
