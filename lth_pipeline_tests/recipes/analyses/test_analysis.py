"""Parts: what they find is kept, comes back as it was, and is made by one process at a time."""

from contextlib import contextmanager

import torch

from lth_pipeline.recipes.analyses.analysis import Found, Part, look_up, make
from lth_pipeline_tests.recipes.making import workshop_in


def part(analysis: str = "verdict", found: Found | None = None, calls: list | None = None) -> Part:
    def compute() -> Found:
        if calls is not None:
            calls.append("computed")
        return found or Found({"rows": [{"arm": "ticket", "mean": 0.5, "low": float("nan"), "told": True, "n": 3}]})

    return Part(analysis, "replicate 0", {"margin": 0.1}, {"trained": "0" * 64}, compute)


def test_what_is_found_comes_back_as_it_was_and_is_computed_once(tmp_path):
    calls: list[str] = []
    found = Found({"rows": [{"n": torch.tensor(3), "x": float("inf")}], "none": []}, {"a/b": torch.arange(3.0)})
    asked, workshop = part(found=found, calls=calls), workshop_in(tmp_path)
    assert look_up(workshop, asked) is None
    first, again = make(workshop, asked), make(workshop_in(tmp_path), asked)
    assert (first.computed, again.computed, calls) == (True, False, ["computed"])
    for done in (first, again):
        assert done.found.tables == {"rows": [{"n": 3, "x": None}], "none": []}
        assert torch.equal(done.found.arrays["a/b"], torch.arange(3.0))
    assert make(workshop, asked, fresh=True).record["version"] == first.record["version"] and len(calls) == 2
    assert first.record["route"]["device"] == "cpu" and first.record["made_by"]["analysis"] == "verdict"


def test_a_device_is_taken_before_the_claim(tmp_path, monkeypatch):
    """Who holds a device may wait for a claim; were it the other way round, two would wait for each other for ever."""
    seen: list[str] = []
    workshop = workshop_in(tmp_path, take_devices=lambda: [seen.append("device") or "cpu"])
    claimed = workshop.claimed

    @contextmanager
    def watched(name, about):
        seen.append("claim")
        with claimed(name, about):
            yield

    monkeypatch.setattr(workshop, "claimed", watched)
    make(workshop, part("robustness", calls=seen))
    assert seen[:3] == ["device", "claim", "computed"]
    seen.clear()
    make(workshop, part("verdict", calls=seen))
    assert seen == ["claim", "computed"]
