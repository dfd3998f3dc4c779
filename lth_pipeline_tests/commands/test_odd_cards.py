"""Cards that are allowed and unusual, and what is said of those that are not."""

from mlflow import MlflowClient

from lth_pipeline.commands.common import workshop
from lth_pipeline.home import find_home
from lth_pipeline.orchestration.partitions import deepest_round
from lth_pipeline.orchestration.status import read_records, replicate_status
from lth_pipeline.recipes import load_cards
from lth_pipeline_tests.orchestration.running import materialisations, materialise, opened
from lth_pipeline_tests.places import SMALL_CARD

TAKER = "based_on: source\nticket_from: {experiment: source, round: 1}\npruning: {rounds: 1}\n"


def pruned_by(pruning: str) -> str:
    """SMALL_CARD with another line in place of its pruning."""
    start, end = SMALL_CARD.index("pruning:"), SMALL_CARD.index("arms:")
    return f"{SMALL_CARD[:start]}{pruning}\n{SMALL_CARD[end:]}"


def test_rates_by_pattern_reach_mlflow(inside):
    """A pattern is no name that MLflow takes for a parameter: all of them are one parameter, as JSON."""
    rates = "pruning: {scope: layerwise, rates: {fc: 0.4}, layer_rates: {'fc*': 0.3}, rounds: 1}"
    inside.card("small", pruned_by(rates))
    with opened() as (definitions, instance):
        assert materialise(definitions, instance, "small", 0).success
    client = MlflowClient(tracking_uri=f"sqlite:///{inside.folder}/mlflow/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("small").experiment_id], "tags.`lth.kind` = 'round'")
    assert {run.data.params["pruning.layer_rates"] for run in runs} == {'{"fc*": 0.3}'}


def test_a_card_may_not_be_called_like_a_job_of_dagsters(place):
    place.card("compare_sweeps", SMALL_CARD)
    done = place.here("list", check=False)
    assert done.returncode and "compare_sweeps.yaml" in done.stderr and "rename this file" in done.stderr


def test_a_ticket_of_images_that_were_not_read_keeps_no_other_from_being_shown(place):
    images = "data: {name: images, path: pictures, image_size: 8, validation_size: 4, test_size: 4}"
    place.card("source", SMALL_CARD.replace("data: {name: digits, validation_size: 200}", images))
    place.card("taker", TAKER + "data: {name: digits, path: null, image_size: null, test_size: null}\n")
    done = place.here("status", LTH_DATA_DIR=str(place.folder / "data"))
    assert "taker" in done.stdout and "digits" in done.stdout


def test_what_takes_the_ticket_of_a_source_that_diverged_is_left_out_and_says_why(inside):
    inside.card("source", SMALL_CARD.replace("learning_rate: 2e-3", "learning_rate: 1e30").replace("adam", "sgd"))
    inside.card("taker", TAKER + "training: {learning_rate: 0.1}\n")
    cards = load_cards([inside.folder / "experiments"])
    with opened() as (definitions, instance):
        result = materialise(definitions, instance, "taker", 0)
        assert result.success and "r01_mask" not in materialisations(result)
        says = [e.description for e in result.get_asset_check_evaluations() if e.asset_key.path == ["r01_mask"]]
        assert says and all("the ticket is source's, where the training of round 0 (dense) diverged" in s for s in says)
        shop, deepest = workshop(find_home()), deepest_round(cards)
        found = replicate_status(shop.chain(cards, "taker", 0), shop, read_records(instance, deepest), 1, deepest)
    assert {entry.asset for entry in found if entry.state == "left out"} == {
        f"r01_{stage}" for stage in ("mask", "ticket", "trained", "control")
    }


def test_going_deeper_than_can_be_counted_is_refused_before_anything_runs(place):
    place.card("source", pruned_by("pruning: {scope: global, rates: {fc: 0.4}, rounds: 2}"))
    place.card("taker", TAKER + "model: {widths: [24, 12, 6]}\n")
    done = place.here("run", "taker", "--through", "3", check=False)
    assert done.returncode and "cannot be counted" in done.stderr and "Traceback" not in done.stderr
