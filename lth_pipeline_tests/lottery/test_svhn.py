"""SVHN: MATLAB's axes, the label 10, and files that are not what they claim to be."""

from io import BytesIO

import numpy as np
import pytest
import torch

from lth_pipeline.lottery.data import DataError
from lth_pipeline.lottery.data.svhn import svhn
from lth_pipeline.lottery.digest import digest
from lth_pipeline_tests.lottery.published_files import mat, md5, published_mat, put, put_svhn, svhn_part
from lth_pipeline_tests.torchvision_here import torchvision_here


def test_images_and_labels(tmp_path, monkeypatch):
    put_svhn(monkeypatch, tmp_path)
    raw = svhn(tmp_path)
    assert (raw.train_images.dtype, raw.train_labels.dtype) == (torch.uint8, torch.int64)
    assert raw.train_images.shape == (21, 3, 32, 32) and raw.test_images.shape == (12, 3, 32, 32)
    images, labels = svhn_part(21, 0)
    assert raw.train_images[20, 2, 5, 7] == images[5, 7, 2, 20]  # X[row, column, colour, image]
    assert labels[9] == 10 and raw.train_labels[9] == 0
    assert raw.train_labels.tolist() == [label % 10 for label in labels[:, 0]]
    assert raw.train_images.is_contiguous()


def test_it_is_what_torchvision_reads(tmp_path, monkeypatch):
    put_svhn(monkeypatch, tmp_path)
    kind = torchvision_here().datasets.SVHN
    published = {split: kind.split_list[split][1] for split in ("train", "test")}
    here = {split: ["", file, md5((tmp_path / file).read_bytes())] for split, file in published.items()}
    monkeypatch.setattr(kind, "split_list", here)
    raw = svhn(tmp_path)
    for split, images, labels in (
        ("train", raw.train_images, raw.train_labels),
        ("test", raw.test_images, raw.test_labels),
    ):
        theirs = kind(str(tmp_path), split=split)
        assert np.array_equal(images, theirs.data) and np.array_equal(labels, theirs.labels)


def test_a_missing_file_says_how_to_get_the_set(tmp_path):
    with pytest.raises(DataError, match=r"svhn is not on this machine: no .*train_32x32\.mat\n`lth data get svhn`"):
        svhn(tmp_path)


IMAGES, LABELS = svhn_part(21, 0)


def test_labels_are_the_same_in_whatever_type_they_are_stored(tmp_path, monkeypatch):
    """The published files have them as double, in a byte each; other writers take other types."""
    from scipy.io import loadmat

    put_svhn(monkeypatch, tmp_path)
    whole = svhn(tmp_path)
    packed = published_mat(IMAGES, LABELS)
    types = [loadmat(BytesIO(packed), mat_dtype=meant)["y"].dtype for meant in (True, False)]
    assert types == [np.float64, np.uint8], "what scipy says that it means, and that is stored"
    for content in (packed, *(mat(X=IMAGES, y=LABELS.astype(kind)) for kind in ("f8", "f4", "u1", "i4", "u8"))):
        put(monkeypatch, tmp_path, "svhn", "train_32x32.mat", content)
        assert digest(svhn(tmp_path).tensors()) == digest(whole.tensors())


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(mat(X=IMAGES, y=LABELS[:20]), r"has 21 images \(X\) and 20 labels \(y\)", id="labels"),
        pytest.param(mat(X=IMAGES.transpose(3, 2, 0, 1), y=LABELS), "X is uint8 .21, 3, 32, 32., not", id="axes"),
        pytest.param(mat(X=IMAGES[..., :0], y=LABELS[:0]), "32, 32, 3, 0., not .* at least 1", id="no image"),
        pytest.param(mat(X=IMAGES / 255, y=LABELS), "X is float64", id="floats"),
        pytest.param(mat(X=IMAGES, y=LABELS % 10), r"labels \(y\) are not whole numbers from 1 to 10", id="label 0"),
        pytest.param(mat(X=IMAGES, y=LABELS + 1), r"labels \(y\) are not whole", id="label 11"),
        pytest.param(mat(X=IMAGES, y=LABELS / 2 + 1), r"labels \(y\) are not whole", id="halves"),
        pytest.param(mat(X=IMAGES, y=LABELS * np.nan), r"labels \(y\) are not whole", id="not a number"),
        pytest.param(published_mat(IMAGES, LABELS + 1), r"labels \(y\) are not whole", id="label 11 in a byte"),
        pytest.param(published_mat(IMAGES, LABELS)[:-50], "not a MATLAB file with X and y", id="cut short"),
        pytest.param(b"<html>" * 40, "not a MATLAB file with X and y", id="a web page"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_by_name(tmp_path, monkeypatch, content, complaint):
    put_svhn(monkeypatch, tmp_path)
    put(monkeypatch, tmp_path, "svhn", "train_32x32.mat", content)
    with pytest.raises(DataError, match=rf"train_32x32\.mat: .*{complaint}"):
        svhn(tmp_path)


def test_a_changed_byte_is_found(tmp_path, monkeypatch):
    put_svhn(monkeypatch, tmp_path)
    path = tmp_path / "test_32x32.mat"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match=r"test_32x32\.mat: its MD5 is .*`lth data get svhn` fetches it again"):
        svhn(tmp_path)
