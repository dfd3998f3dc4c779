"""The commands that only read, the contract of results, and bad input."""

import json

import pytest

from lth_pipeline.commands.run import suitable_workers
from lth_pipeline.orchestration.numbers import numbers
from lth_pipeline.reports.table import COLUMNS
from lth_pipeline_tests.commands.reading import results
from lth_pipeline_tests.orchestration.running import gather, materialise, opened
from lth_pipeline_tests.places import PROJECT, SMALL_CARD

CONTRACT = [
    "experiment",
    "replicate",
    "round",
    "arm",
    "density",
    "weights",
    "early_stop_iteration",
    "test_accuracy_at_early_stop",
    "test_accuracy_at_end",
    "train_accuracy_at_end",
    "validation_loss_min",
    "seconds",
    "mlflow_run_id",
    "protocol",
    "diverged_at",
    "draw",
]


def test_list_and_show(place):
    listed = place.lth("list").stdout
    for name in ("digits", "lenet_mnist", "lenet_mnist_quick", "lenet_fashion", "small"):
        assert name in listed
    shown = place.lth("show", "lenet_mnist").stdout
    assert "51.28 %" in shown and "21.07 %" in shown  # the paper's rounds 3 and 7
    assert "205 trainings" in shown and "10,250,000 iterations" in shown


def test_the_columns_of_results_are_the_contract(inside):
    assert list(COLUMNS) == CONTRACT
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0).success
        gather(definitions, instance, "small")
    rows = results(inside, "small")
    assert list(rows[0]) == CONTRACT
    assert [(row["round"], row["arm"]) for row in rows] == [
        ("0", "dense"),
        ("1", "ticket"),
        ("1", "reinit"),
        ("2", "ticket"),
        ("2", "reinit"),
    ]
    assert all(len(row["mlflow_run_id"]) == 32 for row in rows)
    assert float(rows[0]["density"]) == 1.0 and int(rows[0]["weights"]) == 64 * 24 + 24 * 12 + 120
    as_json = json.loads(inside.here("results", "small", "--format", "json").stdout)
    assert [list(row) for row in as_json] == [CONTRACT] * 5
    assert as_json[3]["test_accuracy_at_end"] == pytest.approx(float(rows[3]["test_accuracy_at_end"]))
    assert "the ticket ends" in inside.here("results", "small").stdout
    assert "results.csv" in " ".join(path.name for path in (inside.folder / "reports" / "small").iterdir())


def test_results_of_what_was_never_run(place):
    assert "no results yet" in place.here("results", "digits").stdout
    assert place.here("results", "digits", "--format", "csv").stdout.strip() == ",".join(CONTRACT)
    assert "Not begun" in place.here("status").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "digitz"), "no experiment 'digitz'. Did you mean digits?"),
        (("run", "small", "--through", "99"), "set LTH_DEEPEST_ROUND=99"),
        (("run", "small", "--replicates", "10"), "set LTH_REPLICATES=11"),
        (("run", "small", "--replicates", "a"), "is not a list of numbers"),
        (("run", "small", "--through", "20"), "round 13 would prune fc2.weight away whole; go through 12"),
        (("run", "small", "--through", "1", "--rounds", "2"), "give one of them"),
        (("ui", "--dagster-port", "4711", "--mlflow-port", "4711"), "cannot have port 4711"),
        (("show", "nothing"), "no experiment 'nothing'"),
        (("results", "nothing"), "no experiment 'nothing'"),
    ],
)
def test_wrong_arguments_are_one_message(place, arguments, said):
    done = place.here(*arguments, check=False)
    assert done.returncode in (1, 2)
    assert said in done.stderr and "Traceback" not in done.stderr
    assert not (place.folder / ".lth" / "store").exists()


def test_a_wrong_card_is_one_message(place):
    place.card("mine", SMALL_CARD.replace("0.4", "-0.2").replace("iterations: 90", "iteratoins: 90"))
    done = place.here("list", check=False)
    assert done.returncode == 2
    assert "mine.yaml, line 4: training.iteratoins = 90: unknown key; did you mean iterations?" in done.stderr
    assert "mine.yaml, line 5: pruning.rates.fc = -0.2: must be at least 0" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_data_set_says_where_to_put_it(place, tmp_path):
    place.card("images", SMALL_CARD.replace("digits", "mnist"))
    done = place.lth("run", "images", "--replicates", "0", check=False, LTH_DATA_DIR=str(tmp_path / "empty"))
    assert done.returncode == 1
    assert str(tmp_path / "empty" / "MNIST" / "raw") in done.stderr and "LTH_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((place.store / "recipes").rglob(".*"))  # nothing half-written


def test_a_damaged_artifact_is_put_aside_and_computed_anew(inside):
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0).success
    record = next(
        entry
        for path in (inside.store / "recipes").rglob("*.json")
        if (entry := json.loads(path.read_text())["record"])["made_by"]["step"] == "round 1 ticket trained"
    )
    path = inside.store / "objects" / record["version"][:2] / f"{record['version']}.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 4
    path.write_bytes(content)
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0, ["r01_trained"]).success
    assert path.is_file() and path.read_bytes() != content  # by the same name: the same bits
    (aside,) = (inside.store / "damaged").iterdir()
    assert aside.read_bytes() == content


def test_a_damaged_record_is_told_and_its_training_made_again(inside):
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0).success
        assert materialise(definitions, instance, "small", 1).success
        assert gather(definitions, instance, "small").success
    (path,) = (
        path
        for path in (inside.store / "recipes").rglob("*.json")
        if (made_by := json.loads(path.read_text())["record"]["made_by"]).get("step") == "round 2 ticket trained"
        and made_by["replicate"] == 1
    )
    record = path.read_text()
    path.write_text(record.replace('"version": "', '"version": "0'))
    told = inside.here("status", "small")
    assert f"{path}: was damaged" in told.stderr and "put aside" in told.stderr and "Traceback" not in told.stderr
    again = inside.lth("run", "small")
    assert "1 replicate(s), 1 trainings" in again.stderr
    version = json.loads(record)["record"]["version"]
    assert json.loads(path.read_text())["record"]["version"] == version


def test_what_a_card_says_is_shown_as_it_stands(place):
    place.card("odd", SMALL_CARD.replace("a lottery of seconds", "'a [/bold] of [red]'"))
    assert "a [/bold] of [red]" in place.here("show", "odd").stdout
    assert "a [/bold] of [red]" in place.here("list").stdout


@pytest.mark.parametrize("variable", ["MLFLOW_TRACKING_URI", "LTH_STORE_DIR", "DAGSTER_HOME"])
def test_a_place_that_cannot_be_written_is_named(place, variable):
    """/proc takes no folders, from nobody."""
    value = "sqlite:////proc/lth/mlflow.db" if variable == "MLFLOW_TRACKING_URI" else "/proc/lth"
    done = place.here("run", "small", check=False, **{variable: value})
    assert done.returncode == 2
    assert "/proc/lth: cannot be written to" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("LTH_REPLICATES", "x", "LTH_REPLICATES=x: must be a whole number"),
        ("LTH_DEEPEST_ROUND", "-4", "LTH_DEEPEST_ROUND=-4: must be a whole number"),
        ("LTH_DEVICE", "banana", "LTH_DEVICE=banana: must be auto, cpu, cuda or cuda:N"),
        ("LTH_HOME", "/tmp/home#1", "MLflow cannot keep its store where a path has one of # ? %"),
    ],
)
def test_a_wrong_variable_is_named(place, variable, value, said):
    done = place.lth("status", check=False, **{variable: value})
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


def test_numbers_of_an_option():
    assert numbers("0,2,5-7,2") == (0, 2, 5, 6, 7)


@pytest.mark.parametrize(
    ("tasks", "cores", "workers"), [(1, 2, 1), (2, 2, 2), (3, 2, 3), (4, 2, 2), (5, 2, 2), (3, 8, 3), (20, 8, 10)]
)
def test_as_many_workers_as_end_soonest(tasks, cores, workers):
    chosen = suitable_workers(tasks, cores)

    def length(count):
        return -(-tasks // count) * max(1.0, count / cores)

    assert length(chosen) == min(length(count) for count in range(1, 2 * cores + 1))
    assert chosen == workers


def test_the_readme_begins_with_the_two_commands():
    text = (PROJECT / "README.md").read_text()
    assert text.index("make run") < text.index("make test") < 1500
    assert (PROJECT / "docs" / "results.md").read_text().count("| `") >= len(CONTRACT)
