"""Trainings that run side by side: each finds its own artifact in the store, the same as alone up to rounding."""

import threading

import pytest
import torch

from lth_pipeline.lottery.errors import PruningError
from lth_pipeline.recipes import Chain, Step, Store, Workshop
from lth_pipeline.recipes import together as recipes_together
from lth_pipeline.recipes.artifacts import rows_of, weights_of
from lth_pipeline.recipes.lineage import owner
from lth_pipeline_tests.recipes.making import ARMS, card, load, workshop_in

ROUNDS = 2


def trained_here(monkeypatch) -> list[list[str]]:
    """What was trained together, each time."""
    seen: list[list[str]] = []
    make = recipes_together.make_together

    def watched(workshop, members, *more):
        seen.append([f"{member.chain.replicate} {member.step}" for member in members])
        return make(workshop, members, *more)

    monkeypatch.setattr("lth_pipeline.recipes.steps.make_together", watched)
    return seen


def every(chain: Chain) -> list[Step]:
    return [step for round in range(ROUNDS + 1) for step in chain.trainings(round)]


def everything(workshop, cards, name, replicates):
    """{(replicate, step): tensors} of all trainings."""
    found = {}
    for replicate in replicates:
        chain = Chain(cards, name, replicate)
        for step in every(chain):
            found[replicate, step] = workshop.store.load(workshop.make(chain, step).version)
    return found


@pytest.fixture
def cards(tmp_path):
    return load(tmp_path / "cards", ours=card(arms=["ticket", "reinit", "random_mask"], draws=2, replicates=3))


def test_all_networks_of_a_round_train_together_and_each_is_the_same_as_alone(cards, tmp_path, monkeypatch):
    seen = trained_here(monkeypatch)
    alone = everything(workshop_in(tmp_path / "alone"), cards, "ours", range(3))
    assert seen == []  # on a CPU
    side_by_side = everything(workshop_in(tmp_path / "together", together=100), cards, "ours", range(3))
    assert [len(members) for members in seen] == [3, 15, 15]  # dense; ticket and two draws of both controls
    for key, tensors in alone.items():
        for name, tensor in weights_of(tensors).items():
            torch.testing.assert_close(weights_of(side_by_side[key])[name], tensor, rtol=1e-4, atol=1e-5)
        losses = [[row["test_loss"] for row in rows_of(made[key])] for made in (alone, side_by_side)]
        assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_each_record_says_whose_it_is_and_how_it_was_made(cards, tmp_path):
    workshop = workshop_in(tmp_path / "s", together=100)
    workshop.made_by = {"experiment": "ours", "replicate": 0, "dagster_run": "abc", "mlflow_run": "of the ticket"}
    workshop.make(Chain(cards, "ours", 0), Step("trained", 1, "ticket"))
    for replicate in range(3):
        found = workshop.look_up(Chain(cards, "ours", replicate), Step("trained", 1, "reinit"))
        made_by, route = found.record["made_by"], found.record["route"]
        assert (made_by["replicate"], made_by["dagster_run"], made_by["step"]) == (
            replicate, "abc", "round 1 reinit trained",
        )  # fmt: skip
        assert "mlflow_run" not in made_by  # that is the ticket's
        assert (route["networks_together"], route["way"]) == (15, "together")


def test_only_replicates_that_are_wanted_are_trained(cards, tmp_path, monkeypatch):
    seen = trained_here(monkeypatch)
    workshop = workshop_in(tmp_path / "s", together=100, replicates=(1, 2))
    workshop.make(Chain(cards, "ours", 1), Step("trained", 1, "ticket"))
    assert {member[0] for members in seen for member in members} == {"1", "2"}
    assert workshop.look_up(Chain(cards, "ours", 0), Step("trained", 0, "dense")) is None


def test_no_more_train_together_than_may(cards, tmp_path, monkeypatch):
    seen = trained_here(monkeypatch)
    everything(workshop_in(tmp_path / "s", together=4), cards, "ours", range(3))
    assert all(2 <= len(members) <= 4 for members in seen)
    assert len({member for members in seen for member in members}) == sum(map(len, seen))  # none twice


def test_what_is_there_is_not_trained_again(cards, tmp_path, monkeypatch):
    workshop_in(tmp_path / "s").make(Chain(cards, "ours", 1), Step("trained", 0, "dense"))
    seen = trained_here(monkeypatch)
    workshop_in(tmp_path / "s", together=100).make(Chain(cards, "ours", 0), Step("trained", 0, "dense"))
    assert seen == [["0 round 0 dense trained", "2 round 0 dense trained"]]


def test_arms_with_another_schedule_network_or_loss_train_apart(tmp_path, monkeypatch):
    """A rewound ticket begins at its rewind point, a reinit at 0."""
    cards = load(tmp_path / "cards", ours=card(arms=ARMS, rewind={"iteration": 3}, replicates=2))
    seen = trained_here(monkeypatch)
    everything(workshop_in(tmp_path / "s", together=100), cards, "ours", range(2))
    assert not any(arm in member for members in seen for member in members for arm in ("dense small", "distilled"))
    for members in seen:
        fresh = {"reinit" in member for member in members}
        assert len(fresh) == 1 or owner(cards, "ours", 1).rewind.iteration == 0
    assert any("rewind weights" in members[0] for members in seen)


def test_rows_are_told_of_the_replicate_that_was_asked_for_alone(cards, tmp_path):
    workshop, told = workshop_in(tmp_path / "s", together=100), []
    workshop.on_row = lambda step, row, total: told.append((str(step), row["iteration"], total))
    workshop.make(Chain(cards, "ours", 1), Step("trained", 0, "dense"))
    assert told == [("round 0 dense trained", at, 10) for at in (0, 4, 8, 10)]


def test_a_replicate_that_diverged_does_not_hold_up_the_others(tmp_path, monkeypatch):
    """Its next mask cannot be; the others go on without it."""
    cards = load(tmp_path / "cards", ours=card(replicates=3))
    workshop = workshop_in(tmp_path / "s", together=100)
    chain = Chain(cards, "ours", 0)
    workshop.make(chain, Step("trained", 0, "dense"))
    other = Chain(cards, "ours", 1)
    product = workshop.look_up(other, Step("trained", 0, "dense"))
    product.record["facts"]["diverged_at"] = 4
    workshop._known[product.recipe.id] = product.record
    seen = trained_here(monkeypatch)
    workshop.make(chain, Step("trained", 1, "ticket"))
    assert [sorted(members) for members in seen] == [["0 round 1 ticket trained", "2 round 1 ticket trained"]]


def test_a_replicate_that_cannot_be_pruned_does_not_fail_the_others(tmp_path):
    """A global ranking may leave a layer empty in one replicate and not in another."""
    settings = {"pruning": {"scope": "global", "rates": {"fc": 0.985}, "rounds": 1}, "replicates": 6}
    cards = load(tmp_path / "cards", ours=card(**settings))

    def refused(workshop) -> set[int]:
        found = set()
        for replicate in range(6):
            try:
                workshop.make(Chain(cards, "ours", replicate), Step("trained", 1, "ticket"))
            except PruningError:
                found.add(replicate)
        return found

    alone = refused(workshop_in(tmp_path / "alone"))
    assert 0 < len(alone) < 6
    assert refused(workshop_in(tmp_path / "together", together=50)) == alone


def test_what_another_process_is_about_is_left_to_it(cards, tmp_path, monkeypatch):
    seen = trained_here(monkeypatch)
    workshop, step = workshop_in(tmp_path / "s", together=100), Step("trained", 0, "dense")
    theirs = workshop.recipe(Chain(cards, "ours", 1), step)
    with workshop.store.claimed(theirs.id, wait=False) as mine:  # a lock is of the opened file, not of the process
        assert mine
        workshop.make(Chain(cards, "ours", 0), step)
    assert seen == [["0 round 0 dense trained", "2 round 0 dense trained"]]
    assert not list((tmp_path / "s" / "claims").iterdir())


class Killed(Exception):
    pass


def test_a_stack_that_was_killed_goes_on_and_ends_with_the_same_bits(cards, tmp_path):
    step = Step("trained", 1, "ticket")
    whole = workshop_in(tmp_path / "whole", together=100).make(Chain(cards, "ours", 0), step)
    seen = []

    def kill(of, row, total):
        seen.append(row["iteration"])
        if of == step and row["iteration"] == 8:
            raise Killed

    workshop = workshop_in(tmp_path / "killed", together=100, checkpoint_seconds=0.0)
    workshop.on_row = kill
    with pytest.raises(Killed):
        workshop.make(Chain(cards, "ours", 0), step)
    assert list((tmp_path / "killed" / "checkpoints").iterdir())
    seen.clear()
    again = workshop_in(tmp_path / "killed", together=100)
    again.on_row = lambda of, row, total: seen.append(row["iteration"])
    assert again.make(Chain(cards, "ours", 0), step).version == whole.version
    assert min(seen) > 4  # what had been done was not done twice
    assert not list((tmp_path / "killed" / "checkpoints").iterdir())


@pytest.mark.parametrize("after", range(3))
def test_a_stack_that_was_killed_while_it_was_kept_ends_with_the_same_bits(cards, tmp_path, monkeypatch, after):
    """Killed after some of its networks had been put into the store: those that are missing do not train by themselves,
    which would give other bits."""
    step = Step("trained", 0, "dense")
    whole = workshop_in(tmp_path / "whole", together=100)
    versions = [whole.make(Chain(cards, "ours", number), step).version for number in range(3)]
    keep, count = Workshop.keep, []

    def killed(workshop, recipe, made, of):
        if of == step:
            count.append(recipe.id)
            if len(count) > after:
                raise Killed
        return keep(workshop, recipe, made, of)

    with monkeypatch.context() as patch:
        patch.setattr(Workshop, "keep", killed)
        with pytest.raises(Killed):
            workshop_in(tmp_path / "killed", together=100).make(Chain(cards, "ours", 0), step)
    seen, again = trained_here(monkeypatch), workshop_in(tmp_path / "killed", together=100)
    for number in (2, 1, 0):  # whoever comes first
        assert again.make(Chain(cards, "ours", number), step).version == versions[number]
    assert [len(members) for members in seen] == [3]
    assert not list((tmp_path / "killed" / "checkpoints").iterdir())
    assert not list((tmp_path / "killed" / "claims").iterdir())


def left_half_done(folder, cards, monkeypatch, step: Step, together: int = 100) -> None:
    """A stack of which a killed process has left a state."""
    keep = Store.save_checkpoint

    def killed(store, *what):
        keep(store, *what)
        raise Killed

    workshop = workshop_in(folder, together=together)
    workshop.recipe(Chain(cards, "ours", 0), step)  # what comes before it
    workshop.checkpoint_seconds = 0.0
    with monkeypatch.context() as patch:
        patch.setattr(Store, "save_checkpoint", killed)
        with pytest.raises(Killed):
            workshop.make(Chain(cards, "ours", 0), step)


def test_of_two_processes_that_go_on_with_a_stack_one_does_and_the_other_waits(cards, tmp_path, monkeypatch):
    step = Step("trained", 0, "dense")
    whole = workshop_in(tmp_path / "whole", together=100)
    versions = [whole.make(Chain(cards, "ours", number), step).version for number in range(3)]
    left_half_done(tmp_path / "s", cards, monkeypatch, step)
    seen, found = trained_here(monkeypatch), {}

    def go_on(number: int) -> None:
        workshop = workshop_in(tmp_path / "s", together=100)
        found[number] = workshop.make(Chain(cards, "ours", number), step).version

    both = [threading.Thread(target=go_on, args=[number]) for number in (0, 2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert found == {0: versions[0], 2: versions[2]}
    assert [len(members) for members in seen] == [3]
    assert not list((tmp_path / "s" / "checkpoints").iterdir()) and not list((tmp_path / "s" / "claims").iterdir())


def test_going_on_with_a_stack_makes_nothing_for_those_that_are_not_in_it(tmp_path, monkeypatch):
    cards = load(tmp_path / "cards", ours=card(arms=["ticket"], replicates=6))
    left_half_done(tmp_path / "s", cards, monkeypatch, Step("trained", 1, "ticket"), together=2)
    workshop, dense = workshop_in(tmp_path / "s", together=2), Step("trained", 0, "dense")
    workshop.make(Chain(cards, "ours", 0), Step("trained", 1, "ticket"))
    assert [number for number in range(6) if workshop.look_up(Chain(cards, "ours", number), dense)] == [0, 1]


def test_what_is_damaged_of_a_stack_is_trained_with_the_same_others_again(cards, tmp_path):
    """Alone it would come out with other bits, and all below it would have to be made anew."""
    step, told = Step("trained", 1, "reinit"), []
    workshop = workshop_in(tmp_path / "s", together=100)
    versions = [workshop.make(Chain(cards, "ours", number), step).version for number in range(3)]
    path = workshop.store.object_path(versions[1])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    again = workshop_in(tmp_path / "s", together=100)
    again.on_trouble = told.append
    chain = Chain(cards, "ours", 1)
    assert again.mending(lambda: again.store.load(again.make(chain, step).version)).keys()
    assert (
        len(told) == 1 and [again.make(Chain(cards, "ours", number), step).version for number in range(3)] == versions
    )


@pytest.mark.parametrize("round, arm", [(0, "dense"), (1, "reinit")])
def test_a_recompute_trains_the_same_stack_again_and_gives_the_same_bits(cards, tmp_path, monkeypatch, round, arm):
    workshop, step = workshop_in(tmp_path / "s", together=100), Step("trained", round, arm)
    workshop.make(Chain(cards, "ours", 0), Step("trained", 2, "ticket"))
    seen, before = trained_here(monkeypatch), {path.name for path in (tmp_path / "s").rglob("*")}
    for replicate in (1, 2):
        chain = Chain(cards, "ours", replicate)
        first = workshop.look_up(chain, step)
        again = workshop.make(chain, step, fresh=True)
        assert again.same_bits and again.record["route"] == first.record["route"]
    assert seen[0] == seen[1] and len(seen[0]) == (15 if round else 3)
    assert {path.name for path in (tmp_path / "s").rglob("*")} == before  # nothing new is kept, no checkpoint left
