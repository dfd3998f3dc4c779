"""The code location follows the cards: loaded anew when they have changed, and not with a mistake in them."""

import threading
import time

import pytest

from lth_pipeline.servers.cards import followed, state_of
from lth_pipeline_tests.places import SMALL_CARD


class Told:
    def __init__(self):
        self.times, self.changed = 0, threading.Event()

    def __call__(self):
        self.times += 1
        self.changed.set()

    def waited(self) -> bool:
        found = self.changed.wait(20)
        self.changed.clear()
        return found


def test_changed_cards_are_loaded_and_mistakes_are_not(place, capfd):
    folder, told = place.folder / "experiments", Told()
    with followed(folder, state_of(folder), told, every=0.05):
        place.card("fresh", SMALL_CARD)
        assert told.waited()
        place.card("wrong", "model: {}\n")
        until = time.monotonic() + 20
        said = ""
        while "wrong.yaml" not in said:
            assert time.monotonic() < until
            time.sleep(0.05)
            said += capfd.readouterr().err
        assert "not loaded" in said and told.times == 1
        (folder / "wrong.yaml").unlink()
        assert told.waited()
        (folder / "fresh.yaml").unlink()
        assert told.waited() and told.times == 3


def test_what_goes_wrong_in_loading_is_tried_again(place, capfd):
    folder, told = place.folder / "experiments", Told()

    def load():
        told()
        if told.times == 1:
            raise RuntimeError("the code server is away")

    with followed(folder, state_of(folder), load, every=0.05):
        place.card("fresh", SMALL_CARD)
        assert told.waited() and told.waited() and told.times == 2, "once more, with nothing else changed"
    assert "the code server is away" in capfd.readouterr().err


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_is_not_there_may_come(tmp_path, there):
    folder, told = tmp_path / "experiments", Told()
    if there:
        folder.mkdir()
    with followed(folder, state_of(folder), told, every=0.05):
        folder.mkdir(exist_ok=True)
        (folder / "mine.yaml").write_text(SMALL_CARD)
        assert told.waited()
