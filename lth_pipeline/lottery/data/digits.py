"""1,797 real handwritten digits, 8×8, that ship inside scikit-learn: no download."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from lth_pipeline.lottery.data.dataset import Raw
from lth_pipeline.lottery.data.split import stratified
from lth_pipeline.lottery.errors import DataError
from lth_pipeline.lottery.randomness import generator, stream_seed

TEST = 397


def digits(data_dir: Path) -> Raw:
    """The test half of the UCI optical digits (Alpaydin & Kaynak 1998), 16 grey levels.

    scikit-learn ships them without a split of their own, so 397 are held out as the test part, stratified
    and drawn once for all experiments. The file that `sklearn.datasets.load_digits` reads is read as it lies there:
    to import scikit-learn takes 1.4 s, which every run would pay.
    """
    table = torch.from_numpy(np.loadtxt(_file(), delimiter=",", dtype=np.uint8))  # 64 pixels and the digit
    images, labels = table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1].long()
    train, test = stratified(labels, TEST, generator(stream_seed(0, "digits_test_split")))
    return Raw(images[train], labels[train], images[test], labels[test], full_scale=16)


def _file() -> Path:
    spec = find_spec("sklearn")
    path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise DataError("the digits ship inside scikit-learn, which is not installed: pip install scikit-learn")
    return path
