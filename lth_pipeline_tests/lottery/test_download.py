"""Fetching, from a publisher on this machine: what comes is checked, and of what fails nothing stays."""

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lth_pipeline.lottery.data import DataError, catalog, checksums, download, files
from lth_pipeline.lottery.data.published import PUBLISHED, READERS
from lth_pipeline_tests.lottery.publisher import publish, serving
from lth_pipeline_tests.torchvision_here import torchvision_here

NAMES = list(download.CLASSES)


@pytest.fixture
def publisher(monkeypatch):
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    # Debian's package would answer for what the publisher has not sent
    monkeypatch.setitem(files.FILES, "fashion_mnist", files.Files(("FashionMNIST/raw",), files.IDX, ("", ".gz")))
    with serving() as publisher:
        yield publisher


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("name", NAMES)
def test_a_set_is_fetched_checked_and_put_in_its_place(tmp_path, monkeypatch, publisher, capfd, name):
    sha256 = publish(publisher, monkeypatch, name, tmp_path / "published")
    sets = tmp_path / "sets"
    assert download.download(name, sets) == sha256
    assert files.find(name, sets).whole and download.check(name, sets) == sha256
    right, found = content(tmp_path / "published"), content(sets)
    assert right.items() <= found.items()
    assert not [path for path in everything(sets) if path.name.startswith(".") or path.name.endswith(".tar.gz")]
    assert "100%" in capfd.readouterr().err  # the progress bar


@pytest.mark.parametrize("name", ["mnist", "kmnist", "cifar10", "svhn"])
def test_a_set_that_is_there_is_not_fetched_again_and_a_damaged_one_is(tmp_path, monkeypatch, publisher, name):
    sets = tmp_path / "sets"
    publish(publisher, monkeypatch, name, tmp_path / "published")
    sha256 = download.download(name, sets)
    publisher.asked.clear()
    assert download.download(name, sets) == sha256
    assert not publisher.asked

    right = content(sets)
    damaged = files.find(name, sets).paths[-1]
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    (damaged.parent / "mine.txt").write_text("stays")
    assert download.download(name, sets) == sha256
    assert publisher.asked
    assert content(sets) == right | {str((damaged.parent / "mine.txt").relative_to(sets)): b"stays"}


@pytest.mark.parametrize("fault", ["404", "cut", "wrong", "silent"])
@pytest.mark.parametrize("name", ["mnist", "cifar10", "svhn"])
def test_of_what_fails_nothing_stays(tmp_path, monkeypatch, publisher, name, fault):
    monkeypatch.setattr(download, "SILENCE", 0.2)
    publish(publisher, monkeypatch, name, tmp_path / "published")
    sets = tmp_path / "sets"
    sets.mkdir()
    (sets / "mine.txt").write_text("stays")
    publisher.fault = fault
    started = time.monotonic()
    with pytest.raises(DataError) as caught:
        download.download(name, sets)
    assert time.monotonic() - started < 9  # sooner than the silent server speaks
    message = str(caught.value)
    assert f"{name} could not be fetched:" in message and str(sets) in message
    addresses = [line.strip() for line in message.splitlines() if line.strip().startswith(publisher.address)]
    assert {address.rpartition("/")[2] for address in addresses} == set(publisher.files)
    assert content(sets) == {"mine.txt": b"stays"} and len(everything(sets)) == 1
    assert socket.getdefaulttimeout() is None


def test_where_there_is_no_network_the_message_says_what_to_do_by_hand(tmp_path, monkeypatch, publisher):
    places = {"mnist": "MNIST/raw", "cifar100": "cifar-100-python/train"}
    for name in places:
        publish(publisher, monkeypatch, name, tmp_path / "published" / name)
    with serving() as gone:
        pass
    datasets = torchvision_here().datasets
    monkeypatch.setattr(datasets.MNIST, "mirrors", [f"{gone.address}one/", f"{gone.address}two/"])
    monkeypatch.setattr(datasets.CIFAR100, "url", f"{gone.address}cifar-100-python.tar.gz")
    for name, place in places.items():
        with pytest.raises(DataError) as caught:
            download.download(name, tmp_path / "sets")
        message = str(caught.value)
        assert "Connection refused" in message and "By hand: fetch " in message
        assert str(tmp_path / "sets" / place) in message
        if name == "mnist":
            assert all(f"{gone.address}{mirror}/t10k-labels-idx1-ubyte.gz" in message for mirror in ("one", "two"))


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_what_torchvision_accepts_and_our_reader_does_not_is_not_put_in_place(tmp_path, monkeypatch, publisher, name):
    publish(publisher, monkeypatch, name, tmp_path / "published")
    monkeypatch.setitem(catalog.DATASETS, "mnist", replace(catalog.DATASETS["mnist"], digest="0" * 32))
    monkeypatch.setitem(checksums.CIFAR10, "data_batch_5", "0" * 32)
    sets = tmp_path / "sets"
    with pytest.raises(DataError, match="0" * 32):
        download.download(name, sets)
    assert not everything(sets)


def test_ctrl_c_leaves_nothing(tmp_path, monkeypatch, publisher):
    publish(publisher, monkeypatch, "svhn", tmp_path / "published")
    sets = tmp_path / "sets"
    half = []

    def interrupted(url, filename):
        Path(filename).write_bytes(b"half")
        half.extend(path for path in everything(sets) if path.is_file())
        raise KeyboardInterrupt

    monkeypatch.setattr(torchvision_here().datasets.utils, "_urlretrieve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download.download("svhn", sets)
    assert half and not everything(sets)


@pytest.mark.parametrize("place", ["sets", "sets/below"])
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch, publisher, place):
    publish(publisher, monkeypatch, "mnist", tmp_path / "published")
    (tmp_path / "sets").write_text("a file")
    with pytest.raises(DataError, match=rf"{tmp_path / place}: mnist cannot be written there .*LTH_DATA_DIR"):
        download.download("mnist", tmp_path / place)
    assert not publisher.asked


def test_a_set_that_is_not_downloaded_is_refused(tmp_path):
    for name in ("digits", "mnist1d", "images", "nothing"):
        with pytest.raises(DataError, match=f"{name} is no set that is downloaded; these are: mnist, fashion_mnist"):
            download.download(name, tmp_path)


def test_the_checksums_are_torchvisions():
    datasets = torchvision_here().datasets
    for table, kind in ((checksums.CIFAR10, datasets.CIFAR10), (checksums.CIFAR100, datasets.CIFAR100)):
        assert table == {file: md5 for file, md5 in kind.train_list + kind.test_list}
    assert dict(datasets.KMNIST.resources) == checksums.KMNIST
    lists = (datasets.SVHN.split_list[part] for part in ("train", "test"))
    assert {file: md5 for _, file, md5 in lists} == checksums.SVHN


def test_the_files_are_where_torchvision_looks_for_them():
    datasets = torchvision_here().datasets
    for name in ("cifar10", "cifar100"):
        assert files.FILES[name].folders[0] == getattr(datasets, download.CLASSES[name]).base_folder
    for name in ("mnist", "fashion_mnist", "kmnist"):
        kind = getattr(datasets, download.CLASSES[name])
        assert files.FILES[name].folders[0] == f"{kind.__name__}/raw"
        assert tuple(file.removesuffix(".gz") for file, _ in kind.resources) == files.IDX


def test_the_same_torchvision_is_imported():
    assert download.torchvision() is torchvision_here()


#: what stands for the content of these sets in the identity of trainings: never to change
DIGESTS = {
    "kmnist": "c65698d166f084429b3fbdb013de0b89836b53017eaec97c14b134fdaf004e0c",
    "cifar10": "293001d707596bcfd8085a27bb3eb78763e07255353d484fc64199894563f733",
    "cifar100": "e83629e29965f44773f21a473a301cd669596011e6af8e9b5e3727b57632b9af",
    "svhn": "ceb38531ebeff7ad4593d9d733966d26e97b8bfadedf50fd4643687a9cb82a52",
    "mnist1d": "d46e23f202456496d02f9d67dc19f68a1bea7b9a589f3c8d1432814c201d9652",
}


def test_the_digests_of_the_published_sets_are_pinned():
    assert {name: facts.digest for name, facts in PUBLISHED.items()} == DIGESTS
    assert [name for name, facts in PUBLISHED.items() if facts.by_content] == ["mnist1d"]
    assert READERS.keys() == PUBLISHED.keys()
