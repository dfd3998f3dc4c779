"""What survivors were, how far they moved, and which pixels they read: known answers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from lth_pipeline.lottery.analysis import initial, movement, pixels
from lth_pipeline.lottery.analysis.histogram import Bins, histogram
from lth_pipeline.lottery.data import Part
from lth_pipeline.lottery.models import build
from lth_pipeline.lottery.randomness import generator

MODEL = build("mlp", (1, 2, 2), 2, widths=(5,), initialisation="glorot_normal")
START = MODEL.initialise(generator(0))
MASK = {layer.weight: torch.rand(layer.shape, generator=generator(9)) < 0.5 for layer in MODEL.layers}
SD = movement.units_of(START, MASK)


def by_layer(rows, **of):
    return {row["layer"]: row for row in rows if all(row[name] == value for name, value in of.items())}


def test_signs_of_what_did_not_move_and_of_what_was_turned():
    turned = {name: -tensor for name, tensor in START.items()}
    assert all(row["changed"] == 0 for row in movement.sign_rows(START, START, MASK))
    rows = by_layer(movement.sign_rows(START, turned, MASK))
    assert all(row["changed"] == 1 for row in rows.values()) and list(rows) == ["fc1", "output", "all"]
    assert rows["all"]["weights"] == sum(int(mask.sum()) for mask in MASK.values())


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=30))
def test_a_sign_changes_where_zero_is_crossed(pairs):
    start, end = (torch.tensor(values, dtype=torch.float64) for values in zip(*pairs, strict=True))
    crossed = sum((a < 0 < b) or (b < 0 < a) for a, b in pairs)
    assert movement.turned(start, end) == movement.turned(end, start) == crossed


def test_movement_is_measured_in_the_layer_s_deviation():
    """All weights grow by two deviations away from zero."""
    end = {name: START[name] + 2 * SD[name] * START[name].sign() for name in SD}
    rest = {name: ~mask for name, mask in MASK.items()}
    rows = movement.movement_rows(START, end, {"kept": MASK, "pruned": rest}, SD)
    assert [(row["layer"], row["group"]) for row in rows] == [
        (layer, group) for group in ("kept", "pruned") for layer in ("fc1", "output", "all")
    ]
    for row in rows:
        assert row["moved"] == pytest.approx(2, rel=1e-5) and row["growth"] == pytest.approx(2, rel=1e-5)
        assert row["away"] == 1 and row["growth_sd"] == pytest.approx(0, abs=1e-5) and row["correlation"] > 0.8
    whole = by_layer(rows, group="kept")
    assert whole["all"]["weights"] == whole["fc1"]["weights"] + whole["output"]["weights"]
    one, other = whole["fc1"], whole["output"]
    mean = (one["start"] * one["weights"] + other["start"] * other["weights"]) / whole["all"]["weights"]
    assert whole["all"]["start"] == pytest.approx(mean)
    counts = movement.growth_histograms(START, end, {"kept": MASK, "pruned": rest}, SD)
    width = (movement.GROWTH.high - movement.GROWTH.low) / movement.GROWTH.count
    place = round((2 - movement.GROWTH.low) / width)
    assert counts.sum(1).tolist() == [whole["all"]["weights"], 30 - whole["all"]["weights"]]
    assert counts[:, place - 1 : place + 1].sum() == 30


def test_what_shrinks_moves_towards_zero_and_what_stays_not_away():
    half = {name: 0.5 * START[name] for name in SD}
    for row in movement.movement_rows(START, half, {"survivors": MASK}, SD):
        assert (
            row["away"] == 0
            and row["correlation"] == pytest.approx(1)
            and row["end"] * 2 == pytest.approx(row["start"])
        )
    for row in movement.movement_rows(START, START, {"survivors": MASK}, SD):
        assert row["away"] == row["moved"] == row["growth"] == 0


def test_of_nothing_there_is_nothing_to_say():
    none = {name: torch.zeros_like(mask) for name, mask in MASK.items()}
    for row in movement.movement_rows(START, START, {"kept": none}, SD):
        assert row["weights"] == 0 and row["moved"] is None and row["away"] is None
    assert all(row["changed"] is None for row in movement.sign_rows(START, START, none))
    flat = {name: torch.zeros_like(START[name]) for name in SD}  # initial weights that are all the same
    rows = movement.movement_rows(flat, START, {"survivors": MASK}, movement.units_of(flat, MASK))
    assert rows[-1]["weights"] == 0 and not np.isfinite(rows[0]["moved"]) and rows[0]["away"] is None


def test_survivors_that_began_large_are_told_from_all():
    size = {layer.weight: START[layer.weight].abs() for layer in MODEL.layers}
    large = {name: values > values.flatten().median() for name, values in size.items()}
    for row, layer in zip(initial.initial_rows(MODEL, START, large), MODEL.layers, strict=True):
        values, mask = size[layer.weight], large[layer.weight]
        assert row["mean_left"] == pytest.approx(float(values[mask].mean()))
        assert row["mean_pruned"] == pytest.approx(float(values[~mask].mean()))
        assert row["ratio"] == pytest.approx(float(values[mask].mean() / values.mean())) and row["ratio"] > 1
        assert [row[f"decile_{n}"] for n in (1, 10)] == [0, 1]
        assert row["positive"] == pytest.approx(float((START[layer.weight][mask] > 0).double().mean()))
    counts = initial.initial_histograms(MODEL, START, large)
    assert counts.shape == (2, 2, initial.VALUES.count)
    assert counts.sum(2).tolist() == [[20, int(large["fc1.weight"].sum())], [10, int(large["output.weight"].sum())]]


def test_tenths_are_of_equal_size_and_equals_go_in_order():
    assert initial.by_decile(torch.arange(20.0), torch.arange(20) % 2 == 0) == [0.5] * 10
    assert initial.by_decile(torch.zeros(10), torch.arange(10) < 3) == [1.0] * 3 + [0.0] * 7
    assert initial.by_decile(torch.tensor([3.0, 1.0]), torch.tensor([True, False])) == [
        0.0,
        *[None] * 4,
        1.0,
        *[None] * 4,
    ]


def test_a_histogram_holds_all_that_lies_beyond_in_its_ends():
    values = torch.tensor([-9.0, -1.0, -0.51, 0.0, 0.49, 0.99, 1.0, 50.0])
    assert histogram(values, Bins(-1.0, 1.0, 4)).tolist() == [3, 0, 2, 3]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=30))
def test_rank_correlation_is_spearman_s(pairs):
    one, other = (torch.tensor(values) for values in zip(*pairs, strict=True))
    found = pixels.rank_correlation(one, other)
    if len(set(one.tolist())) == 1 or len(set(other.tolist())) == 1:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(one, other).statistic, abs=1e-9)


def test_pixels_are_counted_where_they_are_in_the_image():
    mask = torch.zeros(3, 2 * 2 * 3, dtype=torch.bool)  # 3 units, images of 2 channels of 2 by 3
    mask[:2, 7] = True  # channel 1, row 0, column 1
    found = pixels.pixel_map(mask, (2, 2, 3))
    assert found[1, 0, 1] == 2 and found.sum() == 2
    kernel = torch.zeros(4, 2, 3, 3, dtype=torch.bool)
    kernel[1:, 0, 2, 1] = True
    assert pixels.kernel_map(kernel)[0, 2, 1] == 3 and pixels.kernel_map(kernel).sum() == 3


@pytest.mark.parametrize("scaled", [False, True])
def test_mean_and_deviation_are_of_pixels_as_they_were(scaled):
    images = torch.rand(37, 2, 3, 3, generator=generator(4))
    shift, scale = ((0.3, 0.6), (0.2, 0.5)) if scaled else ((0.0, 0.0), (1.0, 1.0))
    back = [torch.tensor(values).view(-1, 1, 1) for values in (shift, scale)]
    part = Part((images - back[0]) / back[1], torch.zeros(37, dtype=torch.int64))
    mean, deviation = pixels.mean_and_deviation(part, shift, scale)
    assert torch.allclose(mean, images.double().mean(0), atol=1e-6)
    assert torch.allclose(deviation, images.double().std(0, correction=0), atol=1e-6)
