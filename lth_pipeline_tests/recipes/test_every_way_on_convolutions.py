"""The invariants on networks with convolutions, batch norm, shortcuts: every criterion and every arm once on each."""

import pytest

from lth_pipeline.lottery.pruning.criteria import CRITERIA
from lth_pipeline.recipes import Step
from lth_pipeline_tests.recipes.invariants import hold
from lth_pipeline_tests.recipes.making import ARMS, card, load, made, workshop_in
from lth_pipeline_tests.recipes.test_every_way import FAST, MODES, REWINDINGS, SCOPES, SHORT, STRUCTURES, gone_on_from

NETWORKS = {
    "conv2": ({"name": "conv2"}, {"conv": 0.3, "fc": 0.3}),
    "resnet": ({"name": "resnet_cifar", "depth": 8, "filters": 4}, {"conv": 0.3, "shortcut": 0.3, "fc": 0.3}),
}
#: (network, criterion, scope, structure, mode, rewinding): the last four take turns, each at its own pace
WAYS = [
    (
        network,
        criterion,
        SCOPES[(place + turn) % 2],
        STRUCTURES[place // 2 % 2],
        MODES[(place + place // 4) % 2],
        list(REWINDINGS)[(place + turn) % 4],
    )
    for turn, network in enumerate(NETWORKS)
    for place, criterion in enumerate(CRITERIA)
]


def named(way) -> str:
    return "_".join(way[:2])


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    texts = {}
    for way in WAYS:
        network, criterion, scope, structure, mode, rewinding = way
        model, rates = NETWORKS[network]
        if structure == "units":
            few = 0.03 if scope == "global" else 0.15  # so few that no layer of four filters goes whole
            rates = {kind: few for kind in rates if kind != "fc" or network == "conv2"}
        same = {"model": {**model, "widths": None, "initialisation": "kaiming_normal"}}
        rate = {"learning_rate": 0.01}
        texts[f"short_{network}"] = card(**same, training={**rate, **SHORT}, pruning={"rates": {"fc": None, **rates}})
        texts[named(way)] = card(
            **same,
            training=rate,
            pruning={
                "criterion": criterion,
                "scope": scope,
                "structure": structure,
                "mode": mode,
                "rates": {"fc": None, **rates},
                **FAST.get(criterion, {}),
            },
            rewind=REWINDINGS[rewinding][0],
            arms=ARMS,
            draws=2,
        )
    return load(tmp_path_factory.mktemp("cards"), **texts)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    return workshop_in(tmp_path_factory.mktemp("store"))


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_the_invariants_hold(way, cards, workshop):
    chain, rewinding = made(workshop, cards, named(way)), way[-1]
    rounds = (1, 2) if way[0] == "resnet" else (1,)
    for round in rounds:
        hold(chain, round, gone_on_from(chain, round, rewinding, f"short_{way[0]}"), REWINDINGS[rewinding][1])


def test_the_selection_has_everything():
    columns = [set(column) for column in zip(*WAYS, strict=True)]
    assert columns == [set(NETWORKS), set(CRITERIA), set(SCOPES), set(STRUCTURES), set(MODES), set(REWINDINGS)]


def test_a_ticket_goes_back_with_its_batch_norm(cards, workshop):
    """Statistics and scales of the rewind point, not of the trained network."""
    name = next(named(way) for way in WAYS if way[0] == "resnet" and way[-1].startswith("weights"))
    chain = made(workshop, cards, name)
    ticket, trained = chain.weights(Step("ticket", 1)), chain.weights(Step("trained", 1, "ticket"))
    below = chain.weights(chain.chain.ticket_weights(1))
    buffers = sorted(chain.chain.model(1).buffers)
    assert buffers and all(ticket[name].equal(below[name]) for name in buffers)
    assert not any(ticket[name].equal(trained[name]) for name in buffers)
