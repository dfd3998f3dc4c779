"""One run means one version of a published ticket: which runs are handed it, and which ask."""

import json
from types import SimpleNamespace

import pytest

from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.orchestration.plan import Asked
from lth_pipeline.orchestration.registry import TICKETS, registry_of, versions_of_run
from lth_pipeline.orchestration.why import WHY
from lth_pipeline.recipes.ready import make_ready
from lth_pipeline_tests.recipes.making import card
from lth_pipeline_tests.recipes.test_registry import REFERENCE, Bench, Shelf, taking


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path, Shelf())


def test_every_task_of_a_command_is_handed_the_version_that_it_found(bench):
    """Of the card, and of the card that its own ticket comes from; a card with no such ticket has no such tag."""
    last = card(seed=2, ticket_from={"experiment": "taker", "round": 1})
    cards = bench.cards(source=card(), taker=taking(), last=last)
    bench.publish(cards, 1)
    home = SimpleNamespace(dagster=bench.folder)

    def tags(cards, name: str) -> dict[str, str]:
        asked = Asked(home, cards, cards[name], None, bench.folder)
        return asked.task("job", f"{name}|0", (), name, why="to see").tags

    assert TICKETS not in tags(cards, "taker"), "nobody has asked"
    planned = make_ready(cards, "last", bench.dirs, registry=bench.shelf.registry)
    bench.publish(cards, 2)
    for name in ("taker", "last"):
        found = tags(planned, name)
        assert json.loads(found[TICKETS]) == versions_of_run(found) == {REFERENCE: "1"} and found[WHY] == "to see"
    assert TICKETS not in tags(planned, "source") and versions_of_run(tags(planned, "source")) == {}


def test_a_run_that_nobody_planned_asks_only_for_what_it_does_not_have(bench):
    cards = bench.cards(source=card(), taker=taking())
    bench.publish(cards, 1)
    asked = []

    def opened():
        asked.append(True)
        raise AssertionError("the registry is not to be asked")

    context = SimpleNamespace(run=SimpleNamespace(tags={}), log=SimpleNamespace(warning=print))
    registry = registry_of(context, SimpleNamespace(tracker=lambda warn: opened()))
    with pytest.raises(AssertionError):
        make_ready(cards, "taker", bench.dirs, registry=registry)
    assert asked.pop()
    bench.ready(cards)
    make_ready(cards, "taker", bench.dirs, registry=registry)
    elsewhere = DataDirs(bench.dirs.sets, bench.folder / "elsewhere")
    with pytest.raises(AssertionError):
        make_ready(cards, "taker", elsewhere, registry=registry)
