"""Making steps: once, the same bits again, from where it was left."""

import threading

import pytest
import torch

from lth_pipeline.lottery.pruning import masks
from lth_pipeline.recipes import Chain, Step, Store, StoreError, Workshop, load_cards
from lth_pipeline.recipes.artifacts import rows_of, weights_of

FIRST, LAST = Step("trained", 1, "ticket"), Step("trained", 2, "ticket")


@pytest.fixture
def cards(place):
    return load_cards([place.folder / "experiments"])


def new_workshop(folder, **settings) -> Workshop:
    return Workshop(Store(folder), "data", device="cpu", **settings)


def trained_rows(workshop: Workshop) -> list[str]:
    """Which trainings were really run: filled while they run."""
    seen: list[str] = []
    workshop.on_row = lambda step, row, total: seen.append(str(step))
    return seen


def test_a_step_makes_all_before_it_once(cards, tmp_path):
    workshop = new_workshop(tmp_path / "s")
    seen = trained_rows(workshop)
    product = workshop.make(Chain(cards, "small", 0), LAST)
    assert product.computed
    assert set(seen) == {"round 0 dense trained", "round 1 ticket trained", "round 2 ticket trained"}
    again = new_workshop(tmp_path / "s")
    seen = trained_rows(again)
    found = again.make(Chain(cards, "small", 0), LAST)
    assert (found.computed, found.version, seen) == (False, product.version, [])


def test_a_fresh_store_gives_the_same_bits(cards, tmp_path):
    for arm in ("ticket", "reinit"):
        step = Step("trained", 2, arm)
        versions = {new_workshop(tmp_path / name).make(Chain(cards, "small", 1), step).version for name in "ab"}
        assert len(versions) == 1


def test_a_recompute_gives_the_same_bits(cards, tmp_path):
    workshop = new_workshop(tmp_path / "s")
    chain = Chain(cards, "small", 0)
    workshop.make(chain, LAST)
    for step in (Step("initial_weights"), Step("trained", 0, "dense"), Step("mask", 1), Step("ticket", 1), LAST):
        again = workshop.make(chain, step, fresh=True)
        assert (again.computed, again.same_bits) == (True, True)


def test_replicates_and_arms_differ(cards, tmp_path):
    workshop = new_workshop(tmp_path / "s")
    versions = {
        workshop.make(Chain(cards, "small", replicate), Step("trained", 1, arm)).version
        for replicate in (0, 1)
        for arm in ("ticket", "reinit")
    }
    assert len(versions) == 4


def test_the_invariants_hold_along_a_whole_chain(cards, tmp_path):
    workshop = new_workshop(tmp_path / "s")
    chain = Chain(cards, "small", 0)
    workshop.make(chain, LAST)

    def tensors(step):
        return weights_of(workshop.store.load(workshop.make(chain, step).version))

    initial = tensors(Step("initial_weights"))
    before = masks.ones(chain.model(0))
    for round in (1, 2):
        mask, ticket, start = (
            tensors(Step("mask", round)),
            tensors(Step("ticket", round)),
            tensors(Step("reinit", round)),
        )
        assert masks.is_subset(mask, before)
        assert masks.counts(mask) == dict(chain.rung(round).keep)
        assert masks.survivors_equal(mask, ticket, initial)
        assert masks.pruned_are_zero(mask, ticket) and masks.pruned_are_zero(mask, start)
        assert not masks.survivors_equal(mask, ticket, start)
        for arm in ("ticket", "reinit"):
            assert masks.pruned_are_zero(mask, tensors(Step("trained", round, arm)))
        before = mask


def test_a_training_cut_short_goes_on_from_its_checkpoint(cards, tmp_path):
    """Cut at each evaluation in turn; what comes out is the same to the bit, and less is computed."""
    chain = Chain(cards, "small", 0)
    whole = new_workshop(tmp_path / "whole").make(chain, Step("trained", 0, "dense"))
    for cut in (30, 60):
        workshop = new_workshop(tmp_path / f"cut{cut}", checkpoint_seconds=0)

        def stop(step, row, total, cut=cut):
            if row["iteration"] > cut:
                raise KeyboardInterrupt

        workshop.on_row = stop
        with pytest.raises(KeyboardInterrupt):
            workshop.make(chain, Step("trained", 0, "dense"))
        resumed = new_workshop(tmp_path / f"cut{cut}")
        seen = []
        resumed.on_row = lambda step, row, total, seen=seen: seen.append(row["iteration"])
        product = resumed.make(chain, Step("trained", 0, "dense"))
        assert product.version == whole.version
        assert seen == [iteration for iteration in (30, 60, 90) if iteration > cut]
        assert product.facts["iterations"] == 90
        assert not list((tmp_path / f"cut{cut}" / "checkpoints").iterdir())


def test_states_are_kept_between_evaluations(cards, tmp_path, monkeypatch):
    """A card may evaluate once in an hour; what a crash costs is checkpoint_seconds all the same."""
    chain, step = Chain(cards, "small", 0), Step("trained", 0, "dense")
    whole = new_workshop(tmp_path / "whole").make(chain, step)
    workshop = new_workshop(tmp_path / "cut", checkpoint_seconds=0)
    keep, kept = Store.save_checkpoint, []

    def killed_at_the_37th(store, name, tensors, route, of=()):
        keep(store, name, tensors, route, of)
        kept.append(int(tensors["iteration"]))
        if kept[-1] == 37:
            raise KeyboardInterrupt

    monkeypatch.setattr(Store, "save_checkpoint", killed_at_the_37th)
    with pytest.raises(KeyboardInterrupt):
        workshop.make(chain, step)
    assert kept == [*range(1, 38)]
    kept.clear()
    resumed = new_workshop(tmp_path / "cut", checkpoint_seconds=0).make(chain, step)
    assert kept[0] == 38 and resumed.version == whole.version


@pytest.mark.parametrize("kind", ["object", "record"])
@pytest.mark.parametrize(
    ("which", "lost"), [(Step("mask", 1), FIRST), (FIRST, Step("mask", 2)), (LAST, None)], ids=lambda step: str(step)
)
def test_what_is_damaged_is_put_aside_and_made_anew(cards, tmp_path, kind, which, lost):
    """The same versions come out. lost: what reads it, and has to be made too."""
    chain, told = Chain(cards, "small", 0), []
    versions = new_workshop(tmp_path / "s")
    version, below = versions.make(chain, LAST).version, versions.make(chain, which)
    store = versions.store
    path = store.object_path(below.version) if kind == "object" else store.record_path(below.recipe.id)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if lost:
        store.record_path(versions.make(chain, lost).recipe.id).unlink()
    workshop = new_workshop(tmp_path / "s")
    seen = trained_rows(workshop)
    workshop.on_trouble = told.append
    product = workshop.mending(lambda: read(workshop, chain))
    assert product.version == version
    assert len(told) == 1 and str(path) in told[0] and "put aside" in told[0]
    assert set(seen) == {str(step) for step in (which, lost) if step and step.trains}
    (aside,) = (store.folder / "damaged").iterdir()
    assert aside.read_bytes() == content


def read(workshop, chain):
    """As an asset does: it makes its step, and reads what that gave."""
    product = workshop.make(chain, LAST)
    workshop.store.load(product.version)
    return product


def test_a_state_that_cannot_be_written_ends_no_training(cards, tmp_path, monkeypatch):
    chain, step, told = Chain(cards, "small", 0), Step("trained", 0, "dense"), []
    workshop = new_workshop(tmp_path / "s", checkpoint_seconds=0)
    workshop.on_trouble = told.append

    def full(store, *args):
        raise StoreError("no space left")

    monkeypatch.setattr(Store, "save_checkpoint", full)
    assert workshop.make(chain, step).computed
    assert set(told) == {"round 0 dense trained goes on, but leaves no state to resume from: no space left"}


def test_a_rewind_point_is_the_dense_networks_own_past(place, tmp_path):
    """rewind.iteration: k gives the weights that the dense training had at k, and tickets train on from there."""
    small = (place.folder / "experiments" / "small.yaml").read_text()
    place.card("late", small + "rewind: {iteration: 30}\n")
    cards = load_cards([place.folder / "experiments"])
    workshop, chain = new_workshop(tmp_path / "s"), Chain(cards, "late", 0)
    dense = workshop.make(chain, Step("trained", 0, "dense"))
    assert dense.version == workshop.make(Chain(cards, "small", 0), Step("trained", 0, "dense")).version

    rewound = workshop.store.load(workshop.make(chain, chain.rewind_weights(1)).version)
    place.card("short", small.replace("iterations: 90", "iterations: 30"))
    short = Chain(load_cards([place.folder / "experiments"]), "short", 0)
    at_30 = weights_of(workshop.store.load(workshop.make(short, Step("trained", 0, "dense")).version))
    assert all(torch.equal(rewound[name], at_30[name]) for name in rewound)

    mask = workshop.store.load(workshop.make(chain, Step("mask", 1)).version)
    ticket = workshop.store.load(workshop.make(chain, Step("ticket", 1)).version)
    assert masks.survivors_equal(mask, ticket, rewound)
    rows = rows_of(workshop.store.load(workshop.make(chain, Step("trained", 1, "ticket")).version))
    assert [row["iteration"] for row in rows] == [30, 60, 90]


def test_a_branch_takes_over_its_parents_rounds(place, tmp_path):
    place.card("gentler", "branch_of: {experiment: small, round: 2}\npruning: {rates: {fc: 0.1}, rounds: 3}\n")
    cards = load_cards([place.folder / "experiments"])
    workshop = new_workshop(tmp_path / "s")
    workshop.make(Chain(cards, "small", 0), LAST)
    seen = trained_rows(workshop)
    child, parent = Chain(cards, "gentler", 0), Chain(cards, "small", 0)
    workshop.make(child, Step("trained", 3, "ticket"))
    assert set(seen) == {"round 2 ticket trained", "round 3 ticket trained"}
    for step in (Step("initial_weights"), Step("mask", 1), Step("trained", 1, "ticket"), Step("trained", 1, "reinit")):
        assert workshop.make(child, step).version == workshop.make(parent, step).version
    assert workshop.make(child, Step("mask", 2)).version != workshop.make(parent, Step("mask", 2)).version
    assert child.rung(2).keep["fc1.weight"] == round(24 * 64 * 0.6 * 0.9)


def test_a_branch_with_another_dropout_or_initialisation_leaves_its_parents_rounds_as_they_are(place, tmp_path):
    """Whichever of the two comes first."""
    place.card(
        "other", "branch_of: {experiment: small, round: 1}\nmodel: {dropout: 0.5, initialisation: kaiming_normal}\n"
    )
    cards = load_cards([place.folder / "experiments"])
    steps = (Step("initial_weights"), Step("trained", 0, "dense"), Step("mask", 1))
    first, second = (new_workshop(tmp_path / name) for name in "ab")
    for step in steps:
        through_the_branch = first.make(Chain(cards, "other", 0), step)
        assert through_the_branch.version == second.make(Chain(cards, "small", 0), step).version
    for arm in ("ticket", "reinit"):  # these are the branch's own
        step = Step("trained", 1, arm)
        assert first.make(Chain(cards, "other", 0), step).version != second.make(Chain(cards, "small", 0), step).version


def test_a_branch_may_move_the_rewind_point(place, tmp_path):
    place.card("later", "branch_of: {experiment: small, round: 2}\nrewind: {iteration: 30}\n")
    cards = load_cards([place.folder / "experiments"])
    chain = Chain(cards, "later", 0)
    workshop = new_workshop(tmp_path / "s")
    assert chain.rewind_weights(1) == Step("initial_weights")
    assert (
        workshop.make(chain, Step("ticket", 1)).version
        == workshop.make(Chain(cards, "small", 0), Step("ticket", 1)).version
    )
    assert (
        workshop.make(chain, Step("ticket", 2)).version
        != workshop.make(Chain(cards, "small", 0), Step("ticket", 2)).version
    )


def test_global_pruning_keeps_the_ladders_count_over_all_layers(place, tmp_path):
    small = (place.folder / "experiments" / "small.yaml").read_text()
    place.card("whole", small.replace("layerwise", "global").replace(" output_rate: 0.2,", ""))
    cards = load_cards([place.folder / "experiments"])
    workshop, chain = new_workshop(tmp_path / "s"), Chain(cards, "whole", 0)
    total = sum(layer.size for layer in chain.model(0).layers)
    for round_ in (1, 2):
        counts = masks.counts(workshop.store.load(workshop.make(chain, Step("mask", round_)).version))
        assert sum(counts.values()) == round(total * 0.6**round_) == chain.rung(round_).weights
    assert (
        len({counts[name] / chain.model(0).layers[i].size for i, name in enumerate(counts)}) == 3
    )  # not layer by layer


def test_look_ups_of_a_deep_chain_are_quick(tmp_path):
    """Without memory a look-up of round 20 would take 3^20 others."""
    workshop = new_workshop(tmp_path / "s")
    assert workshop.look_up(Chain(load_cards([]), "lenet_mnist", 0), Step("trained", 20, "ticket")) is None


def test_other_bits_are_forgiven_on_another_route_where_they_are_near(cards, tmp_path):
    """Of an artifact that an earlier version's loops made, say."""
    workshop, step = new_workshop(tmp_path / "s"), Step("trained", 0, "dense")
    chain = Chain(cards, "small", 0)
    product = workshop.make(chain, step)
    tensors, route = workshop.store.load(product.version), product.record["route"]
    older = {**route, "arithmetic": 1}

    def recomputed(route, **changed):
        other = new_workshop(tmp_path / "s")
        other.store.save(product.recipe, {**tensors, **changed}, facts={}, route=route, made_by={})
        again = other.make(chain, step, fresh=True)
        return again.same_bits, again.rerouted

    rounded = {"weights/fc1.weight": tensors["weights/fc1.weight"] * (1 + 1e-6)}
    assert recomputed(route) == (True, False)
    assert recomputed(route, **rounded) == (False, False)
    assert recomputed(older, **rounded) == (False, True)
    assert recomputed(older, **{"curve/test_accuracy": tensors["curve/test_accuracy"] - 0.1}) == (False, False)
    assert recomputed(older, **{"curve/validation_loss": tensors["curve/validation_loss"] + 0.01}) == (False, False)


def test_a_mask_is_never_forgiven(cards, tmp_path):
    """It is computed on the CPU whatever the device."""
    workshop, chain, step = new_workshop(tmp_path / "s"), Chain(cards, "small", 0), Step("mask", 1)
    product = workshop.make(chain, step)
    other = {name: ~alive for name, alive in workshop.store.load(product.version).items()}
    workshop.store.save(product.recipe, other, facts={}, route={"device": "cuda"}, made_by={})
    again = new_workshop(tmp_path / "s").make(chain, step, fresh=True)
    assert (again.same_bits, again.rerouted) == (False, False)


def test_of_two_processes_that_want_one_training_the_second_waits_and_finds_it(cards, tmp_path):
    workshop, step = new_workshop(tmp_path / "s"), Step("trained", 0, "dense")
    chain, trained, waits = Chain(cards, "small", 0), [], []
    recipe = workshop.recipe(chain, step)

    def second():
        other = new_workshop(tmp_path / "s")
        other.on_row = lambda step, row, total: trained.append(row)
        other.on_wait = waits.append
        trained.append(other.make(Chain(cards, "small", 0), step).computed)

    with workshop.store.claimed(recipe.id, wait=False):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive() and trained == [] and waits == ["round 0 dense trained"]
        workshop._compute(chain, step, recipe, again=False)
    waiting.join(60)
    assert trained == [False]
