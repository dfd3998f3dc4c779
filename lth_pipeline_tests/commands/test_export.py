"""`lth export`: files that run by themselves, say what the trained network says, and are all there or none."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import onnxruntime
import pytest
import torch

from lth_pipeline.recipes import Step, Store, Workshop, export_figures, exported, load_cards
from lth_pipeline.recipes import checked as checking
from lth_pipeline.recipes.analyses.analysis import Subject
from lth_pipeline.recipes.small import ticket_of
from lth_pipeline_tests.places import SMALL_CARD, Place

FORMATS = ("onnx", "pt2", "safetensors")
#: every ticket matches: the card's rounds are far too few to lose so much
MATCHING = SMALL_CARD.replace("replicates: 2", "replicates: 3\nanalysis: {margin: 0.2}")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, furnished) -> Place:
    """A home with an experiment that is trained, three replicates of two rounds."""
    place = furnished(tmp_path_factory.mktemp("trained"))
    place.card("small", MATCHING)
    place.card("untrained", SMALL_CARD.replace("iterations: 90", "iterations: 60"))
    shop, cards = shop_of(place)
    for replicate in range(3):
        chain = shop.chain(cards, "small", replicate)
        for round, arm in ((0, "dense"), (1, "ticket"), (2, "ticket"), (2, "reinit")):
            shop.make(chain, Step("trained", round, arm))
    return place


def shop_of(place: Place):
    data = os.environ.get("LTH_DATA_DIR", place.folder / "data")
    return Workshop(Store(place.store), data), load_cards([place.folder / "experiments"])


def export(place: Place, *arguments: str | Path, check: bool = True) -> str:
    done = place.here("export", *map(str, arguments), check=check)
    assert check or (done.returncode and "Traceback" not in done.stderr), done.stdout
    return re.sub(r"\s+", " ", done.stdout + done.stderr)


def test_the_lines_of_the_model_card_run_without_lth_pipeline(trained, tmp_path):
    """Each format's five lines, copied out of the card into a process that cannot import lth_pipeline."""
    files = [tmp_path / f"ticket.{suffix}" for suffix in FORMATS]
    said = export(trained, "small", "--round", 2, "--replicate", 0, "--sparse", *(f"--to={file}" for file in files))
    assert {path.name for path in tmp_path.iterdir()} == {*(f.name for f in files), "ticket.md", "lth_network.py"}
    assert said.count("every prediction is its") == 3 and "lth predict --model" in said
    blocks = re.findall(r"```python\n(.*?)```", (tmp_path / "ticket.md").read_text(), re.DOTALL)
    assert len(blocks) == 3 and all(block.count("\n") == 5 for block in blocks)
    program = "import sys\nsys.modules['lth_pipeline'] = None\n" + "\n".join(blocks)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shop, cards = shop_of(trained)
    ticket = ticket_of(shop, shop.chain(cards, "small", 0), 2)
    of_black = ticket.model.logits(
        ticket.weights, -_by_channel(ticket.mean).expand(1, 1, 8, 8) / _by_channel(ticket.std)
    )
    assert re.findall(r"\d+", done.stdout) == [str(int(of_black.argmax()))] * 3


def _by_channel(values) -> torch.Tensor:
    return torch.tensor(values).view(1, -1, 1, 1)


def rows_of(place: Place) -> list[dict]:
    shop, cards = shop_of(place)
    return Subject(shop, [shop.chain(cards, "small", replicate) for replicate in range(3)]).rows()


def test_the_card_says_what_the_results_say(trained, tmp_path):
    export(trained, "small", "--round", 1, "--replicate", 1, "--to", tmp_path / "one.onnx")
    card = (tmp_path / "one.md").read_text()
    row = next(row for row in rows_of(trained) if (row["replicate"], row["round"], row["arm"]) == (1, 1, "ticket"))
    accuracy = f"{100 * row['test_accuracy_at_end']:.2f} %"
    assert f"classifies {accuracy} of 397 test images correctly" in card
    for words in (
        "CC BY 4.0",
        f"data version, trained: {row['data_version']}",
        "By the verdict's rule (a margin of 20 percentage points",
        "matches the dense network",
        "(mean, n = 3; 95 % bootstrap interval",
        "widths:",
        "Its robustness has not been measured",
    ):
        assert words in card
    front = card.split("---")[1]
    assert "license" not in front and "lottery-ticket" in front


def test_a_round_and_a_replicate_are_chosen_by_the_rule(trained, tmp_path):
    said = export(trained, "small", "--to", tmp_path / "best.onnx")
    second = [row for row in rows_of(trained) if (row["round"], row["arm"]) == (2, "ticket")]
    losses = {row["replicate"]: row["validation_loss_min"] for row in second}
    assert f"small, replicate {min(losses, key=losses.get)}, round 2, ticket" in said
    assert "the sparsest of the 2 rounds that match" in said


def test_the_same_network_makes_the_same_file_and_others_do_not(trained, tmp_path):
    for name, more in (("a", ()), ("b", ()), ("c", ("--as-trained",)), ("d", ("--arm", "reinit")), ("e", ("--int8",))):
        export(trained, "small", "--round", 2, "--replicate", 0, "--to", tmp_path / f"{name}.onnx", *more)
    content = {name: (tmp_path / f"{name}.onnx").read_bytes() for name in "abcde"}
    assert content["a"] == content["b"] and len(set(content.values())) == 4
    about = onnxruntime.InferenceSession(content["d"]).get_modelmeta().custom_metadata_map["lth_pipeline"]
    assert json.loads(about)["arm"] == "reinit"


def test_the_card_of_an_int8_file_has_its_own_accuracy(trained, tmp_path):
    """One that is right by half as often, so that it shows; that of a float32 file too has the trained one's."""
    honest, chosen = checking.compared, ("small", "--round=2", "--replicate=0", "--int8")
    rights = []

    def half(ticket, logits_of):
        found = honest(ticket, logits_of)
        correct = found.correct & (np.arange(found.images) % 2 == 0)
        rights.append(int(correct.sum()))
        return replace(found, correct=correct)

    with patch.object(exported, "compared", half):
        export(trained, *chosen, "--to", tmp_path / "e.onnx")
        export(trained, *chosen, f"--to={tmp_path}/both.onnx", f"--to={tmp_path}/both.safetensors")
    card, both = ((tmp_path / f"{name}.md").read_text() for name in ("e", "both"))
    assert f"This network with weights of 8 bits: {100 * rights[0] / 397:.2f} % ({rights[0]} of 397 test" in card
    assert f"other way round: {rights[0]}" not in card and "8 bits are another network" in card
    row = next(row for row in rows_of(trained) if (row["replicate"], row["round"], row["arm"]) == (0, 2, "ticket"))
    assert f"This network in float32: {100 * row['test_accuracy_at_end']:.2f} %" in both
    assert f"| {100 * rights[1] / 397:.2f} % of 397 test images, asked one by one" in both


def test_the_dense_network_is_round_nought(trained, tmp_path):
    export(trained, "small", "--round", 0, "--replicate", 2, "--to", tmp_path / "dense.onnx")
    card = (tmp_path / "dense.md").read_text()
    assert "# The dense network: small, replicate 2, round 0, dense" in card and "Against the dense" not in card


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("small", "--to", "{}/a.tflite"), "ends with '.tflite', not .onnx, .pt2, .safetensors"),
        (("small", "--to", "{}/a"), "ends with 'nothing', not .onnx"),
        (("small", "--to", "{}/no/a.onnx"), "there is no folder {}/no; make it first"),
        (("small", "--to", "{}/a.onnx", "--sparse"), "--sparse is for .safetensors files"),
        (("small", "--to", "{}/a.pt2", "--int8"), "--int8 is for .onnx files"),
        (("smal", "--to", "{}/a.onnx"), "no experiment 'smal'. Did you mean small?"),
        (
            ("small", "--to", "{}/a.onnx", "--round", "1", "--replicate", "0", "--arm", "x"),
            "no arm 'x'; there are: ticket",
        ),
        (("untrained", "--to", "{}/a.onnx"), "no round can be chosen: nothing is trained yet. Name one: --round"),
        (("untrained", "--to", "{}/a.onnx", "--round", "1"), "train it: lth run untrained --through 1"),
    ],
)
def test_what_cannot_be_exported_is_said_and_leaves_nothing(trained, tmp_path, arguments, message):
    said = export(trained, *(part.format(tmp_path) for part in arguments), check=False)
    assert message.format(tmp_path) in said
    assert not list(tmp_path.iterdir())


def test_a_round_that_is_not_trained_says_which_are(trained, tmp_path):
    for round in (7, 1000):  # more than Python calls itself
        said = export(trained, "small", f"--round={round}", "--replicate=0", f"--to={tmp_path}/a.onnx", check=False)
        assert f"round {round} is not trained; rounds 0 … 2 are; train it: lth run small --replicates 0" in said


def test_files_that_are_there_are_kept_unless_forced(trained, tmp_path):
    path, chosen = tmp_path / "a.onnx", ("--round", 1, "--replicate", 0)
    for there in ("a.onnx", "a.md"):
        (tmp_path / there).write_text("mine")
        said = export(trained, "small", *chosen, "--to", path, check=False)
        assert f"{there}: is there already; --force writes over it" in said
        assert (tmp_path / there).read_text() == "mine"
        (tmp_path / there).unlink()
    (tmp_path / "lth_network.py").write_text("mine")
    assert "is another one" in export(trained, "small", *chosen, "--to", tmp_path / "a.safetensors", check=False)
    export(trained, "small", *chosen, "--to", tmp_path / "a.safetensors", "--force")
    assert "def load" in (tmp_path / "lth_network.py").read_text()


def test_a_card_is_never_left_without_its_file_nor_a_file_without_its_card(trained, tmp_path):
    """Files of one name have one card: what another export wrote is not to stand beside the card of this one."""
    chosen = ("small", "--round=1", "--replicate=0")
    export(trained, *chosen, "--to", tmp_path / "t.onnx")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for more in ((), ("--force",)):
        said = export(trained, "small", "--round=2", "--replicate=0", f"--to={tmp_path}/t.pt2", *more, check=False)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert "t.onnx: is there already, and" in said and "is the model card of both; delete it, write it anew" in said
    export(trained, *chosen, f"--to={tmp_path}/t.safetensors", f"--to={tmp_path}/t.onnx", "--force")
    assert "t.onnx" in (tmp_path / "t.md").read_text() and "t.safetensors" in (tmp_path / "t.md").read_text()


def test_only_what_fails_to_be_written_is_called_so(trained, tmp_path):
    chosen = ("small", "--round=1", "--replicate=0", f"--to={tmp_path}/a.onnx")
    full, elsewhere = OSError(28, "No space left on device"), OSError(5, "Input/output error", "the data")
    for what, name in (("write_bytes", "a.onnx"), ("write_text", "a.md"), ("replace", "a.md")):
        with patch.object(Path, what, side_effect=full):
            said = export(trained, *chosen, check=False)
        assert f"{name}: cannot be written (No space left on device)" in said
        assert not list(tmp_path.iterdir())
    with patch.object(export_figures, "figures", side_effect=elsewhere), pytest.raises(OSError, match="the data"):
        export(trained, *chosen)
    assert not list(tmp_path.iterdir())


def test_a_file_that_says_something_else_is_not_written(trained, tmp_path):
    """Another network in the place of the right one: nothing is left of it, nor of the file that was right."""
    honest = checking.compared

    def turned(ticket, logits_of):
        return honest(ticket, lambda images: logits_of(np.ascontiguousarray(images[..., ::-1])))

    with patch.object(checking, "compared", turned):
        said = export(trained, "small", "--round", 1, "--replicate", 0, "--to", tmp_path / "a.onnx", check=False)
    assert "its logits differ from the trained network's by up to" in said and "nothing was written" in said
    assert not list(tmp_path.iterdir())


def test_without_the_packages_it_says_what_to_install(trained, tmp_path):
    with patch.dict(sys.modules, {"onnx": None}):
        said = export(trained, "small", "--round=1", "--replicate=0", f"--to={tmp_path}/a.onnx", check=False)
    assert "the Python package onnx is missing" in said and "pip install --editable '.[export]'" in said
    assert not list(tmp_path.iterdir())
