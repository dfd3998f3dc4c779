"""Which trainings are an experiment's results, in a store that several experiments share."""

from lth_pipeline.recipes.results import gather
from lth_pipeline_tests.recipes.making import card, load, workshop_in


def found(workshop, cards, name: str, replicates: int = 3, beyond=()) -> set[tuple[int, int, str]]:
    rows = gather(workshop, [workshop.chain(cards, name, number) for number in range(replicates)], beyond)
    return {(row["replicate"], row["round"], row["arm"]) for row in rows}


def test_what_another_experiment_made_deeper_or_oftener_is_not_among_them(tmp_path):
    shallow, deep = card(pruning={"rounds": 1}), card(pruning={"rounds": 3}, replicates=2)
    cards = load(tmp_path / "cards", shallow=shallow, deep=deep)
    workshop = workshop_in(tmp_path / "store")
    for replicate in range(2):
        chain = workshop.chain(cards, "deep", replicate)
        for round in range(4):
            workshop.make(chain, chain.main(round))
    own = {(0, 0, "dense"), (0, 1, "ticket")}
    assert found(workshop, cards, "shallow") == own
    assert found(workshop, cards, "deep") == {(n, r, "ticket" if r else "dense") for n in (0, 1) for r in range(4)}
    assert found(workshop, cards, "shallow", beyond={(0, 2)}) == own | {(0, 2, "ticket")}
    assert found(workshop, cards, "shallow", beyond={(1, 0)}) == own | {(1, 0, "dense")}


def test_rows_end_where_a_round_is_missing(tmp_path):
    cards = load(tmp_path / "cards", one=card(pruning={"rounds": 3}, arms=["ticket", "random_mask"], draws=2))
    workshop = workshop_in(tmp_path / "store")
    chain = workshop.chain(cards, "one", 0)
    for round in range(2):
        for step in chain.trainings(round):
            workshop.make(chain, step)
    rows = gather(workshop, [chain])
    assert [(row["round"], row["arm"], row["draw"]) for row in rows] == [
        (0, "dense", 0),
        (1, "ticket", 0),
        (1, "random_mask", 0),
        (1, "random_mask", 1),
    ]
    assert len({row["weights"] for row in rows if row["round"]}) == 1
