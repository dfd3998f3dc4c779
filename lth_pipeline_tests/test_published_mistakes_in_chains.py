"""Published mistakes that show in whole chains: sparsity as saved, draws, shuffles, resuming, heads.

Each has a check, which ours passes; with one piece replaced by one that makes the mistake, the check fails.
"""

import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lth_pipeline.lottery.pruning import masks
from lth_pipeline.lottery.training import train as training
from lth_pipeline.recipes import Step, Store, pruning, steps
from lth_pipeline.recipes import training as recipes_training
from lth_pipeline.recipes.made import Made
from lth_pipeline_tests.recipes.making import card, load, made, same, workshop_in
from lth_pipeline_tests.test_published_mistakes import is_caught, passes

DENSE, TICKET = Step("trained", 0, "dense"), Step("trained", 1, "ticket")


# 2: networks that are not as sparse as they are said to be


def is_as_sparse_as_it_says(path, product_of_mask, prefix: str = "weights/") -> None:
    """Counted in the file itself, by nothing of ours."""
    tensors = load_file(path)
    weights = [tensors[f"{prefix}{name}"] for name in product_of_mask.facts["counts"]]
    alive = sum(int(tensor.count_nonzero()) for tensor in weights)
    assert alive == product_of_mask.facts["weights"]
    assert alive / sum(tensor.numel() for tensor in weights) == product_of_mask.facts["density"]


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_what_is_saved_is_as_sparse_as_it_says(tmp_path, optimiser, monkeypatch):
    """Momentum or Adam, weight decay and a schedule: all that could move a pruned weight."""
    settings = {"optimiser": optimiser, "momentum": 0.9 if optimiser == "sgd" else None, "learning_rate": 0.01}
    cards = load(tmp_path / "cards", mine=card(training=settings, pruning={"rates": {"fc": 0.8}}))
    good = made(workshop_in(tmp_path / "good"), cards, "mine")
    path = good.workshop.store.object_path(good.product(TICKET).version)
    passes(is_as_sparse_as_it_says, path, good.product(Step("mask", 1)))

    plain = training.train
    monkeypatch.setattr(
        recipes_training, "train", lambda model, weights, mask, *rest, **o: plain(model, weights, None, *rest, **o)
    )
    bad = made(workshop_in(tmp_path / "bad"), cards, "mine")
    path = bad.workshop.store.object_path(bad.product(TICKET).version)
    is_caught(is_as_sparse_as_it_says, path, bad.product(Step("mask", 1)))


# 4: what is drawn from the global generators


def the_global_generators_change_nothing(make) -> None:
    """make: a name -> data versions, each time from nothing."""
    found = []
    for seed, consumed in ((0, 0), (1, 0), (0, 7)):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        torch.rand(consumed), np.random.rand(consumed), [random.random() for _ in range(consumed)]
        found.append(make(f"{seed}_{consumed}"))
    assert found[0] == found[1] == found[2]


def all_of(tmp_path):
    """All that is drawn: weights, data order, augmentation, dropout, controls, masks, examples, pruning by lot."""
    arms = ["ticket", "reinit", "reinit_same_sign", "random_mask", "shuffled_mask", "dense_small"]
    settings = {"data": {"augmentation": {"flip": True, "crop": 1}}, "model": {"dropout": 0.3}, "arms": arms}
    cards = load(
        tmp_path / "cards",
        lot=card(**settings, pruning={"criterion": "random", "rounds": 1}),
        snip=card(**settings, pruning={"criterion": "snip", "rounds": 1, "examples": 20}),
    )

    def make(name: str) -> list[dict[str, str]]:
        workshop = workshop_in(tmp_path / f"{len(list(tmp_path.iterdir()))}_{name}")
        return [made(workshop, cards, which).versions(1) for which in ("lot", "snip")]

    return make


def test_every_draw_is_seeded(tmp_path):
    passes(the_global_generators_change_nothing, all_of(tmp_path))


def unseeded_weights(chain, step, model):
    return model.initialise(torch.Generator().manual_seed(int(torch.randint(2**31, ()))))


def unseeded_augmentation(pixels, augmentation, draws, share):
    return pixels.flip(-1) if torch.rand(()) < 0.5 else pixels


def unseeded_order(*arguments):
    return torch.Generator().manual_seed(int(torch.randint(2**31, ())))


@pytest.mark.parametrize(
    ("where", "piece", "broken"),
    [
        (steps, "_fresh_weights", unseeded_weights),
        (training, "augmented", unseeded_augmentation),
        (pruning, "generator", unseeded_order),
    ],
    ids=["weights and reinit", "augmentation", "masks and examples"],
)
def test_a_draw_that_is_not_seeded_is_seen(tmp_path, monkeypatch, where, piece, broken):
    monkeypatch.setattr(where, piece, broken)
    is_caught(the_global_generators_change_nothing, all_of(tmp_path))


# 6: a shuffle that only gives a local name another value


def it_is_shuffled(shuffled: dict, mask: dict) -> None:
    assert masks.counts(shuffled) == masks.counts(mask)
    assert all(not shuffled[name].equal(alive) for name, alive in mask.items() if not alive.all())


def shuffled_in_name_only(chain, step, mask):
    for tensor in mask.values():
        tensor = tensor.flatten()[torch.randperm(tensor.numel())].view_as(tensor)
    return Made(mask, {"counts": masks.counts(mask), "weights": 0, "density": 0.0})


@pytest.mark.parametrize("arm", ["shuffled_mask", "random_mask"])
def test_a_shuffled_mask_is_shuffled(tmp_path, monkeypatch, arm):
    cards = load(tmp_path / "cards", mine=card(arms=["ticket", arm]))
    good = made(workshop_in(tmp_path / "good"), cards, "mine")
    passes(it_is_shuffled, good.tensors(Step("mask", 1, arm)), good.mask(1))
    monkeypatch.setattr(steps, "drawn_mask", shuffled_in_name_only)
    bad = made(workshop_in(tmp_path / "bad"), cards, "mine")
    is_caught(it_is_shuffled, bad.tensors(Step("mask", 1, arm)), bad.mask(1))


# 7: a state to resume from that is never read


def resuming_is_going_on(folder, cards, monkeypatch) -> None:
    """What comes out is the same to the bit, and the steps that were done are not done again."""
    done: list[int] = []
    plain = training.train
    with monkeypatch.context() as patch:

        def counted(*given, on_step, **options):
            def on_every_step(iteration, weights, state):
                done.append(iteration)
                on_step(iteration, weights, state)

            return plain(*given, on_step=on_every_step, **options)

        patch.setattr(recipes_training, "train", counted)
        whole = made(workshop_in(folder / "whole"), cards, "mine").product(DENSE)
        assert done == list(range(1, 11))
        cut = workshop_in(folder / "cut", checkpoint_seconds=0)

        def stop(step, row, total):
            if row["iteration"] == 8:
                raise KeyboardInterrupt

        cut.on_row = stop
        with pytest.raises(KeyboardInterrupt):
            made(cut, cards, "mine").product(DENSE)
        done.clear()
        resumed = made(workshop_in(folder / "cut"), cards, "mine").product(DENSE)
    assert resumed.version == whole.version
    assert done == list(range(8, 11)), f"the state was left at iteration 7, and these steps were made: {done}"


def without_memory(self, recipe_id, route, plain=Store.load_checkpoint):
    found = plain(self, recipe_id, route)
    return found and {
        name: torch.zeros_like(tensor) if name.startswith("optimiser/") else tensor for name, tensor in found.items()
    }


@pytest.mark.parametrize("broken", [None, lambda self, recipe_id, route: None, without_memory])
def test_resuming_is_going_on(tmp_path, monkeypatch, broken):
    cards = load(tmp_path / "cards", mine=card())
    if broken is None:
        passes(resuming_is_going_on, tmp_path, cards, monkeypatch)
        return
    monkeypatch.setattr(Store, "load_checkpoint", broken)
    is_caught(resuming_is_going_on, tmp_path, cards, monkeypatch)


# 8: a ticket taken to another number of classes with its old head


def the_head_is_fresh(source, taker, classes: int) -> None:
    ticket, mask = taker.weights(Step("ticket", 1)), taker.mask(1)
    assert ticket["output.weight"].shape[0] == len(ticket["output.bias"]) == classes
    assert mask["output.weight"].shape == ticket["output.weight"].shape and mask["output.weight"].all()
    assert "output" in taker.product(Step("mask", 1)).facts["fresh_layers"]
    own = taker.weights(Step("initial_weights"))
    assert ticket["output.weight"].equal(own["output.weight"]) and ticket["output.bias"].equal(own["output.bias"])
    assert not same(ticket, own) and ticket["stage1.block1.norm1.weight"].equal(
        source.weights(Step("ticket", 1))["stage1.block1.norm1.weight"]
    )


def all_of_the_source(chain, own, source):
    return {name: source.get(name, tensor).clone() for name, tensor in own.items()}


@pytest.mark.parametrize("broken", [None, all_of_the_source])
def test_another_number_of_classes_gets_another_head(tmp_path, monkeypatch, broken):
    resnet = {"name": "resnet_cifar", "depth": 8, "filters": 4, "widths": None}
    pruned = {"rates": {"conv": 0.4, "fc": 0.2}}
    hundred = {"name": "cifar100", "train_size": None, "test_size": None}
    cards = load(
        tmp_path / "cards",
        ten=card(model=resnet, pruning=pruned),
        hundred=card(model=resnet, pruning=pruned, data=hundred, ticket_from={"experiment": "ten", "round": 1}),
    )
    if broken:
        monkeypatch.setattr(steps, "_merged", broken)
        monkeypatch.setattr(steps.masks, "apply", lambda mask, weights: dict(weights))  # as shapes do not fit
    workshop = workshop_in(tmp_path / "store")
    chains = [made(workshop, cards, name) for name in ("ten", "hundred")]
    if broken:
        is_caught(the_head_is_fresh, *chains, 100)
    else:
        passes(the_head_is_fresh, *chains, 100)
