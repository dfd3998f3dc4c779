"""What is run first of the experiment whose ticket is taken."""

import pytest

from lth_pipeline.orchestration.sources import source_plans
from lth_pipeline.orchestration.stages import all_stages, asset_name
from lth_pipeline.orchestration.status import AssetStatus
from lth_pipeline_tests.recipes.making import card, load


def missing(name: str, replicate: int, last: int) -> list[AssetStatus]:
    return [
        AssetStatus(asset_name(stage.name, round), name, replicate, round, "missing")
        for stage, round in all_stages(last)
    ]


@pytest.mark.parametrize(
    ("origin", "of_round_2"),
    [
        ({"experiment": "source", "round": 2}, {"r02_mask", "r02_ticket"}),
        ({"experiment": "source", "round": 2, "weights": "trained"}, {"r02_mask", "r02_ticket", "r02_trained"}),
        ({"registry": "source@best"}, None),
    ],
)
def test_as_much_of_it_as_is_taken(tmp_path, origin, of_round_2):
    cards = load(tmp_path, source=card(), taker=card(seed=1, ticket_from=origin))
    todo = {"taker": {1: missing("taker", 1, 2)}}
    first, whole = source_plans(
        cards, todo, lambda name, replicates, round: {number: missing(name, number, round) for number in replicates}
    )
    assert whole == todo
    if of_round_2 is None:
        assert first == {}
    else:
        assert first.keys() == {"source"} and first["source"].keys() == {1}
        assert {entry.asset for entry in first["source"][1] if entry.round == 2} == of_round_2
