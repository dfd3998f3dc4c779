"""Own images as a user runs them: a folder, an archive, streamed; and what is said where they are not right."""

import io
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lth_pipeline_tests.commands.reading import results
from lth_pipeline_tests.places import Place

CARD = """\
description: own images
data: {{name: images, path: {path}, title: three colours, validation_size: 12, augmentation: {{flip: true, crop: 1}}}}
model: {{name: resnet_cifar, depth: 8, filters: 4, initialisation: kaiming_normal}}
training: {{optimiser: sgd, momentum: 0.9, learning_rate: 0.05, batch_size: 16, iterations: 12, evaluate_every: 6}}
pruning: {{scope: global, rates: {{conv: 0.3}}, output_rate: 0, rounds: 1}}
replicates: 1
"""


@pytest.fixture
def data(place, monkeypatch):
    """A data folder of its own, with 3 × 20 training and 3 × 6 test images of 8 × 8 pixels in `colours`."""
    folder = place.folder / "data"
    draws = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 6)):
        for index, name in enumerate(("blue", "green", "red")):
            (folder / "colours" / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = draws.integers(0, 120, (8, 8, 3), dtype=np.uint8)
                pixels[..., 2 - index] += 120
                Image.fromarray(pixels).save(folder / "colours" / part / name / f"{number:03}.png")
    monkeypatch.setenv("LTH_DATA_DIR", str(folder))
    return folder


def versions(place: Place, name: str) -> dict[tuple, str]:
    """{(round, arm): data version} of the trainings in the store."""
    from lth_pipeline.lottery.data import DataDirs
    from lth_pipeline.recipes import Store, Workshop, load_cards
    from lth_pipeline.recipes.results import gather

    dirs = DataDirs(Path(os.environ["LTH_DATA_DIR"]), place.folder / ".lth" / "cache")
    shop = Workshop(Store(place.store), dirs)
    rows = gather(shop, [shop.chain(load_cards([place.folder / "experiments"]), name, 0)])
    return {(row["round"], row["arm"]): row["data_version"] for row in rows}


@pytest.mark.servers  # half a minute
def test_a_folder_its_archive_and_a_stream_of_it_are_one_experiment(place, data, furnished, tmp_path_factory):
    place.card("folder", CARD.format(path="colours"))
    first = place.lth("run", "folder")
    assert "reading three colours: 78 images, once" in first.stderr
    assert "three colours" in first.stdout
    rows = results(place, "folder")
    assert sorted((row["round"], row["arm"]) for row in rows) == [("0", "dense"), ("1", "reinit"), ("1", "ticket")]
    assert "up to date" in place.here("run", "folder").stdout
    _look_at_the_runs(place)

    with tarfile.open(data / "colours.tar.gz", "w:gz") as archive:
        archive.add(data / "colours", "colours")
    place.card("archive", CARD.format(path="colours.tar.gz"))
    trained = len(list(place.store.rglob("*.safetensors")))
    place.lth("run", "archive")
    assert versions(place, "archive") == versions(place, "folder")
    assert len(list(place.store.rglob("*.safetensors"))) == trained  # nothing was trained twice

    streamed = furnished(tmp_path_factory.mktemp("streamed"))
    streamed.card("folder", CARD.format(path="colours"))
    streamed.lth("run", "folder", LTH_MEMORY_GB="0")
    assert versions(streamed, "folder") == versions(place, "folder") and len(versions(place, "folder")) == 3


def _look_at_the_runs(place) -> None:
    """Content and normalisation are recorded with every run."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{place.folder / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("folder")
    runs = client.search_runs([experiment.experiment_id], "tags.`lth.kind` = 'round'")
    assert len(runs) == 3
    for run in runs:
        assert len(run.data.params["data.sha256"]) == 64
        assert len(run.data.params["data.mean"].split()) == len(run.data.params["data.std"].split()) == 3
        assert run.data.params["data.augmentation.crop"] == "1"
        assert run.data.tags["lth.protocol"] == "full"


def spoil_broken(folder):
    (folder / "train" / "red" / "004.png").write_bytes(b"no image")


def spoil_empty(folder):
    (folder / "train" / "yellow").mkdir()


def spoil_sizes(folder):
    Image.new("RGB", (9, 8)).save(folder / "train" / "red" / "004.png")


def spoil_single(folder):
    for part in ("train", "test"):
        for name in ("red", "green"):
            shutil.rmtree(folder / part / name)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_broken, "train/red/004.png"),
        (spoil_empty, "yellow"),
        (spoil_sizes, "image_size: 8"),
        (spoil_single, "blue"),
        (shutil.rmtree, "is not there"),
    ],
)
def test_what_is_wrong_with_images_is_said_before_anything_is_trained(place, data, spoil, message):
    place.card("folder", CARD.format(path="colours"))
    spoil(data / "colours")
    done = place.here("run", "folder", check=False)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 4
    assert not place.store.exists()
    content = place.folder / ".lth" / "cache" / "images" / "content"
    assert not list(content.glob("*"))


def test_a_card_is_checked_against_its_images_once_they_are_read(place, data):
    place.card("folder", CARD.format(path="colours").replace("validation_size: 12", "validation_size: 60"))
    assert "folder" in place.here("list").stdout  # not read yet: nothing can be said
    done = place.here("run", "folder", check=False)
    assert done.returncode == 2
    where = f"{place.folder / 'experiments' / 'folder.yaml'}, line 2: data.validation_size = 60: "
    assert f"{where}must leave something to train on: three colours has 60" in done.stderr
    assert "folder" in place.here("list").stdout  # one card that does not fit its images keeps no other from being used


def test_a_path_out_of_the_data_folder_is_refused(place, data):
    place.card("folder", CARD.format(path="../elsewhere"))
    done = place.here("run", "folder", check=False)
    assert done.returncode == 2 and "line 2: data.path = '../elsewhere'" in done.stderr


def test_an_archive_that_climbs_out_is_refused(place, data):
    with tarfile.open(data / "evil.tar", "w") as archive:
        member = tarfile.TarInfo("../../evil.png")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    place.card("folder", CARD.format(path="evil.tar"))
    done = place.here("run", "folder", check=False)
    assert done.returncode == 2 and "evil" in done.stderr
