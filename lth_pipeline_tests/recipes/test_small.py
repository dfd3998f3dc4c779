"""What is said of a small network: where it comes from, and what is in the file that says it."""

import json
from math import prod

import pytest
import yaml
from safetensors import safe_open

from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.recipes import Step, Store, Workshop
from lth_pipeline.recipes.exported import Form, content_of
from lth_pipeline.recipes.ready import make_ready
from lth_pipeline.recipes.registry import registered
from lth_pipeline.recipes.small import NotTrainedError, lineage, ticket_of, trained_network
from lth_pipeline_tests.recipes.making import card, load, workshop_in
from lth_pipeline_tests.recipes.test_own_images import CARD, draw
from lth_pipeline_tests.recipes.test_registry import Bench, Shelf, taking


def test_lineage_goes_on_where_a_ticket_was_taken_from_another(tmp_path):
    """From the model registry, and before that from an experiment: whose, and the very artifacts."""
    bench = Bench(tmp_path, Shelf())
    cards = bench.cards(
        first=card(),
        source=card(seed=1, ticket_from={"experiment": "first", "round": 2}, pruning={"rounds": 1}),
        taker=taking("trained"),
        again=card(seed=2, ticket_from={"experiment": "taker", "round": 1, "weights": "own"}),
    )
    source = bench.publish(cards, 1)
    taker, again = bench.ready(cards), bench.ready(cards, "again")
    for made in (taker, again):
        made.product(Step("trained", 0, "dense"))
        made.product(Step("trained", 1, "ticket"))
    ticket = ticket_of(taker.workshop, taker.chain, 1)
    published = {
        **{"experiment": "source", "replicate": 0, "round": 1, "registry": "found@best", "version": "1", "run": "run1"},
        **{"mask": source.product(Step("mask", 1)).version},
        **{"weights": registered(cards["taker"].ticket_from, bench.dirs).versions["trained"]},
    }
    assert ticket.about["origins"] == [published]
    settings, _ = lineage(ticket_of(again.workshop, again.chain, 1))
    assert list(settings) == ["again", "taker"]
    assert ticket_of(again.workshop, again.chain, 1).about["origins"] == [
        {
            **{"experiment": "taker", "replicate": 0, "round": 1, "weights": None},
            **{"mask": taker.product(Step("mask", 1)).version},
        },
        published,
    ]
    of_source = ticket_of(source.workshop, source.chain, 1)
    assert list(lineage(of_source)[0]) == ["source", "first"] and of_source.about["origins"][0]["experiment"] == "first"
    assert "origins" not in ticket_of(taker.workshop, taker.chain, 0).about


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    cards = load(folder / "cards", tiny=card(model={"widths": [24, 12]}, pruning={"rates": {"fc": 0.8}, "rounds": 2}))
    workshop = workshop_in(folder / "store")
    chain = workshop.chain(cards, "tiny", 0)
    for round in range(3):
        workshop.make(chain, chain.main(round))
    return workshop, chain


@pytest.mark.parametrize("round", [3, 1000, 10**9])
def test_a_round_that_is_far_from_trained_is_said_at_once(trained, round):
    workshop, chain = trained
    with pytest.raises(NotTrainedError, match=f"round {round} is not trained; rounds 0 … 2 are"):
        trained_network(workshop, chain, round)


@pytest.mark.parametrize(
    "form", [Form(".safetensors"), Form(".safetensors", sparse=True), Form(".safetensors", as_trained=True)], ids=str
)
def test_a_file_speaks_of_the_network_that_is_in_it(trained, tmp_path, form):
    """Sizes of layers, and how many weights are stored, counted in the file itself."""
    ticket = ticket_of(*trained, 2)
    path = tmp_path / "ticket.safetensors"
    path.write_bytes(content_of(ticket, form))
    with safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["lth_pipeline"])
        shapes = {name: list(file.get_tensor(name).shape) for name in file.keys()}  # noqa: SIM118 (not a dict)
    stored = [shape for name, shape in shapes.items() if name.endswith((".weight", ".weight/values"))]
    assert about["weights_stored"] == sum(map(prod, stored))
    shapes |= {name: how["shape"] for name, how in about["sparse"].items()}
    for layer in about["layers"]:
        assert [layer["outputs_left"], layer["inputs_left"]] == shapes[f"{layer['name']}.weight"]


def test_an_onnx_file_says_that_it_takes_all_inputs(trained):
    onnx = pytest.importorskip("onnx")
    ticket = ticket_of(*trained, 2)
    model = onnx.load_from_string(content_of(ticket, Form(".onnx")))
    about = json.loads(model.metadata_props[0].value)
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer if len(tensor.dims) == 2}
    assert [sizes[f"{layer['name']}.weight"] for layer in about["layers"]] == [
        [layer["outputs_left"], layer["inputs_left"]] for layer in about["layers"]
    ]
    assert ticket.about["layers"][0]["inputs_left"] < about["layers"][0]["inputs_left"] == 64
    assert about["weights_stored"] == sum(rows * columns for rows, columns in sizes.values())


def test_where_own_images_lie_is_not_told(tmp_path):
    """Nobody who gets a model card is told the folders of whoever wrote it."""
    draw(tmp_path / "private" / "pets", 15)
    cards = load(tmp_path / "cards", pets=CARD.replace("path: pets", f"path: {tmp_path}/private/pets"))
    dirs = DataDirs(tmp_path / "data", tmp_path / "cache", allowed=(tmp_path / "private",))
    make_ready(cards, "pets", dirs)
    workshop = Workshop(Store(tmp_path / "store"), dirs, device="cpu")
    chain = workshop.chain(cards, "pets", 0)
    workshop.make(chain, chain.main(0))
    ticket = ticket_of(workshop, chain, 0)
    settings, _ = lineage(ticket)
    assert yaml.safe_load(settings["pets"])["data"]["path"] == "pets"
    assert str(tmp_path) not in settings["pets"] + json.dumps(ticket.about)
