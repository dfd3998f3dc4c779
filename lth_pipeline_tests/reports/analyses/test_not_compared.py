"""Pages of tickets that nothing may be claimed of: not rewound, of other data than dense, with open intervals."""

from dataclasses import replace
from functools import partial

import pandas as pd
import pytest

from lth_pipeline.experiments import Experiment
from lth_pipeline.recipes import load_cards
from lth_pipeline.recipes.analyses.analysis import _plain
from lth_pipeline.recipes.analyses.verdict import judged
from lth_pipeline.reports.analyses import connectivity, cost, robustness, training_path, verdict
from lth_pipeline.reports.analyses.parent import of_parent
from lth_pipeline.reports.analyses.section import About, Findings
from lth_pipeline_tests.recipes.analyses.made_up_rows import rows_of
from lth_pipeline_tests.reports.analyses.test_robustness import made_up as made_up_robustness
from lth_pipeline_tests.reports.analyses.test_training_path import findings as made_up_paths
from lth_pipeline_tests.reports.analyses.test_verdict_and_cost import costs

CARD: Experiment = load_cards([])["digits"]
ABOUT = About(CARD, "handwritten digits", [0, 1, 2, 3, 4])
BRANCH = replace(ABOUT, experiment=CARD.model_copy(update={"branch_of": type("Of", (), {"experiment": "parent"})()}))
TRAINED = ["weights", *["fine_tuning"] * 3]
judge = partial(judged, margin=0.005, resamples=1000, seed=0)


def findings(found) -> Findings:
    return Findings({name: pd.DataFrame(rows) for name, rows in _plain(found).tables.items()})


def test_tickets_on_trained_weights_are_not_called_winning():
    said = verdict.section(findings(judge(rows_of(), modes=TRAINED)), ABOUT)
    assert "Tickets are not rewound (rewind.mode fine_tuning)" in said.headline and "match the dense" in said.headline
    assert "sparsest winning" not in said.headline and "times as many" not in said.headline
    assert [chart.name for chart in said.charts] == ["verdict_accuracy", "verdict_differences"]
    few = verdict.section(findings(judge(rows_of(2), modes=TRAINED)), ABOUT)
    assert any("Tickets are not rewound" in paragraph for paragraph in few.text)
    some = verdict.section(findings(judge(rows_of(), modes=["weights"] * 3 + ["learning_rate"])), ABOUT)
    assert "has 15.0 % of the weights" in some.headline and "In 1 of 3 rounds tickets are not rewound" in some.headline


@pytest.mark.parametrize("replicates", [2, 5])
def test_a_dense_network_of_other_data_is_no_line_and_no_verdict(replicates):
    said = verdict.section(findings(judge(rows_of(replicates), other_data=[1, 2, 3])), BRANCH)
    lines = [line.arm for chart in said.charts for panel in chart.panels for line in panel.lines]
    assert set(lines) == {"ticket", "reinit"}
    assert all(rule.arm != "dense" for chart in said.charts for panel in chart.panels for rule in panel.rules)
    assert "beat the same mask on fresh weights" in said.headline and "match the dense network" not in said.headline
    assert "learned other data" in said.text[-1] and "parent" in said.text[-1]
    rows = [row for row in rows_of(replicates) if row["arm"] != "reinit"]
    alone = verdict.section(findings(judge(rows, other_data=[1, 2, 3])), BRANCH)
    assert alone.headline == verdict.ALONE and not alone.charts


def test_whose_dense_network_it_is():
    assert of_parent(ABOUT, True) == [] and "that of parent" in of_parent(BRANCH, True)[0]
    assert "that of parent" in verdict.section(findings(judge(rows_of())), BRANCH).text[-1]


def test_an_interval_without_an_upper_end_is_said_and_drawn_so():
    rows = [
        row | ({"early_stop_iteration": 0} if row["arm"] == "ticket" and row["replicate"] else {}) for row in rows_of()
    ]
    said = verdict.section(findings(judge(rows)), ABOUT)
    assert "or more)" in said.headline
    (speed,) = (chart for chart in said.charts if chart.name == "verdict_speed")
    dense = speed.panels[0].lines[0]
    every = [value for line in speed.panels[0].lines for value in line.y]
    assert dense.low[0] < dense.y[0] < dense.high[0] and min(dense.high) > max(every) and "open above" in speed.alt
    (closed,) = (c for c in verdict.section(findings(judge(rows_of())), ABOUT).charts if c.name == "verdict_speed")
    assert "open above" not in closed.alt


@pytest.mark.parametrize(
    ("why", "said"), [("not rewound", "go on from trained weights"), ("other data", "learned other")]
)
def test_no_payback_is_told(why, said):
    table = costs()
    gone = [name for name in table if name.startswith("payback") or (why == "other data" and name.startswith("dense_"))]
    table.loc[table["round"] > 0, gone] = None
    table = table.assign(never=[None, why, why, why])
    summary = pd.DataFrame({"key": ["devices", "trainings", "seconds", "kwh"], "value": ["a CPU", 9, 20.0, 1e-4]})
    section = cost.section(Findings({"cost": table, "summary": summary}), BRANCH)
    assert said in section.headline and "pays that back" not in section.headline and "never" not in section.headline
    drawn = ["cost_search"] + (["cost_use"] if why == "not rewound" else [])
    assert [chart.name for chart in section.charts] == drawn
    assert section.shown[0].rows[-1][-4:] == [""] * 4
    assert not any(paragraph.startswith("A payback of N") for paragraph in section.text)
    assert "nan" not in " ".join([section.headline, *section.text])


def test_the_headline_names_the_rewind_point():
    def row(round, arm, start, instability):
        of = {"replicate": 0, "round": round, "arm": arm, "draw": 0, "density": 0.5**round}
        return of | {"start_iteration": start, "start_share": 0.1, "instability_test": instability}

    rows = [row(0, "dense", 0, 0.2), row(0, "dense", 40, 0.01), row(1, "ticket", 40, 0.01)]
    rows = [each | {"at_end": False, "midway": 0.0} for each in rows]
    said = connectivity._headline(pd.DataFrame(rows), ABOUT)
    assert "Where tickets are rewound to, iteration 40, it is stable." in said
    rows[2]["start_iteration"] = 0
    assert "Where tickets are rewound to, its initialisation, it is not stable." in connectivity._headline(
        pd.DataFrame(rows), ABOUT
    )
    trained = CARD.model_copy(update={"rewind": CARD.rewind.model_copy(update={"mode": "fine_tuning"})})
    pruned = connectivity._headline(pd.DataFrame(rows[2:]), ABOUT)
    assert "the error between two copies exceeds theirs" in pruned and "dense" not in pruned
    assert "rewound to" not in connectivity._headline(pd.DataFrame(rows), replace(ABOUT, experiment=trained))


def test_how_many_images_were_looked_at_comes_from_the_table():
    said = training_path.section(made_up_paths(), ABOUT)
    assert "of 640 training images" in said.text[0]


def test_corruptions_of_some_networks_are_not_said_to_be_left_out():
    found = made_up_robustness()
    corruptions = found.tables["corruptions"]
    some = corruptions[corruptions["round"] == 0]
    tables = {**found.tables, "corruptions": some}
    said = robustness.section(Findings(tables, found.arrays), ABOUT)
    assert "nan" not in said.headline and not any("were left out" in paragraph for paragraph in said.text)
    assert "networks corruptions are missing" in said.text[0]
