"""The yardstick of small networks, on one that takes a moment. Never how quick it is."""

import pytest

from benchmarks import small
from lth_pipeline.lottery.small import measure


def test_without_trained_tickets_half_is_measured_and_the_rest_says_how(tmp_path, monkeypatch):
    monkeypatch.setenv("LTH_HOME", str(tmp_path))
    monkeypatch.delenv("LTH_STORE_DIR", raising=False)
    monkeypatch.setattr(small, "NETWORKS", {"lenet5": {}})
    monkeypatch.setattr(measure, "SECONDS", 0.0)
    found = small.figures()
    measured = {name: one for name, one in found.items() if one["value"] is not None}
    assert list(measured) == [
        f"lenet5_half_the_channels_{part}_over_dense" for part in ("bytes", "one_image", "64_images")
    ]
    assert measured["lenet5_half_the_channels_bytes_over_dense"]["value"] == pytest.approx(0.25, abs=0.05)
    missing = [one for name, one in found.items() if name not in measured]
    assert len(missing) == 15 and all("lth run lenet_mnist_quick" in one["note"] for one in missing)
