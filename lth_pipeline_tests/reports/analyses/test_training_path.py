"""The section on the path of training, of made-up findings."""

import numpy as np
import pandas as pd
import pytest

from lth_pipeline.recipes import load_cards
from lth_pipeline.reports.analyses.section import About, Findings
from lth_pipeline.reports.analyses.training_path import section
from lth_pipeline.reports.charts.chart import Heat

ABOUT = About(load_cards([])["digits"], "handwritten digits", (0, 1))
NETWORKS = (("dense", 0, 1.0), ("ticket", 4, 0.1), ("reinit", 4, 0.1))
ITERATIONS = (0, 1, 10, 100)


def findings(networks=NETWORKS, replicates=2, layers=("fc1", "fc2")) -> Findings:
    path, gradients, training, arrays = [], [], [], {}
    for replicate in range(replicates):
        for place, (arm, round, density) in enumerate(networks, 1):
            of = {"replicate": replicate, "round": round, "arm": arm, "density": density}
            key = f"replicate{replicate}/round{round:02d}/{arm}"
            for n, iteration in enumerate(ITERATIONS):
                point = {"x": 3.0 - n, "y": 0.1 * n, "distance_from_start": place * n, "distance_to_end": 3.0 - n}
                slope = {"gradient_norm": place / (n + 1) + replicate, "loss": 2 / (n + 1), "cosine": None}
                path.append({**of, "iteration": iteration, **point, **slope})
            for iteration in (0, 100):
                gradients += [
                    {**of, "layer": layer, "iteration": iteration, "layer_weights": 9, "gradient_norm": 0.1 * place}
                    for layer in layers
                ]
            again = {"same_bits": replicate == 0, "same_route": True, "route": "cpu, by hand"}
            training.append({**of, **again, "explained_1": 0.9, "explained_2": 0.05, "parameters": 100, "images": 640})
            arrays[f"{key}/plane"] = np.full((4, 5), 0.5, dtype=np.float32) + np.arange(5, dtype=np.float32)
            arrays[f"{key}/plane_x"], arrays[f"{key}/plane_y"] = np.linspace(-1, 4, 5), np.linspace(-1, 1, 4)
    tables = {"path": path, "gradients": gradients, "training": training}
    return Findings({name: pd.DataFrame(rows) for name, rows in tables.items()}, arrays)


def charts(found: Findings) -> dict:
    return {chart.name: chart for chart in section(found, ABOUT).charts}


def test_each_network_has_its_path_over_its_plane():
    chart = charts(findings())["training_paths"]
    assert [panel.title for panel in chart.panels] == [
        "dense network, 100 %", "ticket, 10.0 %", "random reinit, 10.0 %",
    ]  # fmt: skip
    for panel in chart.panels:
        assert isinstance(panel, Heat) and panel.path == ([3.0, 2.0, 1.0, 0.0], [0.0, 0.1, 0.2, pytest.approx(0.3)])
        assert (len(panel.values), len(panel.values[0])) == (len(panel.y_at), len(panel.x_at)) == (4, 5)
        assert "90 %" in panel.x.label and "5 %" in panel.y.label


def test_gradient_and_distance_go_by_iteration_with_the_first_in_sight():
    made = charts(findings())
    dense, ticket, reinit = made["gradient_norm"].panels[0].lines
    assert dense.x == (1, 2, 11, 101) and dense.y == pytest.approx((1.5, 1.0, 1 / 3 + 0.5, 0.75))
    assert ticket.low == pytest.approx((2, 1, 2 / 3, 0.5)) and (ticket.arm, reinit.arm) == ("ticket", "reinit")
    assert [line.y[-1] for line in made["distance"].panels[0].lines] == [3, 6, 9]


def test_layers_have_their_names_where_there_is_room():
    start, end = charts(findings())["gradient_by_layer"].panels
    assert start.x.ticks == [(1, "fc1"), (2, "fc2")] and start.lines[1].y == pytest.approx((0.2, 0.2))
    assert (start.title, end.title) == ("At the start", "At the end")
    many = charts(findings(layers=[f"conv{n}" for n in range(20)]))["gradient_by_layer"].panels[0]
    assert many.x.ticks is None and many.lines[0].x == tuple(range(1, 21))


def test_the_headline_and_the_table_say_means_and_how_many():
    made = section(findings(), ABOUT)
    assert "10.0 % of the weights the ticket's gradient" in made.headline and "n = 2" in made.headline
    assert "0.71 (0.67 to 0.75) times that of random reinit (2.50 against 3.50)" in made.headline
    assert "gone a distance of 0.67 (0.67 to 0.67) times" in made.headline and "dense" not in made.headline
    rows = {row[0]: row[1:] for row in made.shown[0].rows}
    assert rows["ticket, 10.0 %"] == ("2", "2.50", "1.00", "6.00", "90 % + 5 %", "the same bits in 1 of 2")


def test_the_dense_network_of_one_replicate():
    made = section(findings(NETWORKS[:1], replicates=1), ABOUT)
    assert "n = 1" in made.headline and "no control" in made.headline and "from 1.00 to 0.250" in made.headline
    assert all(line.low is None for panel in made.charts[1].panels for line in panel.lines)


def test_tables_without_planes_or_layers_still_show_the_rest():
    found = findings()
    tables = {name: table for name, table in found.tables.items() if name != "gradients"}
    assert list(charts(Findings(tables))) == ["gradient_norm", "distance"]


def test_nothing_found_is_said():
    for nothing in (Findings({}), Findings({"path": pd.DataFrame(), "training": pd.DataFrame()})):
        made = section(nothing, ABOUT)
        assert "no path" in made.headline and not made.charts
