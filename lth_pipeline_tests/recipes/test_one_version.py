"""A run means one version of a published ticket; what the cache keeps of versions, and what it forgets."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from lth_pipeline.experiments import CardError
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.recipes import Step, Store, Workshop
from lth_pipeline.recipes.ready import make_ready
from lth_pipeline.recipes.registry import known, pinned, versions_in
from lth_pipeline.recipes.remarks import taken_over
from lth_pipeline_tests.recipes.making import Made, card, same
from lth_pipeline_tests.recipes.test_registry import REFERENCE, Bench, Shelf, taking


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path, Shelf())


def test_a_run_means_one_version_wherever_the_alias_goes(bench):
    """Its replicates go by the version that was found when it was planned, whatever another asker has found since:
    here, and where that version has yet to be fetched."""
    cards = bench.cards(source=card(), taker=taking("trained"))
    first = bench.publish(cards, 1)
    planned = make_ready(cards, "taker", bench.dirs, registry=bench.shelf.registry)
    versions = versions_in(planned.values())
    assert versions == {REFERENCE: "1"}
    one = bench.made(planned, "taker", 0)
    second = bench.publish(cards, 2)
    assert same(bench.ready(cards).mask(1), second.mask(2))  # another asks: the pointer moves
    assert same(one.mask(1), first.mask(1)) and same(bench.made(planned, "taker", 1).mask(1), first.mask(1))
    run = Workshop(Store(bench.folder / "store"), bench.dirs, device="cpu", versions=versions)
    assert same(Made(run, run.chain(cards, "taker", 1)).mask(1), first.mask(1)), "a run's process, by its tag"
    elsewhere = DataDirs(Path("data"), bench.folder / "elsewhere")
    make_ready(cards, "taker", elsewhere, registry=bench.shelf.registry)
    again = make_ready(pinned(cards, versions), "taker", elsewhere, registry=replace(bench.shelf.registry, anew=False))
    chain = Workshop(Store(bench.folder / "store"), elsewhere, device="cpu").chain(again, "taker", 0)
    assert chain.published_content(Step("published_mask")) == one.chain.published_content(Step("published_mask"))
    assert known(cards["taker"].ticket_from, elsewhere).version == "2", "what the alias is, no other run's version says"


def test_a_chain_is_of_one_version_to_its_end(bench):
    cards = bench.cards(source=card(), taker=taking())
    first = bench.publish(cards, 1)
    taker = bench.ready(cards)
    bench.publish(cards, 2)
    make_ready(cards, "taker", bench.dirs, registry=bench.shelf.registry)
    assert same(taker.mask(1), first.mask(1))
    assert "(version 1:" in taken_over(taker.chain) and "(version 2:" in taken_over(bench.made(cards, "taker").chain)


@pytest.mark.parametrize("reference", [REFERENCE, "found/1"])
def test_what_was_fetched_goes_on_where_the_registry_has_it_no_more(bench, reference):
    cards = bench.cards(source=card(), taker=taking(reference=reference))
    source = bench.publish(cards, 1)
    bench.ready(cards)
    bench.shelf.held.clear()
    assert same(bench.ready(cards).mask(1), source.mask(1))
    told = f"no such model; there are: found; registry:{REFERENCE} is taken to be version 1 still, which was fetched"
    assert [said.startswith(told) for said in bench.shelf.warned] == ([] if reference == "found/1" else [True])


def test_a_card_does_not_take_what_it_publishes(bench):
    cards = bench.cards(source=card(), taker=taking("trained"))
    bench.publish(cards, 2)
    bench.ready(cards)
    bench.publish(cards, 1, "taker")
    where = "ticket_from.registry = 'found@best': version 2 is the ticket of taker, replicate 0, round 1: it would go"
    with pytest.raises(CardError, match=where):
        bench.ready(cards)


def test_the_cache_forgets_what_nobody_means(bench):
    cards = bench.cards(source=card(), taker=taking())
    bench.publish(cards, 1)
    bench.ready(cards)
    folder = bench.folder / "cache" / "registry"
    (folder / ".killed").mkdir()
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    bench.publish(cards, 2)
    bench.ready(cards)
    bench.publish(cards, 1)  # the bits of version 1 again
    bench.ready(cards)
    kinds = [path.name.split("-")[0] if path.suffix == ".json" else path.suffix for path in folder.iterdir()]
    assert sorted(kinds) == [".safetensors", ".safetensors", "means", "version", "version"]


def test_no_other_mask_is_laid_on_weights_some_of_which_were_pruned_before(bench):
    """Of a source that does not rewind, as of one that was fine-tuned."""
    cards = bench.cards(source=card(rewind={"mode": "fine_tuning"}), taker=taking(arms=["ticket", "random_mask"]))
    bench.publish(cards, 1)
    bench.ready(cards)  # of the dense training's weights none is zero
    bench.publish(cards, 2)
    with pytest.raises(CardError, match="cannot have random_mask with the weights of registry:found@best: they are"):
        bench.ready(cards)


def test_nor_where_that_is_further_back(bench):
    last = card(seed=2, ticket_from={"experiment": "between", "round": 1}, arms=["ticket", "random_mask"])
    between = card(seed=2, ticket_from={"experiment": "taker", "round": 1})
    cards = bench.cards(source=card(), taker=taking("trained"), between=between, last=last)
    bench.publish(cards, 1)
    with pytest.raises(CardError, match="cannot have random_mask with the weights of between, round 1"):
        bench.ready(cards, "last")
