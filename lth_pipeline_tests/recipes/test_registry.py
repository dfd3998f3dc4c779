"""Tickets from the model registry as chains take them: a registry of bytes here, MLflow's in commands/."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from lth_pipeline.experiments import CardError
from lth_pipeline.experiments.settings import TransferSettings
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.lottery.errors import DataError
from lth_pipeline.lottery.pruning import masks
from lth_pipeline.recipes import Step, Store, Workshop
from lth_pipeline.recipes.analyses import cost
from lth_pipeline.recipes.analyses.analysis import Subject, make
from lth_pipeline.recipes.divergence import diverged_above
from lth_pipeline.recipes.errors import NotPublishedError, PublishedError, RegistryAwayError
from lth_pipeline.recipes.ladder import ladder
from lth_pipeline.recipes.published import published_bytes
from lth_pipeline.recipes.ready import make_ready
from lth_pipeline.recipes.registry import Answer, Registry
from lth_pipeline.recipes.remarks import taken_over
from lth_pipeline.reports.analyses.cost_words import WHY, sentence
from lth_pipeline_tests.recipes.invariants import it_is_laid_on
from lth_pipeline_tests.recipes.making import Made, card, load, same, weights_left

REFERENCE = "found@best"
TRAINED = Step("trained", 2, "ticket")
DATA_1D = {"name": "mnist1d", "validation_size": 40, "train_size": 64, "test_size": 40}


def taking(weights: str = "source", reference: str = REFERENCE, **changes) -> dict:
    return card(seed=1, ticket_from={"registry": reference, "weights": weights}, **changes)


@dataclass
class Shelf:
    """A registry with one model. held: the files of its versions; every alias means the last."""

    held: list[bytes] = field(default_factory=list)
    away: bool = False
    fetched: int = 0
    warned: list[str] = field(default_factory=list)

    def ask(self, origin: TransferSettings, patient: bool) -> Answer:
        if self.away:
            raise RegistryAwayError("the server does not answer")
        name, _, number = origin.model
        if not self.held or name != "found":
            raise NotPublishedError("no such model; there are: found")
        version = int(number or len(self.held))

        def fetch(folder: Path) -> Path:
            self.fetched += 1
            (folder / "ticket.safetensors").write_bytes(self.held[version - 1])
            return folder / "ticket.safetensors"

        return Answer(str(version), f"run{version}", fetch)

    @property
    def registry(self) -> Registry:
        return Registry(self.ask, self.warned.append)


@dataclass(frozen=True)
class Bench:
    """A folder with cards, a store and a registry."""

    folder: Path
    shelf: Shelf

    @property
    def dirs(self) -> DataDirs:
        return DataDirs(Path("data"), self.folder / "cache")

    def cards(self, **cards):
        return load(self.folder / "cards", **cards)

    def made(self, cards, name: str, replicate: int = 0) -> Made:
        workshop = Workshop(Store(self.folder / "store"), self.dirs, device="cpu")
        return Made(workshop, workshop.chain(cards, name, replicate))

    def ready(self, cards, name: str = "taker") -> Made:
        make_ready(cards, name, self.dirs, None, [self.folder / "cards"], self.shelf.registry)
        return self.made(cards, name)

    def publish(self, cards, round: int, name: str = "source") -> Made:
        source = self.made(cards, name)
        self.shelf.held.append(published_bytes(source.workshop, source.chain, round))
        return source


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path, Shelf())


def test_a_published_ticket_goes_on_as_the_experiments_own_does(bench):
    """The very recipes that `ticket_from: {experiment, round}` has: nothing of it is trained again."""
    rewind = {"rewind": {"iteration": 3}}
    direct = card(seed=1, ticket_from={"experiment": "source", "round": 2}, arms=["ticket", "random_mask"])
    cards = bench.cards(source=card(**rewind), taker=taking(arms=["ticket", "random_mask"]), direct=direct)
    bench.publish(cards, 2)
    taker, other = bench.ready(cards), bench.made(cards, "direct")
    for step in (Step("mask", 1), Step("ticket", 1), Step("trained", 1, "random_mask"), TRAINED):
        assert taker.product(step).recipe == other.product(step).recipe
        assert not other.product(step).computed


@pytest.mark.parametrize("registry", [True, False], ids=["published", "of an experiment"])
def test_fine_tuning_begins_with_the_trained_weights(bench, registry):
    origin = {"registry": REFERENCE} if registry else {"experiment": "source", "round": 2}
    taker = card(seed=1, data=DATA_1D, ticket_from={**origin, "weights": "trained"})
    cards = bench.cards(source=card(), taker=taker)
    source = bench.publish(cards, 2)
    tuned = bench.ready(cards)
    own, theirs = tuned.weights(Step("initial_weights")), source.weights(TRAINED)
    expected = {name: own[name] if name.startswith("fc1") else theirs[name] for name in own}
    assert tuned.product(Step("mask", 1)).facts["fresh_layers"] == ["fc1"]  # of 40 inputs in place of 64
    it_is_laid_on(tuned.mask(1), tuned.weights(Step("ticket", 1)), expected)
    assert same(tuned.weights(Step("transferred_weights")), expected)
    it_is_laid_on(tuned.mask(2), tuned.weights(Step("ticket", 2)), expected)
    first, last = (tuned.rows(Step("trained", 1, "ticket"))[at] for at in (0, -1))
    assert first["iteration"] == 0 and last["iteration"] == 10


@pytest.mark.parametrize(("weights", "nothing"), [("trained", True), ("source", False), ("own", False)])
def test_there_is_no_going_on_from_a_training_that_diverged(bench, weights, nothing):
    """Of the ticket that is taken: its mask, drawn at random, and the weights before it are there."""
    wild = card(training={"learning_rate": 1e9, "weight_decay": None}, pruning={"criterion": "random"})
    origin = {"experiment": "source", "round": 1, "weights": weights}
    taker = bench.made(bench.cards(source=wild, taker=card(seed=1, ticket_from=origin)), "taker")
    for round in (1, 2):
        why = diverged_above(taker.chain, round, lambda chain, step: taker.workshop.make(chain, step).facts)
        if nothing:
            assert why.endswith("there is nothing of source to go on from")
        elif round == 1:
            assert why is None


def test_the_mask_alone_on_ones_own_weights(bench):
    cards = bench.cards(source=card(), taker=taking("own", rewind={"iteration": 3}))
    source = bench.publish(cards, 1)
    taker = bench.ready(cards)
    assert same(taker.mask(1), source.mask(1))
    it_is_laid_on(taker.mask(1), taker.weights(Step("ticket", 1)), taker.weights(Step("rewind_weights", iteration=3)))


def test_the_ladder_is_of_what_the_ticket_really_has(bench):
    """Also of a global ranking, and of whole units, whose counts no formula knows."""
    ranked = {"scope": "global", "structure": "units", "rates": {"fc": 0.3}}
    cards = bench.cards(source=card(pruning=ranked), taker=taking(model={"widths": [16, 12, 8]}))
    source = bench.publish(cards, 2)
    taker = bench.ready(cards)
    rungs = ladder(cards, "taker", 2, bench.dirs)
    assert rungs[1].keep == weights_left(taker.mask(1)) and rungs[2].keep == weights_left(taker.mask(2))
    assert rungs[1].keep["fc1.weight"] == weights_left(source.mask(2))["fc1.weight"]
    assert rungs[1].keep["output.weight"] == 80
    assert taker.chain.structure(1) == "units" and taker.chain.structure(2) == "weights"


def test_what_finding_it_took_is_not_told_as_nothing(bench):
    cards = bench.cards(source=card(), taker=taking(pruning={"rounds": 1}))
    bench.publish(cards, 1)
    taker = bench.ready(cards)
    for round in (0, 1):
        taker.product(taker.chain.main(round))
    (part,) = cost.parts(Subject(taker.workshop, [taker.chain]))
    _, ticket = make(taker.workshop, part).found.tables["cost"]
    assert ticket["never"] == "published" and ticket["payback_flops"] is None
    assert WHY["published"] in sentence(pd.Series(ticket), busy=False)


def test_all_replicates_take_the_same_ticket(bench):
    cards = bench.cards(source=card(), taker=taking("trained"))
    bench.publish(cards, 2)
    bench.ready(cards)
    one, two = (bench.made(cards, "taker", replicate) for replicate in (0, 1))
    assert same(one.weights(Step("ticket", 1)), two.weights(Step("ticket", 1)))
    assert not same(one.weights(Step("trained", 1, "ticket")), two.weights(Step("trained", 1, "ticket")))


def test_it_is_fetched_once_and_known_without_asking(bench):
    cards = bench.cards(source=card(), taker=taking())
    bench.publish(cards, 2)
    unread = bench.made(cards, "taker")
    assert not unread.chain.is_known() and unread.chain.lacks() == "its ticket is"
    assert unread.workshop.look_up(unread.chain, Step("mask", 1)) is None
    for step in (Step("initial_weights"), Step("mask", 1)):
        with pytest.raises(PublishedError, match="registry:found@best: has not been fetched yet; `lth show"):
            unread.product(step)
    bench.ready(cards)
    bench.ready(cards)
    assert bench.shelf.fetched == 1 and not bench.shelf.warned
    known = bench.made(cards, "taker")
    assert known.chain.is_known() and known.product(Step("mask", 1)).computed
    said = "Round 1 is the ticket of registry:found@best (version 1: source, replicate 0, round 2), with the weights"
    assert taken_over(known.chain).startswith(said)


def test_who_need_not_ask_anew_goes_by_the_last_answer(bench):
    """As the runs of one `lth run`, which all take the version that it found."""
    cards = bench.cards(source=card(), taker=taking())
    not_anew = replace(bench.shelf.registry, anew=False)
    source = bench.publish(cards, 1)
    make_ready(cards, "taker", bench.dirs, registry=not_anew)
    bench.publish(cards, 2)
    make_ready(cards, "taker", bench.dirs, registry=not_anew)
    assert same(bench.made(cards, "taker").mask(1), source.mask(1))


def test_an_alias_that_moves_is_another_ticket(bench):
    cards = bench.cards(source=card(), taker=taking("trained"))
    bench.publish(cards, 1)
    before = bench.ready(cards).product(Step("trained", 1, "ticket")).recipe
    source = bench.publish(cards, 2)
    same_as_before = bench.made(cards, "taker")
    assert same_as_before.product(Step("trained", 1, "ticket")).recipe == before, "until it is asked for again"
    after = bench.ready(cards)
    assert after.workshop.look_up(after.chain, Step("mask", 1)) is None
    assert same(after.mask(1), source.mask(2)) and after.product(Step("trained", 1, "ticket")).recipe != before


def test_without_a_registry_the_ticket_that_was_fetched_goes_on(bench):
    cards = bench.cards(source=card(), taker=taking())
    bench.shelf.away = True
    with pytest.raises(DataError, match="found@best: has not been fetched yet, and the server does not answer"):
        bench.ready(cards)
    bench.shelf.away = False
    source = bench.publish(cards, 2)
    bench.ready(cards)
    bench.shelf.away = True
    assert same(bench.ready(cards).mask(1), source.mask(2))
    (warned,) = bench.shelf.warned
    assert (
        warned
        == "the server does not answer; registry:found@best is taken to be version 1 still, which was fetched earlier"
    )
    make_ready(cards, "taker", bench.dirs)  # nobody to ask


@pytest.mark.parametrize("damage", ["file", "entry", "gone"])
def test_a_damaged_cache_is_fetched_again(bench, damage):
    cards = bench.cards(source=card(), taker=taking())
    source = bench.publish(cards, 2)
    bench.ready(cards)
    (kept,) = (bench.folder / "cache" / "registry").glob("*.safetensors")
    (entry,) = (bench.folder / "cache" / "registry").glob("version-*.json")
    if damage == "file":
        kept.write_bytes(kept.read_bytes()[:-1] + b"x")
        with pytest.raises(PublishedError, match=f"{kept}: is not a published ticket, or was damaged"):
            bench.made(cards, "taker").product(Step("mask", 1))
    elif damage == "entry":
        entry.write_text(entry.read_text()[:-50])
    else:
        kept.unlink()
    assert same(bench.ready(cards).mask(1), source.mask(2)) and bench.shelf.fetched == 2


@pytest.mark.parametrize("content", [b"", b"no ticket", "cut"])
def test_a_file_that_is_no_ticket_is_the_cards_error(bench, content):
    cards = bench.cards(source=card(), taker=taking())
    source = bench.made(cards, "source")
    whole = published_bytes(source.workshop, source.chain, 1)
    bench.shelf.held.append(whole[:-7] if content == "cut" else content)
    with pytest.raises(CardError) as caught:
        bench.ready(cards)
    path = bench.folder / "cards" / "taker.yaml"
    line = path.read_text().splitlines().index("  registry: found@best") + 1
    start = f"{path}, line {line}: ticket_from.registry = 'found@best': version 1, MLflow run run1: its file is not"
    assert str(caught.value).startswith(start)
    assert not [*(bench.folder / "cache" / "registry").iterdir()], "nothing half-written stays"


def test_what_is_not_in_the_registry_is_the_cards_error(bench):
    short = "based_on: source\nticket_from: registry:fund@best\n"
    cards = bench.cards(source=card(), taker=short)
    with pytest.raises(CardError) as caught:
        bench.ready(cards)
    where = f"{bench.folder / 'cards' / 'taker.yaml'}, line 2"
    assert str(caught.value) == f"{where}: ticket_from.registry = 'fund@best': no such model; there are: found"


def test_a_network_that_shares_no_layer(bench):
    other = {"data": DATA_1D, "model": {"widths": [15, 11]}}
    cards = bench.cards(source=card(), taker=taking(**other))
    bench.publish(cards, 1)
    remedy = "mlp shares no layer of the same shape with mlp of version 1 \\(source, replicate 0, round 1\\); take a"
    with pytest.raises(CardError, match=f"registry = 'found@best': {remedy}"):
        bench.ready(cards)


@pytest.mark.parametrize("published", [True, False])
def test_no_other_mask_is_laid_on_what_a_ticket_was_trained_to(bench, published):
    """Also where that is what the ticket of a ticket was rewound to."""
    arms = ["ticket", "shuffled_mask"]
    cards = bench.cards(source=card(), taker=taking("trained"))
    bench.publish(cards, 2)
    bench.ready(cards)
    if published:
        bench.publish(cards, 1, "taker")
        cards = bench.cards(last=taking(arms=arms))
    else:
        cards = bench.cards(last=card(seed=2, ticket_from={"experiment": "taker", "round": 1}, arms=arms))
    of = "registry:found@best" if published else "taker, round 1"
    with pytest.raises(CardError, match=f"cannot have shuffled_mask with the weights of {of}: they are zero where it"):
        bench.ready(cards, "last")


def test_a_setting_that_says_nothing_is_found_once_the_ticket_is_known(bench):
    cards = bench.cards(source=card(), taker=taking(pruning={"rounds": 1, "criterion": "movement"}))
    bench.publish(cards, 1)
    with pytest.raises(CardError, match=r"pruning\.criterion = 'movement': has no effect: round 1, the only one"):
        bench.ready(cards)


def test_the_ticket_of_a_ticket(bench):
    """Fine-tuned, published again, taken again: and by another experiment, of the experiment that took it."""
    cards = bench.cards(
        source=card(),
        taker=taking("trained"),
        last=card(seed=2, ticket_from={"experiment": "taker", "round": 1, "weights": "trained"}),
    )
    bench.publish(cards, 2)
    tuned = bench.ready(cards)
    trained = tuned.weights(Step("trained", 1, "ticket"))
    last = bench.ready(cards, "last")
    assert last.chain.is_known() and same(last.weights(Step("ticket", 1)), masks.apply(tuned.mask(1), trained))
    bench.publish(cards, 1, "taker")
    cards = bench.cards(again=taking("trained"))
    again = bench.ready(cards, "again")
    assert same(again.weights(Step("ticket", 1)), trained)
    assert not torch.equal(trained["fc1.weight"], again.weights(Step("trained", 1, "ticket"))["fc1.weight"])
