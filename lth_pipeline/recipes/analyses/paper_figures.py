"""What the paper's figures are drawn from: learning curves at chosen densities, and what every training ended with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lth_pipeline.experiments.measures import MEASURES
from lth_pipeline.recipes.analyses.analysis import Found, Part, Rows, Subject
from lth_pipeline.recipes.analyses.networks import Network, comparable, last_round, networks
from lth_pipeline.recipes.workshop import Workshop

MOST_CURVES = 5  # densities whose learning curves are read: each is read and verified with its network's weights
MEASURED = tuple(name for name in MEASURES if name != "seconds")  # what the data versions say, to the bit
CURVE = ("train_loss", "validation_loss", "validation_accuracy", "test_accuracy")


def parts(subject: Subject) -> list[Part]:
    """One part: everything, of all replicates."""
    found = comparable([network for chain in subject.chains for network in networks(subject, chain)])
    if not found:
        return []
    last = max(last_round(subject, chain) for chain in subject.chains)
    rounds = rounds_of_curves(last, subject.experiment.analysis.rounds)

    def compute() -> Found:
        drawn = [network for network in found if network.step.round in rounds]
        return Found({"curves": curves(subject.workshop, drawn), "rounds": measures(found)})

    count = len(subject.chains)
    about = f"{count} replicates" if count > 1 else f"replicate {subject.chains[0].replicate}"
    inputs = {f"{network.key}/{name}": version for network in found for name, version in network.inputs.items()}
    return [Part("paper_figures", about, {"rounds": rounds}, inputs, compute)]


def rounds_of_curves(last: int, asked: Sequence[int] | None = None) -> list[int]:
    """At most MOST_CURVES rounds, the dense network and the deepest among them: of those that the card asks for, else
    of all, evenly, and so evenly over the logarithm of the density."""
    there = list(range(last + 1)) if asked is None else sorted({0, *(round for round in asked if round <= last)})
    if len(there) <= MOST_CURVES:
        return there
    spaces = MOST_CURVES - 1
    return sorted({there[((len(there) - 1) * place + spaces // 2) // spaces] for place in range(MOST_CURVES)})


def curves(workshop: Workshop, of: Iterable[Network]) -> Rows:
    """A row per training and evaluation: replicate, round, arm, draw, density, iteration, train_loss (nats, mean over
    the batches since the evaluation before), validation_loss (nats), validation_accuracy, test_accuracy (0 to 1)."""
    from lth_pipeline.recipes.artifacts import rows_of

    rows = []
    for network in of:
        about = _about(network)
        for row in rows_of(workshop.store.load(network.product.version)):
            rows.append({**about, "iteration": int(row["iteration"]), **{name: row[name] for name in CURVE}})
    return rows


def measures(of: Iterable[Network]) -> Rows:
    """A row per training: replicate, round, arm, draw, density, weights, and what was measured (docs/results.md)."""
    return [
        {**_about(network), "weights": network.columns["weights"]}
        | {name: network.product.facts[name] for name in MEASURED}
        for network in of
    ]


def _about(network: Network) -> dict:
    return {name: network.columns[name] for name in ("replicate", "round", "arm", "draw", "density")}
