"""What is printed fits the terminal, or is wider than it: no figure is cut."""

from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from lth_pipeline.cli import lth
from lth_pipeline.commands import reading
from lth_pipeline.commands.screen import results_on_screen
from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.home import find_home
from lth_pipeline.recipes import facts, load_cards, ready
from lth_pipeline_tests.places import SMALL_CARD
from lth_pipeline_tests.reports.made_up import frame


@pytest.mark.parametrize("columns", [20, 60, 80, 115, 160])
@pytest.mark.parametrize("arms", [("ticket", "reinit", "random_mask"), tuple(arm for arm in ARMS if arm != "dense")])
def test_the_table_of_results_is_never_cut(capsys, monkeypatch, columns, arms):
    monkeypatch.setenv("COLUMNS", str(columns))
    results_on_screen(load_cards([])["digits"], frame("mine", 0, 1, 2, 2, arms))
    said = capsys.readouterr().out
    assert "…" not in said and "97.43 ±0.10" in said and "-0.00" not in said
    table = [line for line in said.splitlines() if "97.43 ±0.10" in line or "round  density" in line]
    assert ("ticket−it" in said) == (columns < 160 or len(arms) > 3)
    assert len(table) == 2 and (columns < 80 or max(map(len, table)) <= columns)


@pytest.mark.parametrize("columns", [40, 80, 100, 120, 200])
def test_the_list_leaves_descriptions_out_before_it_cuts_anything(inside, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    said = CliRunner().invoke(lth, ["list"]).output
    assert "lenet_mnist_strategies_quick" in said and "digits (scikit-learn)" in said and "112,000" in said
    assert ("description" in said.splitlines()[0]) == (columns >= 120)
    assert ("What each is for" in said) == (columns < 120)


def test_images_of_a_source_are_read_under_its_own_title(inside, monkeypatch):
    """Published images of the ticket's taker, own images of its giver."""
    inside.card("giver", SMALL_CARD.replace("name: digits", "name: images, path: pets, title: my pets"))
    inside.card(
        "taker", f"{SMALL_CARD}ticket_from: {{experiment: giver, round: 1}}\n".replace("rounds: 2", "rounds: 1")
    )
    bars = []

    @contextmanager
    def bar(title):
        yield lambda done, total: bars.append((title, done, total))

    monkeypatch.setattr(reading, "reading_bar", bar)
    monkeypatch.setattr(facts, "prepare", lambda data, dirs, progress: progress(0, 7))
    monkeypatch.setattr(ready, "make_ready", lambda cards, name, *_: None)
    home = find_home()
    reading.make_ready(home, load_cards([home.experiments]), "taker")
    assert bars == [("my pets", 0, 7)]
