"""`lth predict` and `lth_pipeline.predicting`: a model file or a published one, asked about images."""

import csv
import io
import json
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest
from PIL import Image

from lth_pipeline.predicting import ModelFileError, load
from lth_pipeline.tracking.tracker import open_tracker
from lth_pipeline_tests.lottery import exported
from lth_pipeline_tests.places import PROJECT, Place
from lth_pipeline_tests.publishing import register


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """ticket.onnx, ticket.pt2, ticket.safetensors, seven.png and nine.png that fit them."""
    made = tmp_path_factory.mktemp("predict")
    for suffix in exported.SUFFIXES:
        exported.write(made, suffix)
    for name, pixels in zip(("seven", "nine"), exported.images(2), strict=True):
        Image.fromarray(pixels[0]).save(made / f"{name}.png")
    return made


@pytest.fixture
def lth(tmp_path):
    return Place(tmp_path).here


@pytest.mark.parametrize("suffix", exported.SUFFIXES)
def test_every_format_predicts_what_python_predicts(suffix, folder, lth):
    model = str(folder / f"ticket{suffix}")
    files = [str(folder / "seven.png"), str(folder / "nine.png")]
    rows = json.loads(lth("predict", "--model", model, "--format", "json", "--top", "2", *files).stdout)
    right = load(folder / "ticket.onnx").predict(files, top=2)
    assert [row["image"] for row in rows] == files
    for row, prediction in zip(rows, right, strict=True):
        assert row["class"] == prediction.name and row["probability"] == row["top"][0]["probability"]
        found = {each["class"]: each["probability"] for each in row["top"]}
        assert found == pytest.approx(dict(prediction.top), abs=1e-6)


def test_the_table_and_csv_say_the_same(folder, lth):
    arguments = ["predict", "--model", str(folder / "ticket.onnx"), str(folder / "seven.png")]
    right = load(folder / "ticket.onnx").predict(folder / "seven.png", top=3)[0]
    table = lth(*arguments, COLUMNS="200").stdout
    assert re.search(rf"{re.escape(right.name)} +{right.probability:.1%}", table)
    for name, probability in right.top[1:]:
        assert f"{name} {probability:.1%}" in table
    assert "next" not in lth(*arguments, "--top", "1").stdout
    rows = list(csv.DictReader(io.StringIO(lth(*arguments, "--format", "csv").stdout)))
    assert [(row["rank"], row["class"]) for row in rows] == [
        (str(rank), name) for rank, (name, _) in enumerate(right.top, start=1)
    ]
    assert [float(row["probability"]) for row in rows] == [probability for _, probability in right.top]


def test_bad_images_are_told_apart_and_the_others_predicted(folder, lth, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "large.png")
    good = str(folder / "seven.png")
    files = [str(tmp_path / "text.png"), good, str(tmp_path / "large.png"), str(tmp_path / "missing.png")]
    done = lth("predict", "--model", str(folder / "ticket.onnx"), "--format", "csv", *files, check=False)
    assert done.returncode == 1
    assert {row["image"] for row in csv.DictReader(io.StringIO(done.stdout))} == {good}
    told = done.stderr.splitlines()
    assert len(told) == 3 and all(line.startswith("lth: ") for line in told)
    assert "text.png: not an image" in told[0] and "9 × 9 pixels" in told[1] and "no such file" in told[2]
    done = lth("predict", "--model", str(folder / "ticket.onnx"), "--resize", *files[1:3])
    assert "large.png" in done.stdout and not done.stderr
    done = lth("predict", "--model", str(folder / "ticket.onnx"), files[0], check=False)
    assert done.returncode == 1 and not done.stdout


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("missing.onnx", "missing.onnx: no such file"),
        ("seven.png", r"seven\.png: \.png; what can be read is \.onnx, \.pt2, \.safetensors"),
        ("registry:digits", "must be NAME@ALIAS or NAME/VERSION after registry: or models:/"),
        ("registry:digits@best", r"nothing was published yet: there is no .*mlflow\.db; is LTH_HOME another\?"),
    ],
)
def test_a_model_that_is_none_is_one_message_and_status_2(model, said, folder, lth):
    where = model if model.startswith("registry:") else str(folder / model)
    done = lth("predict", "--model", where, str(folder / "seven.png"), check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert re.search(said, done.stderr) and len(done.stderr.splitlines()) == 1


def test_onnx_files_are_asked_without_torch(folder):
    """It starts in a fraction of the time."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['torch', 'mlflow', 'pandas']))\n"
        f"sys.argv = ['lth', 'predict', '--model', {str(folder / 'ticket.onnx')!r}, {str(folder / 'seven.png')!r}]\n"
        "from lth_pipeline.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0 and "seven.png" in done.stdout, done.stderr


def test_a_published_network_is_asked_by_its_name(folder, furnished, tmp_path, monkeypatch):
    place = furnished(tmp_path)
    tracker = open_tracker(f"sqlite:///{tmp_path}/mlflow/mlflow.db", tmp_path / "mlflow", "http://127.0.0.1:5000")
    tracker.experiment_id("cats")  # which says where its files lie; MLflow left to itself takes ./mlruns
    content = exported.content(".safetensors")
    version = register(tracker.client, "cats", content, "best", "network.safetensors")
    register(tracker.client, "cats", content[:-100], "broken", "network.safetensors")
    for name in ("MLFLOW_TRACKING_URI", "LTH_STORE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LTH_HOME", str(tmp_path))
    right = load(folder / "ticket.safetensors").predict(folder / "seven.png")
    for name in ("registry:cats@best", "models:/cats@best", "registry:cats/1", "models:/cats/1"):
        assert load(name).predict(folder / "seven.png") == right
    with pytest.raises(ModelFileError, match=r"^registry:cats@broken \(version 2, run \w+\): network\.safeten"):
        load("registry:cats@broken")
    done = place.here("predict", "--model", "registry:cats@bst", str(folder / "seven.png"), check=False)
    assert done.returncode == 2
    assert done.stderr == (
        f"lth: model 'cats' has no alias 'bst'; there are: best (version {version.version}), broken (version 2)\n"
    )


def test_names_of_classes_are_shown_as_text(folder, lth, tmp_path, monkeypatch):
    """A model file is not to write to the terminal what it likes."""
    told = onnx.load(folder / "ticket.onnx")
    about = json.loads(told.metadata_props[0].value)
    told.metadata_props[0].value = json.dumps({**about, "classes": [f"\x1b[31m{name}" for name in about["classes"]]})
    onnx.save(told, tmp_path / "ticket.onnx")
    for form in ("table", "csv", "json"):
        said = lth(
            "predict", "--model", str(tmp_path / "ticket.onnx"), "--format", form, str(folder / "seven.png")
        ).stdout
        assert "\x1b" not in said and "[31m" in said
    assert "\x1b" not in str(load(tmp_path / "ticket.onnx").predict(folder / "seven.png")[0])


@pytest.mark.parametrize("page", ["README.md", "docs/predict.md"])
def test_the_lines_that_people_are_shown_work(page, folder, monkeypatch, capsys):
    text = (PROJECT / page).read_text()
    lines = re.search(r"```python\n(from lth_pipeline\.predicting import load\n.*?)```", text, re.DOTALL)[1]
    assert len(lines.replace("\n\n", "\n").splitlines()) == 3
    monkeypatch.chdir(folder)
    exec(lines, {})
    right = load("ticket.onnx").predict("seven.png")[0]
    assert capsys.readouterr().out == f"{right.name} ({right.probability:.1%})\n"


def test_the_program_that_needs_nothing_of_ours_gives_the_same(folder):
    """docs/predict.md's own program, for whoever does without lth_pipeline."""
    text = (PROJECT / "docs" / "predict.md").read_text()
    program = re.search(r"```python\n(import json\n.*?)```", text, re.DOTALL)[1]
    blocked = "import sys; sys.modules.update(dict.fromkeys(['lth_pipeline', 'torch']))\n"
    done = subprocess.run([sys.executable, "-c", blocked + program], cwd=folder, capture_output=True, text=True)
    right = load(folder / "ticket.onnx").predict(folder / "seven.png")[0]
    assert done.stdout.startswith(f"{right.name} {right.probability:.3f}"), done.stderr
