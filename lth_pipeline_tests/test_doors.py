"""The doors that stay closed: nothing that is read is run, nothing is asked of the network, no path leads out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lth_pipeline.experiments import CardError
from lth_pipeline.home import HomeError, environment, find_home
from lth_pipeline.lottery.data import DataDirs, DataError, images
from lth_pipeline.lottery.data.images import Source
from lth_pipeline.recipes import load_cards
from lth_pipeline.recipes.facts import known_facts
from lth_pipeline.recipes.ready import make_ready
from lth_pipeline_tests.audited import verdict
from lth_pipeline_tests.forbidden import violations
from lth_pipeline_tests.lottery.images.drawn import files, pets, put
from lth_pipeline_tests.places import PROJECT

SOURCES = sorted(path for folder in ("lth_pipeline", "benchmarks") for path in (PROJECT / folder).rglob("*.py"))


def test_nothing_of_ours_runs_what_it_reads():
    found = {str(path.relative_to(PROJECT)): violations(path.read_text()) for path in SOURCES}
    assert len(found) > 100 and not {path: lines for path, lines in found.items() if lines}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import joblib as j",
        "from shelve import open",
        "from marshal import loads",
        "def f():\n    import _pickle",
        "import importlib\nimportlib.import_module('dill')",
        "import torch\ntorch.load('x', weights_only=True)",
        "import torch as t\nread = t.load",
        "from torch import load",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy\nnumpy.load('x', allow_pickle=why)",
        "import yaml\nyaml.load(text, yaml.SafeLoader)",
        "from yaml import unsafe_load",
        "import pandas as pd\npd.read_pickle('x')",
        "eval('1')",
        "exec('1')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "from subprocess import Popen\nPopen(command, shell=why)",
        "import os\nos.system('ls')",
        "import tempfile\ntempfile.mktemp()",
        "tar.extractall(folder)",
        "tar.extract(member, filter='tar')",
        "import shutil\nshutil.unpack_archive(path, folder)",
    ],
)
def test_the_check_of_sources_sees(source):
    assert violations(source)


def test_the_check_of_sources_lets_through_what_is_safe():
    safe = """
import subprocess, yaml, numpy as np, pickletools
np.load("x", mmap_mode="c", allow_pickle=False)
subprocess.run(["ls"], shell=False)
tar.extractall(folder, filter="data")
model.eval(); json.load(file); yaml.SafeLoader(text); yaml.safe_load(text); pickletools.genops(content)
"""
    assert violations(safe) == []


WATCHED = """
import sys
seen = []
sys.addaudithook(lambda event, arguments: seen.append((event, arguments)) if event in {events!r} else None)
"""
#: every kind of data there is, a card's rounds, a checkpoint, and last an unpickling, to see that it would be seen
READS = """
import io, os, pickle, tempfile, pytest
from pathlib import Path
from lth_pipeline.lottery.data import DataDirs, DataError, catalog, images
from lth_pipeline.recipes import Chain, Step, Store, Workshop, load_cards
from lth_pipeline_tests.lottery.images.drawn import files, pack, pets, put
from lth_pipeline_tests.lottery.published_files import PUT
from lth_pipeline_tests.lottery.idx_files import write_mnist_like
from lth_pipeline_tests.lottery.publisher import READERS
from lth_pipeline_tests.recipes.making import card, load
folder, patch = Path(tempfile.mkdtemp(dir=sys.argv[1])), pytest.MonkeyPatch()
sets, written = folder / "data", set()
for name, function in PUT.items():
    function(patch, sets)
write_mnist_like(sets / "MNIST" / "raw")
write_mnist_like(sets / "FashionMNIST" / "raw", ".gz")
put(sets / "pets", files(pets()))
for suffix in (".tar", ".tar.xz"):  # all that is packed takes the way of the second
    pack(sets / f"pets{suffix}", files(pets()))
seen.clear()
for name, reader in READERS.items():
    assert len(reader(sets).train_labels)
catalog.read("digits", sets)
for suffix in ("", ".tar", ".tar.xz"):
    for again in range(2):  # read, and from the cache
        images.arrays(images.read(images.Source("pets" + suffix), DataDirs(sets, folder / "cache")))
cards = load(folder / "cards", mine=card(arms=["ticket", "reinit"]))
for fresh in range(2):  # computed, and from the store
    workshop = Workshop(Store(folder / "store"), sets, device="cpu", checkpoint_seconds=0)
    chain = Chain(cards, "mine", 0)
    for step in (Step("trained", 1, "ticket"), Step("trained", 1, "reinit")):
        workshop.store.load(workshop.make(chain, step).version)
workshop.make(chain, Step("trained", 1, "ticket"), fresh=True)
print([arguments for event, arguments in seen])
seen.clear()
pickle.loads(pickle.dumps(Path))
print([arguments for event, arguments in seen])
"""


def watched(program: str, *events: str, arguments: tuple[str, ...] = (), env: dict | None = None) -> list[str]:
    """The lines that `program` prints, in a process in which `seen` fills with those of Python's audit events."""
    command = [sys.executable, "-c", WATCHED.format(events=set(events)) + program, *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_nothing_is_unpickled_whatever_is_read_and_computed(tmp_path):
    ours, canary = watched(READS, "pickle.find_class", arguments=(str(tmp_path),))
    assert ours == "[]" and canary == "[('pathlib', 'Path')]"


LOOKS = """
import contextlib, io, socket
import lth_pipeline.definitions, lth_pipeline.recipes, lth_pipeline.tracking.tracker
from lth_pipeline.cli import main
for arguments in (["list"], ["show", "digits"], ["data", "list"]):
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            sys.argv = ["lth", *arguments]
            main()
        except SystemExit as ended:
            assert not ended.code, arguments
print(seen)
seen.clear()
with contextlib.suppress(OSError), socket.socket() as one:
    one.connect(("127.0.0.1", 9))
print([event for event, _ in seen])
"""


def test_importing_and_looking_ask_nothing_of_the_network(place):
    events = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
    ours, canary = watched(LOOKS, *events, env=place.env)
    assert ours == "[]" and canary == "['socket.connect']"


def test_bandit_finds_nothing():
    command = [sys.executable, "-m", "bandit", "-q", "-c", "pyproject.toml", "-r", "lth_pipeline"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("packages", "well", "said"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], True, "1 packages audited, 0 advisories"),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}],
            False,
            "a 1: CVE-1, mended in 2",
        ),
        (
            [{"name": "a", "skip_reason": "x"}, {"name": "lth-pipeline", "skip_reason": "x"}],
            False,
            "NOT AUDITED",
        ),
        ([{"name": "a", "skip_reason": "x"}, {"name": "b", "version": "1", "vulns": []}], True, "not audited: a"),
    ],
)
def test_an_audit_that_could_ask_nothing_is_no_pass(packages, well, said):
    found = verdict(json.dumps({"dependencies": packages}))
    assert found[0] is well and said in found[1]
    assert verdict("")[0] is False


# names and paths


@pytest.mark.parametrize(
    "reference",
    [
        "based_on: ../../secret\n",
        "branch_of: {experiment: ../secret, round: 1}\n",
        "based_on: digits\nticket_from: {experiment: /etc/secret, round: 1}\n",
    ],
)
def test_a_card_names_other_cards_and_no_files(tmp_path, reference):
    (tmp_path / "secret.yaml").write_text("based_on: digits\n")
    folder = tmp_path / "cards" / "mine"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(reference)
    with pytest.raises(CardError, match="no such experiment"):
        load_cards([folder])


CARD = """\
based_on: digits
data: {{name: images, path: {path}, image_size: 8, validation_size: 1}}
training: {{batch_size: 2}}
"""


@pytest.fixture
def own(tmp_path):
    """A data folder with nothing in it, and images in another folder."""
    put(tmp_path / "elsewhere" / "pets", files(pets()))
    (tmp_path / "data").mkdir()
    return tmp_path


def ready(folder: Path, path: object, *allowed: Path) -> None:
    """Make a card of images at `path` ready where `allowed` is."""
    (folder / "cards").mkdir(exist_ok=True)
    (folder / "cards" / "mine.yaml").write_text(CARD.format(path=path))
    dirs = DataDirs(folder / "data", folder / "cache", allowed=allowed)
    make_ready(load_cards([folder / "cards"]), "mine", dirs, folders=[folder / "cards"])


def test_a_path_outside_of_the_data_folder_is_refused_and_the_variable_is_named(own):
    place = own / "elsewhere" / "pets"
    with pytest.raises(CardError) as caught:
        ready(own, place)
    assert f"mine.yaml, line 2: data.path = {str(place)[:20]!r}"[:-1] in str(caught.value)
    assert "LTH_ALLOWED_DIRS: there are none" in str(caught.value)
    ready(own, place, own / "another", own / "elsewhere")
    with pytest.raises(CardError, match="LTH_ALLOWED_DIRS"):
        ready(own, place, own / "else")  # a beginning of its name is not a folder above it
    # what was read once is not there any more for whom it is not allowed
    card = load_cards([own / "cards"])["mine"]
    assert known_facts(card.data, DataDirs(own / "data", own / "cache")) is None


def test_no_link_and_no_dots_lead_out_of_an_allowed_folder(own):
    allowed = own / "allowed"
    allowed.mkdir()
    (allowed / "link").symlink_to(own / "elsewhere" / "pets")
    with pytest.raises(CardError, match=r"it leads to .*elsewhere/pets\).*LTH_ALLOWED_DIRS"):
        ready(own, allowed / "link", allowed)
    with pytest.raises(CardError, match=r"without '\.\.'"):
        ready(own, f"{allowed}/../elsewhere/pets", allowed)
    put(allowed / "pets", files(pets()))
    (allowed / "pets" / "train" / "dog" / "3.png").symlink_to(own / "elsewhere" / "pets" / "test" / "dog" / "1.png")
    with pytest.raises(DataError, match=r"train/dog/3\.png: a link that leads out of the folders in LTH_ALLOWED_DIRS"):
        ready(own, allowed / "pets", allowed)
    ready(own, allowed / "pets", allowed, own / "elsewhere")  # where both are allowed


def test_links_that_the_owner_of_the_data_folder_put_there_are_followed(own):
    """They are his word: that is how images that lie elsewhere are named."""
    (own / "data" / "pets").symlink_to(own / "elsewhere" / "pets")
    put(own / "data" / "mixed", files(pets()))
    (own / "data" / "mixed" / "train" / "cow").symlink_to(own / "elsewhere" / "pets" / "train" / "dog")
    dirs = DataDirs(own / "data", own / "cache")
    assert images.read(Source("pets"), dirs).train == 5 and images.read(Source("mixed"), dirs).train == 8


def test_the_variable_gives_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("LTH_ALLOWED_DIRS", f"{tmp_path / 'a'}:{tmp_path / 'b' / '..' / 'c'}:")
    home = find_home()
    assert home.allowed == (tmp_path / "a", tmp_path / "c")
    monkeypatch.setenv("LTH_ALLOWED_DIRS", environment(home)["LTH_ALLOWED_DIRS"])
    assert find_home().allowed == home.allowed
    monkeypatch.setenv("LTH_ALLOWED_DIRS", "relative/folder")
    with pytest.raises(HomeError, match="LTH_ALLOWED_DIRS: relative/folder: must be absolute"):
        find_home()
