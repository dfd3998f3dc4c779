"""Dense, ticket and control trained again on labels some of which are wrong.

The wrong labels are the same for every network of a replicate, and those of a greater share hold those of a smaller
one. The labels of the validation part are as noisy, for whoever trains on such labels validates on such labels, and
stops early by them; those of the test part are clean. Masks are those that were found on clean labels.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lth_pipeline.recipes.analyses.analysis import Found, Part, Subject
from lth_pipeline.recipes.analyses.networks import (
    Network,
    chosen_rounds,
    comparable,
    data_of,
    load,
    networks,
    retrained,
)
from lth_pipeline.recipes.chain import Chain

if TYPE_CHECKING:
    import torch

    from lth_pipeline.lottery.data import Part as Images

ARMS = ("dense", "ticket", "reinit")


def parts(subject: Subject) -> list[Part]:
    """A part per network and share of wrong labels; of none the training that is in the store."""
    shares = (0.0, *subject.experiment.analysis.noisy_labels)
    return [
        _part(subject, network, share)
        for chain in subject.chains
        for network in comparable(networks(subject, chain, _rounds(subject, chain), ARMS))
        if network.step.draw == 0
        for share in shares
    ]


def _rounds(subject: Subject, chain: Chain) -> list[int]:
    """The dense network, the middle and the last of the chosen rounds that are pruned."""
    pruned = [round for round in chosen_rounds(subject, chain) if round]
    return sorted({0, *([pruned[(len(pruned) - 1) // 2], pruned[-1]] if pruned else [])})


def _part(subject: Subject, network: Network, share: float) -> Part:
    chain, step, recipe = network.chain, network.step, network.product.recipe
    drawn = {"seed": chain.owner(step.round).seed, "classes": chain.facts(step.round).classes} if share else {}
    return Part(
        "label_noise",
        f"replicate {chain.replicate}, round {step.round}, {step.arm}, {share:.0%} of labels wrong",
        {"of": network.columns, "noise": share, "trained_by": recipe.id, **drawn},
        {**recipe.inputs, **network.inputs},
        partial(_learn, subject, network, share) if share else partial(_recorded, subject, network),
    )


def _recorded(subject: Subject, network: Network) -> Found:
    """Of clean labels."""
    from lth_pipeline.recipes.artifacts import rows_of

    facts = network.product.facts
    about = {**network.columns, "noise": 0.0}
    row = {
        **about,
        "early_stop_iteration": facts["early_stop_iteration"],
        "test_accuracy_at_early_stop": facts["test_accuracy_at_early_stop"],
        "test_accuracy_at_end": facts["test_accuracy_at_end"],
        "train_accuracy_on_noisy_labels": facts["train_accuracy_at_end"],
        "train_accuracy_on_clean_labels": facts["train_accuracy_at_end"],
        "memorised": None,
        "recovered": None,
        "flipped": 0,
        "diverged_at": None,
    }
    return Found(
        {"label_noise": [row], "curves": _curve(about, rows_of(subject.workshop.store.load(network.product.version)))}
    )


def _learn(subject: Subject, network: Network, share: float) -> Found:
    import torch

    from lth_pipeline.lottery.analysis.label_noise import fitted
    from lth_pipeline.lottery.training.curve import early_stop
    from lth_pipeline.recipes.route import precision_of
    from lth_pipeline.recipes.training import schedule_of

    workshop, chain, step = subject.workshop, network.chain, network.step
    torch.set_num_threads(workshop.threads)
    clean = data_of(workshop, chain, step.round)
    taught, flipped = _noisy(network, clean.train, "train", share)
    validated, _ = _noisy(network, clean.validation, "validation", share)
    data = replace(
        clean, train=replace(clean.train, labels=taught), validation=replace(clean.validation, labels=validated)
    )
    trained = retrained(workshop, network, data=data)
    best, last, diverged = early_stop(trained.rows), trained.rows[-1], trained.diverged_at is not None
    precision = precision_of(schedule_of(chain, step), taught.device)
    found = fitted(load(workshop, network)[0], trained.weights, clean.train, taught, flipped, precision)
    about = {**network.columns, "noise": share}
    row = {
        **about,
        "early_stop_iteration": best["iteration"],
        "test_accuracy_at_early_stop": best["test_accuracy"],
        "test_accuracy_at_end": None if diverged else last["test_accuracy"],
        "train_accuracy_on_noisy_labels": None if diverged else found.noisy,
        "train_accuracy_on_clean_labels": None if diverged else found.clean,
        "memorised": None if diverged else found.memorised,
        "recovered": None if diverged else found.recovered,
        "flipped": int(flipped.sum()),
        "diverged_at": trained.diverged_at,
    }
    return Found({"label_noise": [row], "curves": _curve(about, trained.rows)})


def _noisy(network: Network, part: Images, which: str, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    from lth_pipeline.lottery.analysis.label_noise import with_noise
    from lth_pipeline.lottery.randomness import generator, stream_seed

    chain, round = network.chain, network.step.round
    seed = stream_seed(chain.owner(round).seed, f"label_noise_{which}", replicate=chain.replicate)
    return with_noise(part.labels, chain.facts(round).classes, share, generator(seed))


def _curve(about: dict, rows: list[dict[str, float]]) -> list[dict]:
    """Of a training: what it validated on, noisy labels where they are, and the clean test part."""
    names = ("iteration", "validation_loss", "validation_accuracy", "test_accuracy")
    return [{**about, **{name: row[name] for name in names}} for row in rows]
