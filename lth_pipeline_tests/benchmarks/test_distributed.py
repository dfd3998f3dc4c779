"""The yardstick of two processes gives its figures, on networks so small that it takes seconds."""

import pytest

from benchmarks import distributed
from benchmarks.agreement import Disagreement
from benchmarks.results import read


def test_one_core_is_said(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert all(one["value"] is None and "one core" in one["note"] for one in distributed.figures().values())


def test_no_ratio_is_told_of_different_work():
    with pytest.raises(Disagreement, match=r"resnet20: .* of one process is 2\.30000 and of two 2\.31000"):
        distributed.same_training("resnet20", 2.30, 2.31)


@pytest.mark.servers
def test_figures():
    cases = {name: case._replace(shape=(3, 8, 8), batch=5, steps=1) for name, case in distributed.CASES.items()}
    found = distributed.figures(rounds=1, cases={"resnet20": cases["resnet20"], "lenet": cases["lenet"]})
    assert all(one["value"] > 0 for one in found.values())
    assert found.keys() <= read().keys()
