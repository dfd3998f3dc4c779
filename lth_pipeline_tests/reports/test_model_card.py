"""The model card, of figures made up for it."""

import json

import pytest

from lth_pipeline.reports.loading import loading
from lth_pipeline.reports.model_card import model_card

LAYER = {"kind": "fc", "density": 0.25, "weights": 40, "weights_left": 10, "inputs": 8, "outputs": 5}
ABOUT = {
    **{"experiment": "mine", "replicate": 1, "round": 3, "arm": "ticket", "quick": False},
    **{"density": 0.25, "weights_left": 10, "classes": ["a|b", 'q"`', "ü"]},
    **{"image_shape": [1, 2, 4], "colour": "grey", "recipe": "abc", "lth_pipeline": "1.0"},
    "data": {"name": "images", "title": "my images", "digest": "0" * 64, "licence": "your own"},
    "layers": [{"name": "fc1", "inputs_left": 1, "outputs_left": 1, **LAYER}],
    "versions": {"trained": "def"},
}
OWN = {"hits": 90, "images": 100, "share": 0.9, "low": 0.82, "high": 0.95}
ROW = {"mean": -0.01, "low": -0.02, "high": 0.005, "n": 5, "matching": False}
FIGURES = {
    "accuracy": OWN,
    "dense": {"share": 0.92, "difference": -0.02, "low": -0.05, "high": 0.01, "won": 3, "lost": 5},
    "verdict": {"early_stop": ROW, "end": {**ROW, "low": None, "high": None, "n": 1}},
    "margin": 0.005,
    "robustness": {"accuracy under attack (PGD, radius 0.1)": (0.5, 0.6), "accuracy on corrupted images": (0.7, None)},
}
FILE = {
    **{"name": "t.onnx", "form": "ONNX, compact", "int8": False, "bytes": 1000, "bytes_as_trained": 4000},
    **{"weights_stored": 21, "layers": [{"name": "fc1", "inputs_left": 7, "outputs_left": 3, **LAYER}]},
    **{"images": 100, "max_difference": 1.5e-6, "changed": 0, "ties": 0, "accuracy": 0.9},
}


def card(about=(), figures=(), file=(), more=()) -> str:
    """more: what another file says."""
    files = [{**FILE, **dict(file)}, *([{**FILE, **dict(more)}] if more else [])]
    made = {**FIGURES, **dict(figures)}
    return model_card({**ABOUT, **dict(about)}, made, files, {"mine": "name: mine\n"}, {"MLflow run": "r1"})


@pytest.mark.parametrize(
    "line",
    [
        "It has 10 of its 40 weights (25.0 %), and classifies 90.00 % of 100 test images correctly.",
        "Against the dense network of its replicate (92.00 %), on the same images: −2.00 percentage points (95 % "
        "interval −5.00 to +1.00, Agresti & Min; right where dense is wrong: 3, the other way round: 5).",
        "- at early stop: −1.00 percentage points (mean, n = 5; 95 % bootstrap interval −2.00 to +0.50, which covers",
        "- at the end of training: −1.00 percentage points (mean, n = 1)\n",
        "(a margin of 0.50 percentage points at early stop, every denser round too) a ticket of this round is not "
        "shown to match the dense network.",
        "| accuracy under attack (PGD, radius 0.1) | 50.00 % | 60.00 % |\n"
        "| accuracy on corrupted images | 70.00 % | – |",
        "| t.onnx | ONNX, compact | 21 | 1,000 bytes | 4,000 bytes | 100 test images: every prediction is its, "
        "logits differ by 1.5×10⁻⁶ at most |",
        "| fc1 | fc | 10 of 40 | 25.0 % | 7 of 8 | 3 of 5 |",
        "- licence of the data: your own\n",
        "- MLflow run: r1\n",
        "```yaml\nname: mine\n```",
    ],
)
def test_what_it_says(line):
    assert line in card()


def test_class_names_are_the_users_and_stay_as_they_are():
    block = card().split("```json\n")[1].split("\n```")[0]
    assert json.loads(block) == ABOUT["classes"]


def test_what_is_not_known_is_not_said():
    bare = card(figures={"dense": None, "verdict": {}, "robustness": {}})
    assert not any(words in bare for words in ("Against the dense", "verdict", "| robustness")) and "None" not in bare
    assert "Its robustness has not been measured." in bare and "robustness has not" not in card()


def test_a_quick_protocol_ties_and_eight_bits_are_said():
    assert "not the paper's protocol" in card({"quick": True}) and "not the paper's protocol" not in card()
    assert "2 predictions differ, all of them ties" in card(file={"changed": 2, "ties": 4})
    eight = card(file={"int8": True, "changed": 2, "accuracy": 0.89})
    assert "89.00 % of 100 test images, asked one by one; 2 predictions differ: 8 bits are another network" in eight


def test_whose_accuracy_it_is_where_a_file_has_eight_bits():
    eight = {"int8": True, "name": "t8.onnx"}
    alone, both, none = card(file=eight), card(more=eight), card()
    assert (
        "and with weights of 8 bits classifies 90.00 %" in alone
        and "ticket minus dense, all of them in float32" in alone
    )
    assert "This network with weights of 8 bits: 90.00 %" in alone and "| this network in float32 | dense |" in alone
    assert "and in float32 classifies 90.00 %" in both and "This network in float32: 90.00 %" in both
    assert all("may change with the images that are asked in the same call" in text for text in (alone, both))
    assert "8 bits" not in none and "float32:" not in none


def test_layers_are_those_in_the_files():
    whole = {"name": "w.pt2", "layers": [{"name": "fc1", "inputs_left": 8, "outputs_left": 5, **LAYER}]}
    of_one, of_two, of_same = card(), card(more=whole), card(more={"name": "s.pt2"})
    assert of_one.count("| layer |") == of_same.count("| layer |") == 1
    assert "t.onnx:\n\n| layer" in of_two and "w.pt2:\n\n| layer" in of_two
    assert "| fc1 | fc | 10 of 40 | 25.0 % | 8 | 5 |" in of_two


def test_whose_ticket_it_was_before_is_said():
    first = {"experiment": "a", "replicate": 0, "round": 4, "mask": "m1", "weights": None}
    second = {"experiment": "b", "replicate": 1, "round": 2, "registry": "b@best", "version": "3", "run": "r9"}
    text = card({"origins": [first, {**second, "mask": "m2", "weights": "w2"}]})
    assert "- ticket from: a, replicate 0, round 4; data version of its mask m1\n" in text
    assert (
        "- that ticket of a from: b, replicate 1, round 2 (registry:b@best: version 3, MLflow run r9); data version of "
        "its mask m2; data version of its weights w2\n"
    ) in text


def test_signals_are_no_pixels():
    of_signals = card({"image_shape": [1, 1, 40]})
    assert "pixels" not in of_signals and "pixels from 0 to 1" in card()
    assert "lth predict" not in of_signals and "lth predict" in card()
    assert all(loading(f"a.{suffix}", (1, 1, 40)).count("\n") == 4 for suffix in ("onnx", "pt2", "safetensors"))
