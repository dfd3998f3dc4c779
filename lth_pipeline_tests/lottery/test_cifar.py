"""CIFAR-10 and CIFAR-100: the files' bytes are checked first; what they hold is checked too."""

import numpy as np
import pytest
import torch

from lth_pipeline.lottery.data import DataError, checksums, cifar
from lth_pipeline_tests.lottery.published_files import COUNT, cifar_batch, put, put_cifar10, put_cifar100
from lth_pipeline_tests.lottery.python2_pickles import dumps


def test_cifar10(tmp_path, monkeypatch):
    put_cifar10(monkeypatch, tmp_path)
    raw = cifar.cifar10(tmp_path)
    assert (raw.train_images.dtype, raw.train_labels.dtype) == (torch.uint8, torch.int64)
    assert raw.train_images.shape == (5 * COUNT, 3, 32, 32) and raw.test_images.shape == (COUNT, 3, 32, 32)
    # the batches in their order, the test batch last
    batches = [cifar_batch(number) for number in range(6)]
    assert raw.train_labels.tolist() == [label for batch in batches[:5] for label in batch[b"labels"]]
    assert raw.test_labels.tolist() == batches[5][b"labels"]
    # an image is its red plane row by row, then green, then blue
    image = batches[2][b"data"][4]
    found = raw.train_images[2 * COUNT + 4]
    assert found[0, 0].tolist() == image[:32].tolist()
    assert found[1, 31].tolist() == image[2048 - 32 : 2048].tolist()
    assert found[2, 7, 9] == image[2048 + 7 * 32 + 9]


def test_cifar100_has_the_fine_labels(tmp_path, monkeypatch):
    put_cifar100(monkeypatch, tmp_path)
    raw = cifar.cifar100(tmp_path)
    assert raw.train_images.shape == raw.test_images.shape == (COUNT, 3, 32, 32)
    assert raw.train_labels.tolist() == [95, 96, 97, 98, 99, 0]
    assert raw.test_labels.tolist() == cifar_batch(1)[b"fine_labels"]
    raw.train_images[0] = 0  # memory of its own, not the file's bytes


def test_the_numbers_of_images_are_the_published_ones():
    assert cifar.CIFAR10_IMAGES == 10_000 and len(checksums.CIFAR10) == 6
    assert cifar.CIFAR100_IMAGES == {"train": 50_000, "test": 10_000}


def test_a_missing_file_says_how_to_get_the_set(tmp_path, monkeypatch):
    put_cifar10(monkeypatch, tmp_path)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").unlink()
    with pytest.raises(DataError) as caught:
        cifar.cifar10(tmp_path)
    message = str(caught.value)
    assert "cifar10 is not on this machine" in message and "data_batch_3" in message
    assert "`lth data get cifar10`" in message and "LTH_DATA_DIR" in message


def test_a_changed_byte_is_found_before_the_file_is_read(tmp_path, monkeypatch):
    put_cifar10(monkeypatch, tmp_path)
    path = tmp_path / "cifar-10-batches-py" / "test_batch"
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    reader, read = cifar.load_arrays, []
    monkeypatch.setattr(cifar, "load_arrays", lambda content, name: read.append(name) or reader(content, name))
    with pytest.raises(DataError) as caught:
        cifar.cifar10(tmp_path)
    message = str(caught.value)
    assert str(path) in message and checksums.CIFAR10["test_batch"] in message
    assert "its MD5 is " in message and "`lth data get cifar10` fetches it again" in message
    assert len(read) == 5 and str(path) not in read


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"labels": [1] * 5}, r"has 6 images and 5 labels \('labels'\)"),
        ({"labels": [1] * 7}, "has 6 images and 7 labels"),
        ({"labels": b"none"}, "has 6 images and no labels"),
        ({"labels": [0, 1, 2, 3, 4, 10]}, "has the label '10'; labels are 0 to 9"),
        ({"labels": [0, 1, 2, 3, 4, -1]}, "has the label '-1'"),
        ({"labels": [0, 1, 2, 3, 4, b"5"]}, "has the label '5'"),
        ({"data": np.zeros((5, 3072), np.uint8)}, r"its images \('data'\) are \(5, 3072\), not \(6, 3072\)"),
        ({"data": np.zeros((6, 3071), np.uint8)}, r"are \(6, 3071\)"),
        ({"data": np.zeros((6, 3, 1024), np.uint8)}, r"are \(6, 3, 1024\)"),
        ({"data": np.zeros((6, 3072), np.int8)}, "an array of 'i1', not of bytes"),
        ({"data": b"none"}, "are a str"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_by_name(tmp_path, monkeypatch, changes, complaint):
    """Of the right MD5, that is."""
    put_cifar10(monkeypatch, tmp_path)
    put(monkeypatch, tmp_path, "cifar10", "data_batch_2", dumps(cifar_batch(1, **changes)))
    with pytest.raises(DataError, match=f"data_batch_2: .*{complaint}"):
        cifar.cifar10(tmp_path)


def test_cifar100_needs_its_fine_labels(tmp_path, monkeypatch):
    put_cifar100(monkeypatch, tmp_path)
    batch = cifar_batch(0)
    del batch[b"fine_labels"]
    put(monkeypatch, tmp_path, "cifar100", "train", dumps(batch))
    with pytest.raises(DataError, match=r"train: has 6 images and no labels \('fine_labels'\)"):
        cifar.cifar100(tmp_path)
