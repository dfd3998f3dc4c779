"""The files of figures: what was measured is replaced, all else is kept."""

import json

import pytest

from benchmarks import machine
from benchmarks.enter import enter
from benchmarks.results import BEGIN, END, FOLDER, ResultsError, figure, met, read, record, table

PAGE = f"# Results\n\nby hand, before\n\n{BEGIN}\nold\n{END}\n\nby hand, after\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "RESULTS.md").write_text(PAGE)
    return tmp_path


def test_what_was_measured_is_replaced_and_the_rest_kept(folder):
    record({"a": figure(1.5, "ratio", 2), "b": figure(3, "×", 4)}, "monday", folder)
    record({"b": figure(5, "×", 4), "c": figure(0.1, "s")}, "tuesday", folder)
    assert json.loads((folder / "results.json").read_text()) == {
        "a": {"value": 1.5, "unit": "ratio", "target": 2, "measured": "monday"},
        "b": {"value": 5.0, "unit": "×", "target": 4, "measured": "tuesday"},
        "c": {"value": 0.1, "unit": "s", "target": None, "measured": "tuesday"},
    }
    assert list(read(folder)) == ["a", "b", "c"]


def test_the_page_keeps_what_was_written_by_hand(folder):
    for measured in ("monday", "tuesday"):
        record({"a": figure(1.5, "ratio", 2)}, measured, folder)
    page = (folder / "RESULTS.md").read_text()
    assert page.startswith(PAGE.partition("old")[0]) and page.endswith(PAGE.partition("old")[2])
    assert "old" not in page and "monday" not in page
    assert "| `a` | 1.5 | ratio | ≤ 2 | yes | tuesday |" in page


def test_what_cannot_be_measured_here_is_said_and_displaces_nothing(folder):
    nothing = {"a": figure(None, "×", 50, "not measured: no GPU was at hand")}
    record(nothing, "monday", folder)
    assert read(folder)["a"]["measured"] is None
    assert "| `a` | — | × | ≥ 50 |  | not measured: no GPU was at hand |" in (folder / "RESULTS.md").read_text()
    record({"a": figure(60, "×", 50)}, "tuesday", folder)
    record(nothing, "wednesday", folder)
    assert read(folder)["a"] == {"value": 60.0, "unit": "×", "target": 50, "measured": "tuesday"}


@pytest.mark.parametrize(
    "value, unit, target, expected",
    [
        (1.6, "ratio", 1.6, True),
        (1.7, "ratio", 1.6, False),
        (9.9, "×", 10, False),
        (0.98, "share", 0.97, True),
        (5, "s", None, None),
        (None, "s", 5, None),
    ],
)
def test_a_target_is_met_from_the_right_side(value, unit, target, expected):
    assert met(figure(value, unit, target)) is expected


def test_numbers_are_written_as_people_read_them():
    rows = table({"a": figure(1234567, "s"), "b": figure(0.00123456, "s"), "c": figure(1.0331, "ratio")})
    assert [row.split(" | ")[1] for row in rows.splitlines()[2:]] == ["1,235,000", "0.001235", "1.033"]


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": {"value": 1}}'])
def test_a_damaged_file_is_an_error_that_names_it_and_nothing_is_written(folder, text):
    (folder / "results.json").write_text(text)
    with pytest.raises(ResultsError, match=r"results\.json"):
        record({"a": figure(1, "s")}, "monday", folder)
    assert (folder / "results.json").read_text() == text and (folder / "RESULTS.md").read_text() == PAGE


@pytest.mark.parametrize("text", ["", PAGE.replace(END, ""), PAGE + BEGIN, f"{END}\n{BEGIN}\n"])
def test_a_page_without_its_markers_is_an_error_and_nothing_is_written(folder, text):
    (folder / "RESULTS.md").write_text(text)
    with pytest.raises(ResultsError, match=r"RESULTS\.md: must have the lines"):
        record({"a": figure(1, "s")}, "monday", folder)
    assert not (folder / "results.json").exists() and (folder / "RESULTS.md").read_text() == text


def test_figures_of_another_machine_are_written_down(folder):
    there = folder / "gpu.json"
    there.write_text(json.dumps({"machine": "a GPU, 16 cores", "a": {**figure(60, "×", 50), "note": "TF32"}}))
    one = enter(there, folder=folder)["a"]
    assert one["value"] == 60 and one["note"] == "TF32" and one["measured"].endswith("; a GPU, 16 cores")
    for text in ("{", "[]", '{"a": 1}', '{"machine": "x", "a": 1}'):
        there.write_text(text)
        with pytest.raises(ResultsError, match=r"gpu\.json"):
            enter(there, folder=folder)
    assert read(folder) == {"a": one}


def test_the_project_s_page_shows_the_project_s_figures():
    assert table(read()) in (FOLDER / "RESULTS.md").read_text()


def test_what_stands_beside_a_figure(monkeypatch, tmp_path):
    date, processor = machine.measured("by night").split("; ", 1)
    assert date.count("-") >= 2 and "torch" in processor and processor.endswith("by night")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    assert machine.commit() == "no git"


@pytest.mark.parametrize("load, said", [(2.0, False), (2.5, True)])
def test_a_busy_machine_is_said(monkeypatch, load, said):
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert machine.busy() == ("busy with other work too (load 2.5)" if said else "")
