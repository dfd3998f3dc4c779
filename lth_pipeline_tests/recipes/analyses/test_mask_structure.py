"""What the masks of chains in a real store are like: every kind of network, pruning and arm."""

from dataclasses import replace

import pytest
import torch

from lth_pipeline.lottery.analysis.overlap import overlaps
from lth_pipeline.recipes import Step
from lth_pipeline.recipes.analyses.analysis import Subject, found_of, joined, look_up, make, tensors_of
from lth_pipeline.recipes.analyses.mask_structure import parts
from lth_pipeline.recipes.training import data_for
from lth_pipeline_tests.recipes.making import ARMS, card, load, made, weights_left, workshop_in

RESNET = {"name": "resnet_cifar", "depth": 8, "filters": 4, "widths": None}
SHORT = {"iterations": 4, "step_at": [3]}
EARLY = {"find_early": True, "early_bird": {"distance": 0.4, "checks": 1}, "training": {}}


def subject_of(folder, replicates: int = 1, name: str = "tiny", **cards) -> Subject:
    """Everything of the card `name` made."""
    workshop = workshop_in(folder / "store")
    settings = load(folder / "cards", **cards)
    chains = [workshop.chain(settings, name, replicate) for replicate in range(replicates)]
    for chain in chains:
        for round in range(settings[name].pruning.rounds + 1):
            for step in chain.trainings(round):
                workshop.make(chain, step)
    return Subject(workshop, chains)


def found_in(subject: Subject):
    found = joined(make(subject.workshop, part).found for part in parts(subject))
    assert found_of(tensors_of(found)).tables == found.tables
    return found


def rows_of(found, table: str, **of) -> list[dict]:
    return [row for row in found.tables[table] if all(row[name] == value for name, value in of.items())]


def only(found, table: str, **of) -> dict:
    (row,) = rows_of(found, table, **of)
    return row


@pytest.fixture(scope="module")
def subject(tmp_path_factory) -> Subject:
    return subject_of(tmp_path_factory.mktemp("masks"), 2, tiny=card(arms=ARMS, replicates=2))


@pytest.fixture(scope="module")
def found(subject):
    return found_in(subject)


def test_densities_and_degrees_are_those_of_the_masks(subject, found):
    for chain in subject.chains:
        of = made(subject.workshop, chain.cards, "tiny", chain.replicate)
        for round in (1, 2):
            left = weights_left(of.mask(round))
            about = {"replicate": chain.replicate, "round": round, "arm": "ticket"}
            for layer in chain.model(round).layers:
                row = only(found, "layers", layer=layer.name, **about)
                assert (row["left"], row["size"]) == (left[layer.weight], layer.size)
                units = only(found, "units", layer=layer.name, **about)
                assert units["mean_in"] * units["units"] == pytest.approx(row["left"])
                bins = rows_of(found, "degrees", layer=layer.name, direction="in", **about)
                assert sum(row["units"] for row in bins) == layer.shape[0]
            whole = only(found, "layers", layer="all", **about)
            assert whole["density"] == whole["layer_density"] == of.product(Step("mask", round)).facts["density"]
    dense = only(found, "layers", replicate=0, round=0, layer="all")
    assert dense["arm"] == "dense" and dense["left"] == dense["effective"] == dense["size"]


def test_masks_drawn_at_random_are_there_with_the_ticket_s_counts(found):
    for arm in ("random_mask", "shuffled_mask"):
        for layer in ("fc1", "fc2", "output"):
            own, drawn = (only(found, "layers", replicate=1, round=2, layer=layer, arm=a) for a in ("ticket", arm))
            assert own["left"] == drawn["left"]
        assert only(found, "units", replicate=1, round=2, layer="fc1", arm=arm)["units"] == 16


def test_pixels_are_mapped_beside_the_data_s_deviation(subject, found):
    chain = subject.chains[0]
    mask = made(subject.workshop, chain.cards, "tiny").mask(2)["fc1.weight"]
    assert found.arrays["replicate0/round02/ticket/pixels"].flatten().equal(mask.sum(0, dtype=torch.int32))
    owner = chain.owner(0)
    data = data_for(owner, subject.workshop.dirs, torch.device("cpu"), chain.facts(0).digest)
    mean, deviation = (torch.tensor(values).view(-1, 1, 1) for values in (data.mean, data.std))
    as_they_were = data.train.images * deviation + mean if owner.data.normalisation == "standard" else data.train.images
    assert torch.allclose(found.arrays["data/mean"], as_they_were.mean(0), atol=1e-5)
    assert torch.allclose(found.arrays["data/sd"], as_they_were.std(0, correction=0), atol=1e-4)
    row = only(found, "pixels", replicate=0, round=2)
    assert row["pixels"] == 64 and row["unread"] == int((mask.sum(0) == 0).sum())
    assert -1 <= row["correlation_with_sd"] <= 1
    assert only(found, "pixels", replicate=0, round=0)["correlation_with_sd"] is None  # all are read alike


def test_overlaps_are_between_rounds_replicates_and_arms(subject, found):
    chains = [made(subject.workshop, chain.cards, "tiny", chain.replicate) for chain in subject.chains]
    for layer in ("fc1", "fc2", "output", "all"):
        nested = only(found, "overlaps", between="rounds", replicate=0, layer=layer)
        assert (nested["round"], nested["other_round"], nested["share"]) == (2, 1, 1.0)
    for expected in overlaps(chains[0].mask(2), chains[1].mask(2)):
        row = only(found, "overlaps", between="replicates", round=2, layer=expected["layer"])
        assert (row["replicate"], row["other_replicate"]) == (0, 1)
        assert row == row | expected
    random = only(found, "overlaps", between="arms", replicate=0, round=2, layer="all", other_arm="random_mask")
    assert abs(random["z"]) < 5 and 0 < random["common"] < random["left"]


def test_signs_and_movement_are_of_every_arm_s_own_training(subject, found):
    chain = subject.chains[1]
    of = made(subject.workshop, chain.cards, "tiny", 1)
    for step in [step for round in range(3) for step in chain.trainings(round)]:
        start, end = of.start(step), of.weights(step)
        names = [layer.weight for layer in chain.model(step.round).layers]
        under = chain.mask(step)
        alive = of.tensors(under) if under else {name: torch.ones_like(start[name]).bool() for name in names}
        pairs = [(start[name][alive[name]], end[name][alive[name]]) for name in names]
        turned = sum(int((one * other < 0).sum()) for one, other in pairs)
        about = {"replicate": 1, "round": step.round, "arm": step.arm, "layer": "all"}
        row = only(found, "signs", **about)
        assert row["weights"] == sum(len(one) for one, _ in pairs)
        assert row["changed"] == pytest.approx(turned / row["weights"])
        moved = only(found, "movement", group="survivors", **about)
        away = sum(int((other.double().abs() > one.double().abs()).sum()) for one, other in pairs)
        assert moved["away"] == pytest.approx(away / row["weights"]) and moved["weights"] == row["weights"]


def test_initial_values_are_the_survivors_before_the_mask_was_laid_on(subject, found):
    of = made(subject.workshop, subject.chains[0].cards, "tiny")
    initial, mask = of.weights(Step("initial_weights")), of.mask(2)
    for layer in subject.chains[0].model(2).layers:
        row = only(found, "initial", replicate=0, round=2, layer=layer.name)
        sizes = initial[layer.weight].abs()
        assert row["mean_left"] == pytest.approx(float(sizes[mask[layer.weight]].mean()), rel=1e-5)
        assert row["mean_all"] == pytest.approx(float(sizes.mean()), rel=1e-5)
    assert found.arrays["replicate0/round02/ticket/initial"][:, 1].sum() == sum(weights_left(mask).values())


def test_what_was_pruned_next_is_told_from_what_was_kept(subject, found):
    """By magnitude the pruned ended nearer to zero than any that was kept; the control did not decide."""
    of = made(subject.workshop, subject.chains[0].cards, "tiny")
    first, second = (sum(weights_left(of.mask(round)).values()) for round in (1, 2))
    for layer in ("fc1", "fc2", "output"):
        about = {"replicate": 0, "round": 1, "arm": "ticket", "pruned_to_round": 2, "layer": layer}
        kept, pruned = (only(found, "movement", group=group, **about) for group in ("kept", "pruned"))
        assert pruned["end"] < kept["end"]
    for arm in ("ticket", "reinit", "reinit_same_sign", "ticket_distilled"):
        about = {"replicate": 0, "round": 1, "arm": arm, "pruned_to_round": 2, "layer": "all"}
        kept, pruned = (only(found, "movement", group=group, **about)["weights"] for group in ("kept", "pruned"))
        assert (kept, kept + pruned) == (second, first)
        assert found.arrays[f"replicate0/round01/{arm}/growth_by_fate"].sum(1).tolist() == [kept, pruned]
    assert not rows_of(found, "movement", arm="random_mask", group="kept")
    assert only(found, "movement", replicate=0, round=0, group="kept", layer="all")["weights"] == first


def test_it_is_kept_and_comes_out_the_same_to_the_bit(subject):
    for part in parts(subject):
        first, again = make(subject.workshop, part), make(subject.workshop, part, fresh=True)
        assert again.record["version"] == first.record["version"]
        assert look_up(subject.workshop, part).found.tables == again.found.tables


def test_a_deeper_round_and_another_replicate_compute_only_themselves(subject, tmp_path):
    chains = subject.chains
    cards = {"tiny": chains[0].cards["tiny"]}
    fewer = cards["tiny"].model_copy(update={"pruning": cards["tiny"].pruning.model_copy(update={"rounds": 1})})
    shallow = [subject.workshop.chain({"tiny": fewer}, "tiny", replicate) for replicate in (0, 1)]
    deep = {part.recipe.id for part in parts(subject)}
    before = {part.recipe.id for part in parts(replace(subject, chains=shallow))}
    assert before < deep and len(deep - before) == 3  # two replicates and their comparison
    alone = {part.recipe.id for part in parts(replace(subject, chains=chains[:1]))}
    assert alone < deep
    assert parts(Subject(workshop_in(tmp_path / "empty"), chains)) == []


@pytest.mark.parametrize(
    ("changes", "kernel"),
    [
        ({"model": RESNET, "pruning": {"scope": "global", "rates": {"conv": 0.5, "shortcut": 0.5, "fc": 0.5}}}, True),
        (
            {"model": {"name": "conv2", "widths": None}, "pruning": {"rates": {"fc": 0.6, "conv": 0.5}, "rounds": 1}},
            True,
        ),
        ({"pruning": {"structure": "units"}, "arms": ["ticket", "random_mask", "shuffled_mask"]}, False),
        ({"pruning": {"mode": "one_shot"}, "arms": ["ticket", "reinit"]}, False),
        ({"rewind": {"mode": "fine_tuning"}, "model": {"dropout": 0.2}}, False),
        ({"rewind": {"mode": "learning_rate", "iteration": 2}, "training": {"schedule": "step"}}, False),
        ({"rewind": {"iteration": 2}, **EARLY}, False),
        ({"pruning": {"criterion": "random", "scope": "global", "rates": {"fc": 0.9}, "empty_layers": "allow"}}, False),
    ],
    ids=["resnet", "conv", "units", "one_shot", "fine_tuning", "rate", "early", "emptied"],
)
def test_it_is_found_of_every_kind_of_network_and_pruning(tmp_path, changes, kernel):
    subject = subject_of(tmp_path, tiny=card(**{"training": SHORT, **changes}))
    found, (chain,) = found_in(subject), subject.chains
    last = chain.owner(1).pruning.rounds
    assert (f"replicate0/round0{last}/ticket/kernel" in found.arrays) == kernel
    assert ("data/sd" in found.arrays) == (not kernel)
    of = made(subject.workshop, chain.cards, "tiny")
    for round in range(1, last + 1):
        whole = only(found, "layers", round=round, arm="ticket", layer="all")
        assert whole["left"] == sum(weights_left(of.mask(round)).values()) >= whole["effective"]
        source = chain.pruned_from(round)
        about = {"round": source.round, "arm": source.arm, "layer": "all", "pruned_to_round": round}
        kept = only(found, "movement", group="kept", **about)
        assert kept["weights"] == whole["left"] and kept["start"] > 0
        by_chance = only(found, "units", round=round, arm="ticket", layer=chain.model(0).layers[0].name)[
            "expected_dead"
        ]
        assert (by_chance is None) == (chain.structure(round) == "units")


def test_branches_share_what_their_rounds_share_and_tickets_from_elsewhere_have_no_fate(tmp_path):
    source, taken = card(), card(seed=1, ticket_from={"experiment": "tiny", "round": 2, "weights": "source"})
    branch = {"branch_of": {"experiment": "tiny", "round": 2}, "pruning": {"rates": {"fc": 0.1}}}
    subject = subject_of(tmp_path, tiny=source)
    own = {part.recipe.id for part in parts(subject)}
    other = subject_of(tmp_path, name="turned", tiny=source, turned=branch)
    assert len({part.recipe.id for part in parts(other)} & own) == 3  # rounds 0 and 1, and the mean image
    found = found_in(subject_of(tmp_path, name="taker", tiny=source, taker=taken))
    assert {row["pruned_to_round"] for row in found.tables["movement"]} == {None, 2}
    theirs = made(subject.workshop, subject.chains[0].cards, "tiny")
    initial = theirs.weights(Step("initial_weights"))["fc1.weight"].abs()
    row = only(found, "initial", round=1, layer="fc1")
    assert row["mean_left"] == pytest.approx(float(initial[theirs.mask(2)["fc1.weight"]].mean()), rel=1e-5)
