"""The verdict and the cost as people read them."""

import pandas as pd
import pytest

from lth_pipeline.recipes import load_cards
from lth_pipeline.recipes.analyses.analysis import tensors_of
from lth_pipeline.recipes.analyses.verdict import judged
from lth_pipeline.reports.analyses import cost, verdict
from lth_pipeline.reports.analyses.section import About, Findings
from lth_pipeline_tests.recipes.analyses.made_up_rows import row, rows_of

ABOUT = About(load_cards([])["digits"], "handwritten digits", [0, 1, 2, 3, 4])


def findings_in(rows) -> Findings:
    found = judged(rows, margin=0.005, resamples=1000, seed=0)
    tensors_of(found)  # it can be kept
    return Findings({name: pd.DataFrame(table) for name, table in found.tables.items()})


def sentence_of(rows) -> str:
    return verdict.sentence(findings_in(rows).tables["summary"])


def test_the_sentence_of_a_ticket_that_wins():
    said = sentence_of(rows_of())
    assert said.startswith(
        "With 5 replicates: tickets match the dense network (within 0.5 percentage points of test accuracy at early "
        "stop) down to 4.0 % of the weights, the sparsest trained, and beat the same mask on fresh weights from 40.0 % "
        "down to 4.0 % (paired t-test, Holm, p < 0.05). The sparsest winning ticket has 4.0 % of the weights"
    )
    assert "dense takes 2.00 times as many iterations (interval 2.00 to 2.00)." in said


def test_the_sentence_of_too_few():
    assert sentence_of(rows_of(replicates=2)) == (
        "With 2 replicates it cannot be told whether tickets match the dense network or beat the same mask on fresh "
        "weights; at least 3 are needed, 5 or more are sensible."
    )
    assert sentence_of(rows_of(replicates=1)).startswith("With 1 replicate it cannot be told")


def test_the_sentence_of_replicates_that_went_less_deep():
    rows = [one for one in rows_of() if one["replicate"] < 3 or one["round"] < 3]
    assert sentence_of(rows).startswith("With 3 to 5 replicates: tickets match")


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        ({"ticket": (-0.02,) * 3, "reinit": (-0.02,) * 3}, "no ticket could be shown to match the dense network"),
        ({"ticket": (-0.02,) * 3, "reinit": (-0.02,) * 3}, "at 40.0 % it is worse, and none could be told apart"),
        ({"ticket": (-0.02,) * 3, "reinit": (-0.05,) * 3}, "and tickets beat the same mask on fresh weights from 40.0"),
        ({"ticket": (0.0,) * 3, "reinit": (-0.01, 0.0, -0.01)}, "in 2 rounds between 40.0 % and 4.0 %"),
        ({"ticket": (0.0,) * 3, "reinit": (0.0, -0.01, 0.0)}, "beat the same mask on fresh weights at 15.0 % (paired"),
        ({"ticket": (0.0, -0.02, 0.0), "reinit": (0.0, -0.02, 0.0)}, "down to 40.0 % of the weights, and none"),
        ({"ticket": (0.0,) * 3}, "without the arm reinit it cannot be told whether the original initialisation"),
    ],
)
def test_the_sentence_says_what_was_not_shown(gains, expected):
    assert expected in sentence_of(rows_of(gains=gains))


def test_nothing_trained_is_said_and_not_drawn():
    for rows in ([], [row(0, 0, "dense", 1.0, 0.97)]):
        section = verdict.section(findings_in(rows), ABOUT)
        assert section.headline == verdict.NOTHING and not section.charts
    assert verdict.section(Findings({}), ABOUT).headline == verdict.NOTHING
    assert cost.section(Findings({}), ABOUT).headline == cost.NOTHING
    assert cost.section(Findings({"cost": costs(rounds=0)}), ABOUT).headline == cost.NOTHING


def test_every_arm_is_a_line_in_its_colour_and_dense_a_rule():
    section = verdict.section(findings_in(rows_of()), ABOUT)
    accuracy, differences, speed = section.charts
    for panel in accuracy.panels:
        assert [line.arm for line in panel.lines] == ["ticket", "reinit"]
        assert [rule.arm for rule in panel.rules] == ["dense"]
        assert panel.lines[0].x == pytest.approx([40, 15, 4]) and panel.x.log and panel.x.falling
        assert all(low <= y <= high for low, y, high in zip(*_band(panel.lines[0]), strict=True))
    assert accuracy.panels[0].lines[0].y[0] == pytest.approx(97.24, abs=0.01)
    for panel in differences.panels:
        assert [line.arm for line in panel.lines] == ["dense", "reinit"]
        assert [rule.at for rule in panel.rules] == [0, pytest.approx(-0.5)]
    assert [line.arm for line in speed.panels[0].lines] == ["dense", "reinit"]
    assert speed.panels[0].lines[0].y == [2.0] * 3 and speed.panels[0].lines[1].y == [4.0] * 3
    assert all("n = 5" in chart.title and "%" in chart.alt for chart in (accuracy, differences))


def _band(line):
    return line.low, line.y, line.high


def test_one_replicate_is_drawn_without_a_band():
    section = verdict.section(findings_in(rows_of(replicates=1)), ABOUT)
    lines = [line for chart in section.charts for panel in chart.panels for line in panel.lines]
    assert lines and all(line.low is None and line.high is None for line in lines)
    assert "fewer" not in section.headline and "1 replicate" in section.headline


def test_the_table_has_a_line_for_every_round_and_comparison():
    early, end = verdict.section(findings_in(rows_of()), ABOUT).shown
    assert len(early.rows) == len(end.rows) == 6
    assert [line[:3] for line in early.rows[:2]] == [["40.0 %", "dense network", "5"], ["40.0 %", "random reinit", "5"]]
    assert early.rows[0][-2:] == ["better", "yes"] and early.rows[1][-1] == ""
    assert all(len(line) == len(early.columns) for line in early.rows)
    few = verdict.section(findings_in(rows_of(replicates=2)), ABOUT).shown[0].rows[0]
    assert few[5:] == ["", "", "too few replicates", "cannot be told"]


def test_matching_is_not_denied_where_it_is_only_not_shown():
    def answers(*gains) -> list[str]:
        (early, _) = verdict.section(findings_in(rows_of(gains={"ticket": gains})), ABOUT).shown
        return [line[-1] for line in early.rows if line[1] == "dense network"]

    assert answers(0.0, 0.0, 0.0) == ["yes"] * 3
    assert answers(-0.02, 0.0, 0.0) == ["worse", *["not shown (a denser round is not)"] * 2]
    rows = rows_of(gains={"ticket": (0.0,) * 3})
    for one in rows:  # one replicate is far worse than the others: nothing can be shown
        if one["arm"] == "ticket" and one["replicate"] == 0:
            one["test_accuracy_at_early_stop"] -= 0.05
    (early, _) = verdict.section(findings_in(rows), ABOUT).shown
    assert {line[-1] for line in early.rows} == {"not shown"}


def test_a_winner_that_may_be_slower_is_not_called_faster():
    rows = rows_of()
    for one in rows:
        if one["arm"] == "ticket":
            one["early_stop_iteration"] = 2000 if one["replicate"] == 0 else 100
        if one["arm"] == "dense":
            one["early_stop_iteration"] = 500
    said = sentence_of(rows)
    assert "on average comes to its early stop no later than the dense network" in said
    assert said.endswith("so which of the two is faster is not shown.")


def test_a_control_that_stops_at_the_last_iteration_makes_the_ratio_a_lower_bound():
    rows, last = rows_of(), ABOUT.experiment.training.iterations
    assert not any("last iteration" in text for text in verdict.section(findings_in(rows), ABOUT).text)
    for one in rows:
        if one["arm"] == "reinit" and one["round"] == 3:
            one["early_stop_iteration"] = last
    made = verdict.section(findings_in(rows), ABOUT)
    assert "at least 5 of 5 trainings of 1 round of the random reinit (from 4.0 % of the weights on)" in made.text[-1]
    assert made.text[-1] in made.charts[2].about and "a lower bound" in made.text[-1]


def test_what_diverged_is_named():
    rows = rows_of()
    rows[-1]["diverged_at"] = 30
    text = verdict.section(findings_in(rows), ABOUT).text
    assert text[-1] == "Diverged, and left out: reinit of round 3 in replicate 4."


def costs(rounds: int = 3, n: int = 3) -> pd.DataFrame:
    """Made up: round by round half the weights, and half the operations."""
    rows = []
    for number in range(rounds + 1):
        share = 0.5**number
        saved = 1 - share
        own = {
            "round": number,
            "n": n,
            "density": share,
            "weights": int(1000 * share),
            "search_trainings": number,
            "search_iterations": 100 * number,
            "search_flops_dense": 3e9 * number,
            "search_flops_masked": 3e9 * 2 * saved,
            "search_seconds": 2.0 * number,
            "search_seconds_sd": 0.1 if n > 1 else None,
            "search_kwh": 1e-5 * number,
            "forward_flops_dense": 2000.0,
            "forward_flops_masked": 2000.0 * share,
            "dense_seconds": 2.0,
            "seconds": 2.0,
            "seconds_sd": 0.1 if n > 1 else None,
            "controls_seconds": 2.0,
            "never": None,
        }
        pays = {"flops": 2.0, "flops_dense_search": 1.0 * number, "early_stop": 30.0, "images": 3e6}
        pays |= {"images_dense_search": 4e6, "seconds": None}
        for name, value in pays.items():
            ends = dict.fromkeys((f"payback_{name}", f"payback_{name}_low", f"payback_{name}_high"), value)
            own |= ends if number else dict.fromkeys(ends)
        rows.append(own | ({"payback_early_stop_high": None} if number == 2 else {}))
    return pd.DataFrame(rows)


def cost_section(**settings):
    summary = pd.DataFrame(
        [
            {"key": key, "value": value}
            for key, value in {"devices": "some CPU (10 W)", "trainings": 9, "seconds": 20.0, "kwh": 1e-4}.items()
        ]
    )
    return cost.section(Findings({"cost": costs(**settings), "summary": summary}), ABOUT)


def test_the_cost_in_words():
    said = cost_section()
    assert said.headline == (
        "Finding the ticket of 12.5 % of the weights took 3 trainings before it: 300 iterations, 6.00 ± 0.10 s and "
        "about 0.030 Wh (an estimate; n = 3). Trained again and again in place of the dense network, the ticket pays "
        "that back after 2.0 trainings if every zero is skipped, and never by the seconds measured here."
    )
    assert any("some CPU (10 W)" in paragraph for paragraph in said.text)


def test_seconds_of_a_busy_machine_are_not_told_as_a_finding():
    table = costs()
    table["seconds_sd"] = 1.0  # half of the mean: one of three must have taken more than twice as long as another
    summary = pd.DataFrame({"key": ["devices", "trainings", "seconds", "kwh"], "value": ["some CPU", 9, 20.0, 1e-4]})
    made = cost.section(Findings({"cost": table, "summary": summary}), ABOUT)
    assert "about 6.0 s on a busy machine" in made.headline and "by the seconds" not in made.headline
    assert cost.BUSY in made.text and cost.BUSY in made.charts[0].about
    assert cost.BUSY not in cost_section().text


def test_what_never_pays_back_is_a_gap_or_no_line():
    *_, payback = cost_section().charts
    lines = {line.name: line.y for line in payback.panels[0].lines}
    assert lines["operations, zeros skipped"] == [2.0] * 3
    assert lines["iterations to early stop"] == [30.0, None, 30.0]  # in round 2 a replicate never does
    assert "seconds, as measured" not in lines and "seconds, as measured: never" in payback.alt
    assert payback.panels[1].lines[0].y == [3.0] * 3 and payback.panels[1].y.label == "images, millions"


def test_the_search_and_the_use_are_drawn_with_their_units():
    search, use, _ = cost_section().charts
    assert search.panels[0].y.label == "operations, GFLOP" and search.panels[0].lines[0].y == pytest.approx([3, 6, 9])
    assert use.panels[0].lines[0].y == pytest.approx([2, 1, 0.5, 0.25]) and use.panels[0].rules[0].at == 2.0
    assert search.panels[1].lines[0].low == pytest.approx([1.9, 3.9, 5.9])
    one = cost_section(n=1)
    assert one.charts[0].panels[1].lines[0].low is None and "6.00 s" in one.headline


def test_the_table_of_costs_says_never():
    (shown,) = cost_section().shown
    assert len(shown.rows) == 4 and all(len(line) == len(shown.columns) for line in shown.rows)
    assert shown.rows[-1][-1] == "never" and shown.rows[0][-1] == ""
    assert shown.rows[-1][4] == "9.00 GFLOP"
