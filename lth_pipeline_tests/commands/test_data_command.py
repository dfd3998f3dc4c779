"""`lth data`: what is here, and fetching what is not."""

import pytest
from click.testing import CliRunner

from lth_pipeline.cli import lth
from lth_pipeline.lottery.data import files
from lth_pipeline_tests.lottery.idx_files import write_mnist_like
from lth_pipeline_tests.lottery.publisher import publish, serving


@pytest.fixture
def sets(inside, monkeypatch, tmp_path):
    """An empty data folder of this process."""
    monkeypatch.setenv("LTH_DATA_DIR", str(tmp_path / "sets"))
    monkeypatch.setenv("COLUMNS", "200")
    # Debian's package would be found
    monkeypatch.setitem(files.FILES, "fashion_mnist", files.Files(("FashionMNIST/raw",), files.IDX, ("", ".gz")))
    return tmp_path / "sets"


def said(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(lth, ["data", *arguments], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.output


def row(listed: str, name: str) -> str:
    return next(line for line in listed.splitlines() if line.startswith(f"{name} "))


def test_list_says_what_is_here(sets):
    write_mnist_like(sets / "MNIST" / "raw", ".gz")
    write_mnist_like(sets / "FashionMNIST" / "raw")
    (sets / "FashionMNIST" / "raw" / "t10k-images-idx3-ubyte").write_bytes(b"")
    listed = said("list")
    assert "  here  " in row(listed, "mnist") and "60,000 + 10,000" in row(listed, "mnist")
    assert "incomplete: 3 of 4 files" in row(listed, "fashion_mnist")
    for name in ("kmnist", "cifar10", "cifar100", "svhn"):
        assert "  not here  " in row(listed, name)
    for name in ("digits", "mnist1d"):
        assert "  here  " in row(listed, name) and "package " in row(listed, name)
    assert "3×32×32" in row(listed, "svhn") and "non-commercial use only" in row(listed, "svhn")
    assert "your own images" in row(listed, "images")
    assert "lth data get NAME" in listed and str(sets) in listed


def test_list_needs_neither_torch_nor_the_files_content(place):
    """A list that takes seconds is not asked for."""
    import subprocess
    import sys

    program = (
        "import sys\nfrom lth_pipeline.commands.data import list_sets\nlist_sets(standalone_mode=False)\n"
        "assert not {'torch', 'torchvision', 'scipy', 'mnist1d', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], env=place.env, check=True, capture_output=True)


def test_get_fetches_and_says_where_it_is(sets, monkeypatch, tmp_path):
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with serving() as publisher:
        sha256 = publish(publisher, monkeypatch, "kmnist", tmp_path / "published")
        told = said("get", "kmnist")
        assert "Kuzushiji-MNIST is in" in told and str(sets / "KMNIST" / "raw") in told and sha256 in told
        publisher.asked.clear()
        assert sha256 in said("get", "kmnist") and not publisher.asked
    assert "  here  " in row(said("list"), "kmnist")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("digits", "digits needs no download: it ships inside scikit-learn"),
        ("mnist1d", "mnist1d needs no download: the package mnist1d makes it"),
        ("images", "images needs no download: your own images are read from the folder or tar that the card names"),
    ],
)
def test_what_needs_no_download_is_said(sets, name, told):
    assert told in said("get", name)
    assert not sets.exists()


def test_an_unknown_set_is_guessed(sets):
    told = said("get", "cifar-10", status=1)
    assert "no data set 'cifar-10'. Did you mean cifar10? There are: digits, mnist, " in told


def test_without_a_network_it_is_one_message_and_status_2(place):
    """A proxy that nobody listens at stands for the missing network."""
    proxy = "http://127.0.0.1:9"
    sets = place.folder / "sets"
    done = place.lth(
        "data", "get", "cifar10", check=False, http_proxy=proxy, https_proxy=proxy, no_proxy="", LTH_DATA_DIR=str(sets)
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "lth: cifar10 could not be fetched:" in done.stderr
    assert "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz" in done.stderr
    assert f"unpack it in {sets}" in done.stderr
    assert not list(sets.iterdir())
