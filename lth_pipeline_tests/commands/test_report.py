"""`lth report` as a person uses it."""

import pytest

from lth_pipeline_tests.places import SMALL_CARD


def test_a_report_from_trained_rounds_and_again(place):
    place.card("small", SMALL_CARD + "analysis: {rounds: [0, 1], examples: 20, landscape_points: 5}\n")
    place.lth("run", "small", "--replicates", "0", "--through", "1")
    page = place.folder / "reports" / "small" / "report.html"
    first = page.read_text()
    done = place.lth("report", "small", "--only", "loss_landscape")
    assert str(page) in done.stdout and "loss_landscape" in done.stderr
    assert (page.parent / "loss_landscape" / "replicate_0").is_dir()
    assert not (page.parent / "robustness").exists()
    assert page.read_text() != first
    again = place.here("report", "small", "--only", "loss_landscape")
    assert "Nothing new to analyse" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["small"], "has nothing trained yet to report on; run it: lth run small"),
        (["smal"], "Did you mean small?"),
        (["small", "--only", "landscape"], "Did you mean loss_landscape?"),
        (["small", "--only", "cost", "--without", "verdict"], "give one of them"),
        (["criteria_mnist_quick"], "is a sweep"),
    ],
)
def test_what_cannot_be_reported_on_is_said(place, arguments, said):
    done = place.here("report", *arguments, check=False)
    assert done.returncode and said in done.stderr
