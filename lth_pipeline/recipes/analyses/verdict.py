"""Did a ticket win? Means with intervals, paired differences with tests, what they add up to. docs/verdict.md."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from lth_pipeline.experiments import Experiment
from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.recipes.analyses.analysis import Check, Found, Part, Rows, Subject
from lth_pipeline.recipes.analyses.networks import same_data
from lth_pipeline.recipes.analyses.verdict_checks import checked
from lth_pipeline.recipes.chain import Chain

#: what is judged, the first for the sentence and the checks: Frankle & Carbin 2019 (§1) define a winning ticket by it
JUDGED = {"early_stop": "test_accuracy_at_early_stop", "end": "test_accuracy_at_end"}
MEASURED = (*JUDGED.values(), "train_accuracy_at_end", "early_stop_iteration")
NAMED = ("replicate", "round", "arm", "draw", "diverged_at")  # of a training that diverged
REWOUND = "weights"  # the `rewind.mode` of lottery tickets; those of the others go on from trained weights

#: {(round, arm): {replicate: {measure: mean over its draws}}}
Averages = dict[tuple[int, str], dict[int, dict[str, float]]]


def parts(subject: Subject) -> list[Part]:
    rows, asked = subject.rows(), subject.experiment.analysis
    if not rows:
        return []
    chain, rounds = subject.chains[0], range(max(row["round"] for row in rows) + 1)
    settings = {
        **{"margin": asked.margin, "resamples": asked.resamples, "seed": subject.experiment.seed},
        "modes": [_mode(chain, round) for round in rounds],
        "other_data": [round for round in rounds if not same_data(chain, round)],
    }
    inputs = {
        f"r{row['round']:02d}.{row['arm']}.{row['draw']}.replicate{row['replicate']}": row["data_version"]
        for row in rows
    }
    return [Part("verdict", "all replicates", settings, inputs, lambda: judged(rows, **settings))]


def judged(
    rows: Rows,
    margin: float,
    resamples: int,
    seed: int,
    modes: Sequence[str] = (),
    other_data: Sequence[int] = (),
) -> Found:
    """The tables arms, speed, differences, summary and diverged, of the rows of `results.csv`. Accuracies and their
    differences are shares of 1; of several draws of an arm a replicate has the mean.

    modes: `rewind.mode` of each round from 0 on, or "trained"; a round that is not among them is rewound. other_data:
    rounds that learned other data than the dense network, and so are not held against it.
    """
    from lth_pipeline.lottery.randomness import stream_seed

    averages, how = averaged(rows), (resamples, stream_seed(seed, "bootstrap"))
    modes = {round: mode for round, mode in enumerate(modes) if mode != REWOUND}
    speed = _speed(averages, how, other_data, modes)
    differences = [
        row for measure in JUDGED.values() for row in _differences(averages, measure, margin, how, other_data)
    ]
    lost = [row for row in rows if row["diverged_at"] is not None]
    return Found(
        {
            "summary": _summary(averages, differences, speed, margin, len(lost), modes, other_data),
            "arms": _arms(averages, how),
            "differences": differences,
            "speed": speed,
            "diverged": [{key: row[key] for key in NAMED} for row in lost],
        }
    )


def _mode(chain: Chain, round: int) -> str:
    """`rewind.mode` of a round; "trained" where it returns to the trained weights of a ticket from elsewhere."""
    owner = chain.owner(round)
    tuned = round > 0 and owner.ticket_from is not None and owner.ticket_from.weights == "trained"
    return "trained" if tuned else owner.rewind.mode


def checks(found: Found, experiment: Experiment) -> list[Check]:
    return checked([row for row in found.tables["differences"] if row["measure"] == JUDGED["early_stop"]])


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


def _differences(
    averages: Averages, measure: str, margin: float, how: tuple[int, int], other_data: Sequence[int]
) -> Rows:
    """Ticket minus each other arm, and minus dense, in every round that has both."""
    from lth_pipeline.lottery.analysis import statistics

    found = []
    for against in _others(averages):
        rows, several = [], []
        for round, density, pairs in _paired(averages, against, other_data if against == "dense" else ()):
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


def _speed(averages: Averages, how: tuple[int, int], other_data: Sequence[int], modes: Mapping[int, str]) -> Rows:
    """How many times as many iterations the others take to their early stop as the ticket; not where it goes on from
    weights that are trained already."""
    from lth_pipeline.lottery.analysis.statistics import bootstrap_ratio

    found = []
    for against in _others(averages):
        for round, density, pairs in _paired(averages, against, {*modes, *(other_data if against == "dense" else ())}):
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


def _summary(
    averages: Averages,
    differences: Rows,
    speed: Rows,
    margin: float,
    diverged: int,
    modes: Mapping[int, str],
    other_data: Sequence[int],
) -> Rows:
    """{key, value} of what the sentence says; a key begins with the measure it is of, early_stop or end."""
    tickets = [by_replicate for (_, arm), by_replicate in averages.items() if arm == "ticket"]
    there = [round for round, arm in averages if arm == "ticket"]
    trained = [modes[round] for round in there if round in modes]
    found: dict[str, Any] = {
        "replicates": len({replicate for by_replicate in averages.values() for replicate in by_replicate}),
        "most_pairs": max((row["n"] for row in differences), default=0),
        "fewest_pairs": min((row["n"] for row in differences), default=0),
        "rounds": len(tickets),
        "sparsest": min((one["density"] for by_replicate in tickets for one in by_replicate.values()), default=None),
        "diverged": diverged,
        "margin": margin,
        "reinit": any(row["against"] == "reinit" for row in differences),
        "other_data": sum(round in other_data for round in there),
        "not_rewound": len(trained),
        "rewind_mode": trained[-1] if trained else REWOUND,
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


def _paired(
    averages: Averages, against: str, without: Container[int]
) -> list[tuple[int, float, list[tuple[Mapping, Mapping]]]]:
    """(round, density of the ticket, pairs of ticket and other) of every round with at least one replicate of both;
    without: rounds that are left out."""
    found = []
    for (round, arm), tickets in averages.items():
        others = averages.get((0 if against == "dense" else round, against), {})
        pairs = [(ticket, others[replicate]) for replicate, ticket in tickets.items() if replicate in others]
        if arm == "ticket" and pairs and round not in without:
            found.append((round, _mean([ticket["density"] for ticket, _ in pairs]), pairs))
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _whole(value: float) -> int:
    return int(value + 0.5)
