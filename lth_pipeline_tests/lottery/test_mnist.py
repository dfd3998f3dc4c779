"""MNIST's kin: Kuzushiji-MNIST by its MD5, and files that do not belong together."""

import gzip

import pytest

from lth_pipeline.lottery.data import DataError, checksums, mnist
from lth_pipeline_tests.lottery.idx_files import head, write, write_mnist_like
from lth_pipeline_tests.lottery.published_files import put_kmnist


def test_kmnist_is_read_from_its_gz_files(tmp_path, monkeypatch):
    put_kmnist(monkeypatch, tmp_path)
    for file in checksums.KMNIST:  # torchvision lays the plain files beside them; they are not what was checked
        (tmp_path / "KMNIST" / "raw" / file.removesuffix(".gz")).write_bytes(b"other")
    raw = mnist.kmnist(tmp_path)
    assert raw.train_images.shape == (20, 1, 28, 28) and raw.test_images.shape == (10, 1, 28, 28)
    assert raw.test_labels.tolist() == list(range(10))


def test_kmnist_of_another_content_is_refused_by_its_md5(tmp_path, monkeypatch):
    put_kmnist(monkeypatch, tmp_path)
    path = tmp_path / "KMNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(head(10) + bytes(10)))
    with pytest.raises(DataError) as caught:
        mnist.kmnist(tmp_path)
    message = str(caught.value)
    assert str(path) in message and checksums.KMNIST[path.name] in message and "`lth data get kmnist`" in message


def test_kmnist_without_its_gz_files_is_missing(tmp_path):
    write_mnist_like(tmp_path / "KMNIST" / "raw")
    with pytest.raises(DataError, match=r"kmnist is not on this machine: no .*train-images-idx3-ubyte\.gz"):
        mnist.kmnist(tmp_path)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_missing_set_says_how_to_get_it(tmp_path, name, monkeypatch):
    from lth_pipeline.lottery.data import files

    monkeypatch.setitem(files.FILES, name, files.Files((f"{name}/raw",), files.IDX, ("", ".gz")))
    with pytest.raises(DataError) as caught:
        mnist.read_mnist_like(name, tmp_path)
    message = str(caught.value)
    assert f"`lth data get {name}`" in message and str(tmp_path / name / "raw") in message


@pytest.mark.parametrize(
    ("file", "images", "labels", "count"),
    [
        ("train-labels-idx1-ubyte", "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "20 images .* 19 labels"),
        ("t10k-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "10 images .* 19 labels"),
    ],
)
def test_a_label_file_of_the_wrong_length_is_named_with_its_images(tmp_path, file, images, labels, count):
    folder = tmp_path / "MNIST" / "raw"
    write_mnist_like(folder)
    write(folder / file, head(19) + bytes(19))
    with pytest.raises(DataError, match=count) as caught:
        mnist.mnist(tmp_path)
    message = str(caught.value)
    assert str(folder / images) in message and str(folder / labels) in message
    assert "`lth data get mnist` fetches them again" in message
