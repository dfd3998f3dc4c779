"""What finding a ticket took, and what it saves: iterations, operations, seconds, energy. docs/verdict.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

from lth_pipeline.lottery.models import Model
from lth_pipeline.recipes.analyses.analysis import Found, Part, Rows, Subject
from lth_pipeline.recipes.analyses.networks import last_round, same_data
from lth_pipeline.recipes.analyses.power import device, watts
from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.lineage import related
from lth_pipeline.recipes.registry import published_tickets
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.workshop import Product, Seen, Workshop

JOULES = 3.6e6  # in a kWh

#: {experiment: (its network, image shape)}
Networks = dict[str, tuple[Model, tuple[int, ...]]]


@dataclass(frozen=True)
class Training:
    """One that was run. name: of its experiment where that is another, then round, arm, draw and replicate. network: a
    key of `Networks`. counts: weights in use, by weight name; None where that is not asked."""

    name: str
    version: str
    mask: Product | None
    facts: Mapping[str, Any]
    watts: float
    device: str
    network: str
    batch_size: int
    counts: Mapping[str, int] | None

    @property
    def energy(self) -> float:
        """kWh."""
        return self.facts["seconds"] * self.watts / JOULES


@dataclass(frozen=True)
class Spent:
    """Of one replicate and round. before: the trainings that led to its ticket. others: the other arms' trainings.
    never: why no use of the ticket can pay that back; None where one can."""

    replicate: int
    round: int
    density: float
    weights: int
    own: Training
    before: Sequence[Training]
    others: Sequence[Training]
    never: str | None


def parts(subject: Subject) -> list[Part]:
    networks: Networks = {}
    spent = [one for chain in subject.chains for one in _spent(subject, chain, networks)]
    if not spent:
        return []
    every = {each.name: each for one in spent for each in (one.own, *one.before, *one.others)}
    cards = subject.chains[0].cards
    settings = {
        "measured": {name: [each.facts["seconds"], each.watts] for name, each in every.items()},
        "devices": sorted({each.device for each in every.values()}),
        "batch_sizes": {name: each.batch_size for name, each in every.items()},
        "networks": {
            name: [cards[name].model.model_dump(mode="json", exclude_none=True), shape]
            for name, (_, shape) in networks.items()
        },
        "before": {f"r{one.round:02d}": sorted(_of_any_replicate(each) for each in one.before) for one in spent},
        "never": {f"r{one.round:02d}": one.never for one in spent if one.never},
    }
    inputs = {name: each.version for name, each in every.items()}
    inputs |= {f"{name}.mask": each.mask.version for name, each in every.items() if each.mask}
    return [Part("cost", "all replicates", settings, inputs, lambda: costs(spent, networks))]


def costs(spent: Sequence[Spent], networks: Networks) -> Found:
    """The tables cost (a row per round, means over replicates that did not diverge) and summary. Operations are as
    `lottery/analysis/flops` counts them; energy in kWh."""
    from lth_pipeline.lottery.analysis import flops

    used = {name: flops.places(model, shape) for name, (model, shape) in networks.items()}
    whole = {name: flops.dense_counts(model) for name, (model, _) in networks.items()}

    def forward(training: Training, dense: bool = False) -> float:
        counts = whole[training.network] if dense else training.counts
        return float(flops.forward(used[training.network], counts))

    def in_training(training: Training, dense: bool = False) -> float:
        return flops.training(forward(training, dense), training.batch_size, training.facts["iterations"])

    ended = [one for one in spent if "diverged_at" not in one.own.facts]
    dense = {one.replicate: one.own for one in ended if one.round == 0}
    by_round: dict[int, Rows] = {}
    for one in ended:
        if one.replicate in dense:
            row = _of_one(one, dense[one.replicate], forward, in_training)
            by_round.setdefault(one.round, []).append(row)
    table = [_meant(rows) for _, rows in sorted(by_round.items())]
    every = {each.name: each for one in spent for each in (one.own, *one.before, *one.others)}
    return Found({"summary": _summary(table, list(every.values())), "cost": table})


def _of_one(
    one: Spent, dense: Training, forward: Callable[..., float], in_training: Callable[..., float]
) -> dict[str, Any]:
    own, saved = one.own, {}
    row = {
        "round": one.round,
        "density": one.density,
        "weights": one.weights,
        "search_trainings": len(one.before),
        "search_iterations": sum(each.facts["iterations"] for each in one.before),
        "search_flops_dense": sum(in_training(each, dense=True) for each in one.before),
        "search_flops_masked": sum(in_training(each) for each in one.before),
        "search_seconds": sum(each.facts["seconds"] for each in one.before),
        "search_kwh": sum(each.energy for each in one.before),
        "forward_flops_dense": forward(dense),
        "forward_flops_masked": forward(own),
        "training_flops_dense": in_training(dense),
        "training_flops_masked": in_training(own),
        "dense_seconds": dense.facts["seconds"],
        "seconds": own.facts["seconds"],
        "dense_early_stop": dense.facts["early_stop_iteration"],
        "early_stop": own.facts["early_stop_iteration"],
        "controls_iterations": sum(each.facts["iterations"] for each in one.others),
        "controls_seconds": sum(each.facts["seconds"] for each in one.others),
        "controls_kwh": sum(each.energy for each in one.others),
    }
    if one.never == OTHER_DATA:
        row |= dict.fromkeys(OF_DENSE)
    for name, (spent, before, after) in PAYBACKS.items():
        compared = one.round and one.never is None
        saved[name] = pays_back(row[spent], row[before] - row[after]) if compared else None
    return row | saved | {"never": one.never}


#: why no payback is told: the ticket goes on from weights that only the search has, dense did another task, or the
#: search was made where the ticket was published
NOT_REWOUND, OTHER_DATA, PUBLISHED = "not rewound", "other data", "published"
OF_DENSE = ("forward_flops_dense", "training_flops_dense", "dense_seconds", "dense_early_stop")


#: how often the ticket must be used until what finding it took is saved: (spent, of dense, of the ticket)
PAYBACKS = {
    "payback_flops": ("search_flops_masked", "training_flops_dense", "training_flops_masked"),
    "payback_flops_dense_search": ("search_flops_dense", "training_flops_dense", "training_flops_masked"),
    "payback_early_stop": ("search_iterations", "dense_early_stop", "early_stop"),
    "payback_seconds": ("search_seconds", "dense_seconds", "seconds"),
    "payback_images_dense_search": ("search_flops_dense", "forward_flops_dense", "forward_flops_masked"),
    "payback_images": ("search_flops_masked", "forward_flops_dense", "forward_flops_masked"),
}
SPREAD = ("search_seconds", "seconds", "dense_seconds", "early_stop")  # those that have a standard deviation


def pays_back(spent: float, saved: float) -> float | None:
    """How many uses that save `saved` each make up for `spent`; None where they never do."""
    return spent / saved if saved > 0 else None


def _meant(rows: Rows) -> dict[str, Any]:
    """Means over replicates; of paybacks, that of the means, the least, and the greatest (None: in one, never)."""
    meant: dict[str, Any] = {"round": rows[0]["round"], "n": len(rows)}
    meant |= {name: _mean([row[name] for row in rows]) for name in rows[0] if name not in (*PAYBACKS, "round")}
    meant |= {
        f"{name}_sd": stdev(row[name] for row in rows) if len(rows) > 1 and meant[name] is not None else None
        for name in SPREAD
    }
    for name, (spent, before, after) in PAYBACKS.items():
        each = [row[name] for row in rows]
        found = [one for one in each if one is not None]
        compared = meant["round"] and meant["never"] is None
        meant[name] = pays_back(meant[spent], meant[before] - meant[after]) if compared else None
        meant[f"{name}_low"] = min(found, default=None)
        meant[f"{name}_high"] = None if None in each else max(found)
    return meant


def _mean(values: Sequence[float]) -> float:
    """A whole number where all are the same one."""
    return values[0] if len(set(values)) == 1 else fmean(values)


def _summary(table: Rows, every: Sequence[Training]) -> Rows:
    found = {
        "replicates": max((row["n"] for row in table), default=0),
        "rounds": sum(row["round"] > 0 for row in table),
        "trainings": len(every),
        "seconds": sum(each.facts["seconds"] for each in every),
        "kwh": sum(each.energy for each in every),
        "devices": "; ".join(sorted({each.device for each in every})),
    }
    return [{"key": key, "value": value} for key, value in found.items()]


def _spent(subject: Subject, chain: Chain, networks: Networks) -> list[Spent]:
    """Of every round of one replicate whose dense network, or ticket, is trained."""
    seen, found = {}, []

    def training(home: Chain, step: Step) -> Training | None:
        whose = "" if home is chain else f"{home.name}:"
        seen_there = seen if home is chain else seen.setdefault(home.name, {})
        return _training(subject.workshop, home, step, networks, seen_there, whose)

    for round in range(last_round(subject, chain) + 1):
        main = chain.main(round)
        own = training(chain, main)
        before = [training(home, step) for home, step in led_to(chain, main)]
        if own is None or None in before:
            continue
        others = [training(chain, step) for step in chain.trainings(round) if step != main]
        size = own.mask.facts if own.mask else {"density": chain.rung(0).density, "weights": chain.rung(0).weights}
        found.append(
            Spent(
                **{"replicate": chain.replicate, "round": round, "own": own},
                **{"density": size["density"], "weights": size["weights"]},
                before=list({each.version: each for each in before}.values()),
                others=[each for each in others if each is not None],
                never=_never(chain, round),
            )
        )
    return found


def _never(chain: Chain, round: int) -> str | None:
    if not same_data(chain, round):
        return OTHER_DATA
    if round and published_tickets(related(chain.cards, chain.name)):
        return PUBLISHED
    origin = chain.owner(round).ticket_from
    from_trained = chain.owner(round).rewind.mode != "weights" or (origin and origin.weights == "trained")
    return NOT_REWOUND if round and from_trained else None


def led_to(chain: Chain, step: Step) -> list[tuple[Chain, Step]]:
    """The trainings that `step` comes of, itself not among them, whichever experiments they are of."""
    found: dict[tuple[str, Step], Chain] = {}
    waiting = [(chain, step)]
    while waiting:
        home, one = waiting.pop()
        for source in home.inputs(one).values():
            where = home.other(source.of) if source.of else home
            source = replace(source, of="")
            if (where.name, source) not in found:
                found[where.name, source] = where
                waiting.append((where, source))
    return [(where, source) for (_, source), where in found.items() if source.trains]


def _of_any_replicate(training: Training) -> str:
    return training.name.rpartition(".")[0]


def _training(
    workshop: Workshop, chain: Chain, step: Step, networks: Networks, seen: Seen, whose: str
) -> Training | None:
    product = workshop.look_up(chain, step, seen)
    if product is None:
        return None
    under = chain.mask(step) if step.kind == "trained" else None
    mask = workshop.look_up(chain, under, seen) if under else None
    owner, route = chain.owner(step.round), product.record["route"]
    if owner.name not in networks:
        networks[owner.name] = chain.model(step.round), chain.facts(step.round).image_shape
    layers = networks[owner.name][0].layers
    counts = mask.facts["counts"] if mask else {layer.weight: layer.size for layer in layers}
    what = f"rewind{step.iteration}" if step.kind == "rewind_weights" else f"r{step.round:02d}.{step.arm}.{step.draw}"
    return Training(
        **{"name": f"{whose}{what}.replicate{chain.replicate}", "version": product.version, "mask": mask},
        **{"facts": product.facts, "watts": watts(route), "device": device(route), "network": owner.name},
        **{"batch_size": owner.training.batch_size, "counts": None if step.arm == "dense_small" else counts},
    )
