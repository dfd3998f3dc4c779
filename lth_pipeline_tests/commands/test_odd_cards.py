"""Cards that are allowed and unusual, through `lth`, and what is said of those that are not."""

from lth_pipeline_tests.places import SMALL_CARD

TAKER = "based_on: source\nticket_from: {experiment: source, round: 1}\npruning: {rounds: 1}\n"


def test_rates_by_pattern_reach_mlflow(place):
    """A pattern is no name that MLflow takes for a parameter: all of them are one parameter, as JSON."""
    rates = "pruning: {scope: layerwise, rates: {fc: 0.4}, layer_rates: {'fc*': 0.3}, rounds: 1}"
    place.card(
        "small", SMALL_CARD.replace(SMALL_CARD[SMALL_CARD.index("pruning:") : SMALL_CARD.index("arms:")], rates + "\n")
    )
    place.lth("run", "small", "--replicates", "0")
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{place.folder}/mlflow/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("small").experiment_id], "tags.`lth.kind` = 'round'")
    assert {run.data.params["pruning.layer_rates"] for run in runs} == {'{"fc*": 0.3}'}


def test_a_card_may_not_be_called_like_a_job_of_dagsters(place):
    place.card("compare_sweeps", SMALL_CARD)
    done = place.lth("list", check=False)
    assert done.returncode and "compare_sweeps.yaml" in done.stderr and "rename this file" in done.stderr


def test_a_ticket_of_images_that_were_not_read_keeps_no_other_from_being_shown(place):
    images = "data: {name: images, path: pictures, image_size: 8, validation_size: 4, test_size: 4}"
    place.card("source", SMALL_CARD.replace("data: {name: digits, validation_size: 200}", images))
    place.card("taker", TAKER + "data: {name: digits, path: null, image_size: null, test_size: null}\n")
    done = place.lth("status", LTH_DATA_DIR=str(place.folder / "data"))
    assert "taker" in done.stdout and "digits" in done.stdout


def test_what_takes_the_ticket_of_a_source_that_diverged_is_left_out_and_says_why(place):
    place.card("source", SMALL_CARD.replace("learning_rate: 2e-3", "learning_rate: 1e30").replace("adam", "sgd"))
    place.card("taker", TAKER + "training: {learning_rate: 0.1}\n")
    done = place.lth("run", "taker", "--replicates", "0")
    assert "taker" in done.stdout
    status = place.lth("status", "taker", "--stale").stdout
    assert "Nothing is stale" in status
    again = place.lth("run", "taker", "--replicates", "0")
    assert "up to date" in again.stdout  # what is left out is not tried for ever
    assert "left out" in place.lth("status", "taker").stdout


def test_going_deeper_than_can_be_counted_is_refused_before_anything_runs(place):
    where = "pruning: {scope: global, rates: {fc: 0.4}, rounds: 2}"
    start, end = SMALL_CARD.index("pruning:"), SMALL_CARD.index("arms:")
    place.card("source", SMALL_CARD[:start] + where + "\n" + SMALL_CARD[end:])
    place.card("taker", TAKER + "model: {widths: [24, 12, 6]}\n")
    done = place.lth("run", "taker", "--through", "3", check=False)
    assert done.returncode and "cannot be counted" in done.stderr and "Traceback" not in done.stderr
