"""The colours of densities."""

from itertools import pairwise

import pytest

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.recipes import load_cards
from lth_pipeline.reports.analyses.section import About
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines
from lth_pipeline.reports.charts.palette import ARMS_ON_DARK, PAPER, PAPER_DARK, RAMP, RAMP_ON_DARK, looks, on_dark
from lth_pipeline_tests.reports.charts.colours import contrast, luminance

CARDS = load_cards([])


@pytest.mark.parametrize(("ramp", "paper"), [(RAMP, PAPER), (RAMP_ON_DARK, PAPER_DARK)])
def test_the_ramp_is_seen_on_its_paper_and_gets_ever_lighter(ramp, paper):
    assert min(contrast(colour, paper) for colour in ramp) >= 3  # WCAG 2.1, 1.4.11
    assert all(luminance(one) < luminance(other) for one, other in pairwise(ramp))
    assert not set(ramp) & {arm.colour.lower() for arm in ARMS.values()} | set(ramp) & set(ARMS_ON_DARK.values())


@pytest.mark.parametrize("card", ["digits", "lenet_mnist_one_shot", "conv2_cifar10"])
def test_a_density_has_one_place_between_dense_and_the_sparsest_asked_for(card):
    about = About(CARDS[card], "data", [0])
    places = [about.shade(0.9**number) for number in range(60)]
    assert places[0] == 0 and places[-1] == 1 and places == sorted(places)
    assert len({round(place, 3) for place in places if place < 1}) > 10


def test_a_shade_is_drawn_whatever_else_is_in_the_chart():
    lines = [Line("6.2 %", [1], [1], shade=1.0), Line("dense", [1], [1], arm="dense"), Line("other", [1], [1])]
    found = looks(Chart("c", "t", "a", [Lines(Axis("x"), Axis("y"), lines)]))
    assert found["6.2 %", "", None].colour == RAMP[-1] and found["6.2 %", "", None].on_dark == RAMP_ON_DARK[-1]
    assert on_dark()[RAMP[0]] == RAMP_ON_DARK[0]
