"""The scripts for SLURM, as jobs of a real one of two nodes."""

import os
import re
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lth_pipeline_tests.cluster.slurm import Slurm, lacks, slurm
from lth_pipeline_tests.cluster.status import is_complete
from lth_pipeline_tests.commands.reading import store_versions, undisturbed_versions
from lth_pipeline_tests.places import PROJECT, SMALL_CARD, Place

pytestmark = [pytest.mark.servers, pytest.mark.timeout(1500), pytest.mark.skipif(bool(lacks()), reason=lacks())]

SCRIPTS = PROJECT / "deploy" / "slurm"
MAX_SECONDS = 900  # 200 on two idle cores


@pytest.fixture(scope="module")
def running():
    with TemporaryDirectory(prefix="slurm", dir="/tmp") as folder, slurm(Path(folder)) as found:
        yield found


def test_a_card_over_two_nodes_through_ray(running, place, tmp_path):
    pytest.importorskip("dagster_ray", reason="the extra `ray` is not installed")
    shutil.copyfile(PROJECT / "deploy" / "ray" / "dagster.yaml", place.folder / ".lth" / "dagster" / "dagster.yaml")
    said = finished(running, place, "--cpus-per-task=1", SCRIPTS / "lth.sbatch", "small")
    assert is_complete(place, "small"), said
    assert (place.folder / "reports" / "small" / "report.html").is_file(), said
    assert_versions(place, tmp_path)


def test_without_rays_settings_it_says_what_to_do(running, place):
    said = finished(running, place, "--cpus-per-task=1", SCRIPTS / "lth.sbatch", "small", ends="FAILED")
    assert "does not hand runs to Ray; first: cp deploy/ray/dagster.yaml" in said


def test_a_replicate_a_task_without_ray(running, place, tmp_path):
    """Three times what it takes is trained nowhere twice: the last `lth run` finds all in the store."""
    finished(running, place, "--array=0-1", SCRIPTS / "array.sbatch", "small")
    made = store_versions(place)
    assert not list((place.store / "users").iterdir())
    assert not (place.folder / "reports").exists()
    place.lth("run", "small")
    assert store_versions(place) == made
    assert_versions(place, tmp_path)
    assert is_complete(place, "small")


def assert_versions(place: Place, folder: Path) -> None:
    (folder / "alone").mkdir()
    versions = undisturbed_versions(folder / "alone", SMALL_CARD, replicates=2, through=2)
    made = store_versions(place)
    assert {recipe: made.get(recipe) for recipe in versions} == versions


def finished(running: Slurm, place: Place, *job: object, ends: str = "COMPLETED") -> str:
    """Submit a job, wait for its end; gives what it printed."""
    env = {**place.env, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    options = [f"--output={place.folder}/job-%a.out", *map(str, job)]
    assert "to start at" in running.ask("sbatch", "--test-only", *options, cwd=PROJECT, env=env)
    said = running.ask("sbatch", "--parsable", *options, cwd=PROJECT, env=env)
    number, until = re.match(r"\d+", said)[0], time.monotonic() + MAX_SECONDS
    while {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING"} & set(running.state(number).split()):
        assert time.monotonic() < until, printed(place) + running.logs()
        time.sleep(0.5)
    assert set(running.state(number).split()) == {ends}, printed(place) + running.logs()
    return printed(place)


def printed(place: Place) -> str:
    return "".join(path.read_text() for path in sorted(place.folder.glob("job-*.out")))
