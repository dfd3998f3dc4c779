"""1,797 real handwritten digits, 8×8, that ship inside scikit-learn: no download."""

from __future__ import annotations

from pathlib import Path

import torch

from lth_pipeline.lottery.data.dataset import Raw
from lth_pipeline.lottery.data.split import stratified
from lth_pipeline.lottery.randomness import generator, stream_seed

TEST = 397


def digits(data_dir: Path) -> Raw:
    """The test half of the UCI optical digits (Alpaydin & Kaynak 1998), 16 grey levels.

    scikit-learn ships them without a split of their own, so 397 are held out as the test part, stratified
    and drawn once for all experiments.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).long()
    train, test = stratified(labels, TEST, generator(stream_seed(0, "digits_test_split")))
    return Raw(images[train], labels[train], images[test], labels[test], full_scale=16)
