"""The yardsticks of the orchestration on cards so small that they take a second. Never how large the figures are."""

import pytest

from benchmarks import scale, scale_table
from lth_pipeline.recipes import load_cards


def test_the_table_of_a_store_that_was_filled_has_every_row(capsys):
    found = scale_table.rows_of_a_large_card(replicates=2, rounds=3, draws=2)
    said = capsys.readouterr().out
    assert "32 rows" in said  # a dense training, and in 3 rounds a ticket and 2 of each control: 1 + 3 × 5, twice
    (one,) = found.values()
    assert one["value"] > 0 and (one["unit"], one["target"]) == ("s", 5)


def test_only_what_is_asked_for_is_measured(monkeypatch):
    parts = {name: lambda name=name: {name: name.upper()} for name in ("a", "b", "c")}
    monkeypatch.setattr(scale, "PARTS", parts)
    assert scale.figures(["c", "a"]) == {"c": "C", "a": "A"}
    assert scale.figures() == {"a": "A", "b": "B", "c": "C"}


def test_growth_is_that_of_the_rounds_after_the_first():
    start = [100.0, 120.0, 130.0, 135.0, 138.0]
    assert scale.growth([*start, 140.0, 142.0, 144.0]) == pytest.approx(2)
    assert scale.growth([*start, 140.0, 180.0, 130.0]) == 0


def test_a_home_has_its_cards_and_goes_away():
    with scale.home_of(3, rounds=4, replicates=2) as folder:
        cards = load_cards([folder / "experiments"])
        mine = [cards[f"scale_{number:02d}"] for number in range(3)]
        assert {card.pruning.rounds for card in mine} == {4} and {card.replicates for card in mine} == {2}
        assert len({card.seed for card in mine}) == 3
    assert not folder.exists()
