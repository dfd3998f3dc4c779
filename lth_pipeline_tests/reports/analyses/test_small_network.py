"""The small network as people read of it: how much smaller, how much faster, and where it is neither."""

import pandas as pd
import pytest

from lth_pipeline.recipes import load_cards
from lth_pipeline.reports.analyses import small_network
from lth_pipeline.reports.analyses.section import About, Findings, Section
from lth_pipeline.reports.charts.picture import png
from lth_pipeline.reports.page import Chapter, Entry, Page, page
from lth_pipeline_tests.reports.analyses.made_up_sizes import FORMS, tables

DIGITS = load_cards([])["digits"]
ABOUT = About(DIGITS, "handwritten digits", [0, 1, 2])
TORCH = {form: sizes for form, sizes in FORMS.items() if form[1] == "torch"}


def section_of(found: dict[str, pd.DataFrame], about: About = ABOUT) -> Section:
    return small_network.section(Findings(found), about)


def test_the_headline_names_the_sparsest_within_the_margin_and_holds_the_best_forms_against_dense_best():
    said = section_of(tables(replicates=[0])).headline
    assert said.startswith("The ticket of 1.5 % of the weights (the sparsest whose mean test accuracy is not more than")
    assert "0.5 percentage points below dense's; n = 1 replicate; not the verdict's rule)" in said
    # 1,066 kB × (0.01 + 1.5 × 0.55⁷) against 1,066 kB, and against 0.26 of it
    assert (
        "is 35.0 kB on disk (sparse), 30 times smaller than dense as trained and 7.9 times smaller than dense's "
        in said
    )
    # ONNX Runtime: 0.2 + 0.3 × 0.55⁷ against 0.5
    assert "it answers one image 2.4 times as fast as dense (9.21 µs compact in ONNX Runtime; dense 22.5 µs as" in said
    assert "64 images 2.3 times as fast as dense (158 µs compact in ONNX Runtime; dense 366 µs int8 in" in said
    assert "Slower" not in said


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (1.0, "is 1.07 MB on disk (as trained), as large as dense as trained."),
        (1.002, "is 1.07 MB on disk (as trained), 1.002 times as large as dense as trained."),
        (1.3, "is 1.39 MB on disk (as trained), 1.30 times as large as dense as trained."),
        (0.998, "is 1.06 MB on disk (as trained), 1.002 times smaller than dense as trained."),
    ],
)
def test_a_file_that_is_no_smaller_is_called_as_large_or_larger(size, said):
    forms = {("as trained", "torch"): (lambda density: 1.0 if density == 1 else size, lambda d: 1.0, lambda d: 1.0)}
    told = section_of(tables(forms=forms)).headline
    assert said in told and "times less" not in told


def test_what_is_slower_in_any_round_is_the_first_paragraph():
    # sparse: 0.8 + density of dense's time at batch 1, so slower where more than 0.2 is left
    said = section_of(tables()).text[0]
    assert said.startswith("Not every form is faster. Slower than dense as trained in the same runtime")
    assert "sparse, PyTorch, one image: in 3 of 8 rounds, at most 1.60 times as long (at 80.0 % of the weights)" in said
    compact = {form: sizes for form, sizes in FORMS.items() if form[0] in ("as trained", "compact")}
    assert section_of(tables(forms=compact)).text[0].startswith("Forms.")


def test_what_is_slower_stands_in_the_headline():
    found = tables(forms=FORMS | {("sparse", "torch"): (lambda d: 0.01 + d, lambda d: 1.5, lambda d: 3.0)})
    said = section_of(found).headline
    assert said.endswith(
        "Slower than dense as trained in the same runtime: sparse, PyTorch: one image 1.50 times as long and 64 images "
        "3.0 times as long."
    )


def test_a_time_within_the_spread_of_denses_is_called_no_difference():
    nearly = {form: (size, lambda d: 0.99, lambda d: 0.99) for form, (size, *_) in TORCH.items()}
    said = section_of(tables(forms=nearly)).headline
    assert "answers one image as fast as dense, as far as could be measured" in said and "Slower" not in said


def slowed(found: dict[str, pd.DataFrame], rows: pd.Series, times: float) -> None:
    latencies = [name for name in found["forms"].columns if name.startswith("latency_1_")]
    found["forms"].loc[rows, latencies] *= times


def test_the_dense_network_as_trained_is_not_called_slower_than_itself_with_zeros():
    found = tables(forms={form: FORMS[form] for form in FORMS if form[0] == "as trained"})
    slowed(found, found["forms"]["round"] > 5, 1.2)
    section = section_of(found)
    assert section.text[0].startswith("Forms.") and "Slower" not in section.headline
    assert "answers one image as fast as dense, as far as could be measured" in section.headline


@pytest.mark.parametrize(
    ("compact", "as_trained", "slower"), [(1.1, 1.0, True), (1.015, 1.0, False), (1.1, 1.15, False)]
)
def test_slower_is_by_more_than_two_per_cent_and_than_networks_that_compute_the_same(compact, as_trained, slower):
    found = tables(forms={form: (*FORMS[form][:1], lambda d: 1.0, lambda d: 1.0) for form in list(TORCH)[:2]})
    forms = found["forms"]
    for end in ("low", "high"):  # of a quiet machine: quartiles alone would tell everything apart
        forms[f"latency_1_{end}_ms"] = forms["latency_1_ms"]
    slowed(found, (forms["form"] == "compact") & (forms["round"] > 0), compact)
    slowed(found, (forms["form"] == "as trained") & (forms["round"] == 3), as_trained)
    section = section_of(found)
    assert section.text[0].startswith("Not every form is faster.") == slower
    assert ("compact, PyTorch: one image 1.10 times as long." in section.headline) == slower


def test_only_replicates_that_have_dense_and_the_ticket_are_compared():
    found, alone = tables(), section_of(tables(replicates=[0]))
    forms = found["forms"]
    others = forms["replicate"] > 0  # nothing of them may be seen
    forms.loc[others, ["accuracy", "latency_1_ms", "latency_64_ms"]] *= 0.9
    found["forms"] = forms[(forms["round"] > 0) | (forms["replicate"] == 0)]
    section = section_of(found)
    assert section.headline == alone.headline and "n = 1 replicate;" in section.headline
    assert section.shown[:2] == alone.shown[:2]
    for chart, of_one in zip(section.charts, alone.charts, strict=True):
        assert " · n = 1 · " in chart.title and chart.panels == of_one.panels
    assert "for want of a dense network or of a ticket: replicates 1, 2." in section.text[1]


def test_a_round_that_not_every_replicate_has_is_held_against_dense_of_those_that_have_it():
    found = tables(rounds=range(7))
    forms = found["forms"]
    slowed(found, forms["replicate"] == 0, 100)
    forms.loc[forms["replicate"] == 0, "bytes"] *= 10
    found["forms"] = forms[(forms["round"] < 6) | (forms["replicate"] > 0)]
    section = section_of(found)
    assert section.headline == section_of({"forms": forms[forms["replicate"] > 0]}).headline
    assert "n = 2 replicates;" in section.headline and " is 54.9 kB on disk (sparse), 19 times" in section.headline
    assert section.text[1].startswith("Not measured in all of 3 replicates: round 6 in 2.")
    assert all("Not measured in all of 3 replicates: round 6 in 2." in chart.notes for chart in section.charts)


def test_a_form_that_few_replicates_have_is_not_the_best():
    found = tables()
    forms = found["forms"]
    forms.loc[forms["runtime"] == "onnxruntime", ["latency_1_ms", "latency_64_ms"]] /= 50
    forms.loc[forms["runtime"] == "onnxruntime", "bytes"] //= 50
    found["forms"] = forms[(forms["runtime"] == "torch") | (forms["replicate"] == 1)]
    headline = section_of(found).headline
    assert "n = 3 replicates" in headline and "ONNX Runtime" not in headline and "int8" not in headline


def test_int8_is_no_best_form_where_it_costs_more_than_the_margin():
    found = tables(replicates=[0])
    forms = found["forms"]
    forms.loc[forms["form"] == "int8", "accuracy"] -= 0.01
    forms.loc[forms["form"] == "int8", "bytes"] = 1
    forms.loc[forms["form"] == "int8", ["latency_1_ms", "latency_1_low_ms", "latency_1_high_ms"]] = 1e-3
    assert "int8" not in section_of(found).headline


def test_tickets_that_all_fall_short_are_said_to():
    found = tables()
    forms = found["forms"]
    forms.loc[forms["round"] > 0, "accuracy"] -= 0.03
    section = section_of(found)
    assert section.headline.startswith(
        "No round of the ticket is within 0.5 percentage points of dense's test accuracy (n = 3 replicates). The "
        "sparsest, of 0.84 % of the weights and 93.6 % test accuracy: its smallest file 24.0 kB (sparse, PyTorch)"
    )
    assert "in round 8" in section.shown[-1].caption  # the layers


def test_nothing_measured_and_dense_alone():
    for empty in ({}, {"forms": pd.DataFrame()}):
        assert section_of(empty) == Section(small_network.NOTHING)
    alone = section_of(tables(rounds=[0]))
    assert alone.headline.startswith(
        "Dense alone has been measured (n = 3 replicates): its smallest file 277 kB (int8,"
    )
    assert [chart.name for chart in alone.charts] == ["small_network_accuracy_bytes", "small_network_accuracy_latency"]


def test_without_a_dense_network_there_are_no_ratios():
    section = section_of(tables(rounds=range(1, 4)))
    assert section.headline.startswith("There is no dense network to hold the tickets against (n = 3 replicates).")
    assert "small_network_ratios" not in [chart.name for chart in section.charts]
    assert {row[3] for row in section.shown[0].rows} == {"–"}


def test_without_onnx_runtime_it_is_said_and_nothing_of_it_is_drawn():
    section = section_of(tables(forms=TORCH))
    assert "PyTorch. Onnxruntime is left out: pip install --editable '.[export]'." in section.text[1]
    lines = {line.name for chart in section.charts for panel in chart.panels for line in panel.lines}
    assert lines == {"as trained, PyTorch", "compact, PyTorch", "sparse, PyTorch", "dense"}
    assert "ONNX" not in section.headline


def test_what_the_answers_are_is_said():
    found = tables()
    assert (
        "differ by 3.0×10⁻⁶ at most (the greatest there: 21.0), no prediction differs. In the form int8 12 predictions"
        in (section_of(found).text[2])
    )
    forms = found["forms"]
    forms.loc[(forms["form"] == "sparse") & (forms["round"] == 3), "same"] = False
    assert section_of(found).text[2].startswith("3 of 135 networks that should answer as the trained ones do not")


@pytest.mark.parametrize("replicates", [[0], [0, 1, 2]])
def test_ratios_are_of_one_replicate_and_drawn_from_the_least_to_the_greatest(replicates):
    found = tables(replicates=replicates)
    forms = found["forms"]
    slow = (forms["replicate"] == 2) & (forms["form"] == "compact")
    forms.loc[slow, "latency_64_ms"] *= 2
    panel = section_of(found).charts[2].panels[3]
    assert panel.title == "Time of 64 images" and panel.rules[0].at == 1.0
    (compact,) = [line for line in panel.lines if line.name == "compact, PyTorch"]
    ratio = 1 / (0.3 + 0.7 * 0.8)  # round 1; the machine's being busy is divided out
    if len(replicates) == 1:
        assert compact.y[1] == pytest.approx(ratio) and compact.low is None
    else:
        assert compact.y[1] == pytest.approx(ratio * 2.5 / 3)
        assert (compact.low[1], compact.high[1]) == pytest.approx((ratio / 2, ratio))


def test_a_network_that_guesses_does_not_flatten_the_picture():
    section = section_of(tables(collapse=True))
    for chart in section.charts[:2]:
        assert chart.panels[0].y.limits[0] == pytest.approx(97.45 - 15, abs=0.1)
        assert any("lie below the picture (at 0.84 % of the weights and fewer)" in said for said in chart.about)
    assert all(panel.y.limits is None for chart in section_of(tables()).charts[:2] for panel in chart.panels)


def test_tables_name_dense_chosen_rounds_and_the_one_that_matches():
    section = section_of(tables())
    sizes, times, layers = section.shown
    assert [row[0] for row in sizes.rows][:: len(FORMS)] == ["100 %", "80.0 %", "51.2 %", "2.8 %", "0.84 %"]
    assert all(len(row) == len(shown.columns) for shown in section.shown for row in shown.rows)
    assert times.rows[0][2] == "44.9 µs (43.5 µs to 46.2 µs)" and times.rows[0][3] == "1.00"
    assert layers.rows[0] == ["fc1", "linear", "2.8 %", "383 (382 to 384) of 784", "209 of 300", "csr", "26.0 kB"]
    only_chosen = section_of(tables(rounds=[0, 6]))
    assert [row[0] for row in only_chosen.shown[0].rows][:: len(FORMS)] == ["100 %", "2.8 %"]


def test_every_chart_is_drawn_and_stands_on_the_page():
    found = tables(forms=FORMS | {("2:4", "torch"): (lambda d: 0.6, lambda d: 1.1, lambda d: 0.7)}, collapse=True)
    found["forms"].loc[found["forms"]["runtime"] == "onnxruntime", "peak_bytes"] = None
    section = section_of(found)
    assert len(section.charts) == 4 and all(png(chart)[:4] == b"\x89PNG" for chart in section.charts)
    assert len(section.charts[3].panels) == 2  # no memory in ONNX Runtime: not every system tells it
    entries = [Entry("small_network", "The small network", "is it smaller?", section), Entry("cost", "Cost")]
    text = page(Page("digits", "", [Chapter("Cost", entries, in_short=True)]))
    assert "2:4, PyTorch" in text and "NaN" not in text.split('id="data">')[1].split("</script>")[0]
