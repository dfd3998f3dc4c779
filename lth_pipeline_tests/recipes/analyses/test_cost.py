"""What finding a ticket took: of small trainings, whose operations can be counted by hand."""

import pytest

from lth_pipeline.recipes import Step
from lth_pipeline.recipes.analyses.analysis import Subject, make
from lth_pipeline.recipes.analyses.cost import led_to, parts, pays_back
from lth_pipeline.recipes.analyses.power import WATTS_A_THREAD, device, watts
from lth_pipeline_tests.recipes.making import card, load, workshop_in

DENSE = 2 * (64 * 16 + 16 * 12 + 12 * 10)  # operations of one image
STEPS, BATCH = 10, 16
CPU = {"device": "cpu", "processor": "some CPU", "threads": 2, "networks_together": 1}


def subject_of(tmp_path, name: str = "one", replicates: int = 1, **cards) -> Subject:
    """With all that its cards ask for trained."""
    loaded, workshop = load(tmp_path / "cards", **cards), workshop_in(tmp_path / "store")
    chains = [workshop.chain(loaded, name, number) for number in range(replicates)]
    for chain in chains:
        for round in range(loaded[name].pruning.rounds + 1):
            for step in chain.trainings(round):
                workshop.make(chain, step)
    return Subject(workshop, chains)


def table_of(subject: Subject) -> list[dict]:
    (part,) = parts(subject)
    return make(subject.workshop, part).found.tables["cost"]


def test_round_by_round_the_search_grows_and_controls_are_apart(tmp_path):
    subject = subject_of(tmp_path, replicates=2, one=card(arms=["ticket", "reinit"], replicates=2))
    dense, first, second = table_of(subject)
    assert [row["search_iterations"] for row in (dense, first, second)] == [0, STEPS, 2 * STEPS]
    assert [row["search_trainings"] for row in (dense, first, second)] == [0, 1, 2]
    assert [row["controls_iterations"] for row in (dense, first, second)] == [0, STEPS, STEPS]
    assert first["search_flops_dense"] == first["search_flops_masked"] == 3 * DENSE * BATCH * STEPS
    left = 2 * first["weights"]  # every layer is fully connected
    assert first["forward_flops_masked"] == left < first["forward_flops_dense"] == DENSE
    assert second["search_flops_masked"] == 3 * (DENSE + left) * BATCH * STEPS
    assert second["search_flops_dense"] == 2 * first["search_flops_dense"]
    assert first["payback_flops"] == pytest.approx(DENSE / (DENSE - left))
    assert first["payback_images"] == pytest.approx(first["search_flops_masked"] / (DENSE - left))
    assert second["payback_flops_dense_search"] > second["payback_flops"]
    assert dense["payback_flops"] is None and dense["n"] == 2
    seconds = [row["seconds"] for row in subject.rows() if row["round"] == 0]
    assert first["search_seconds"] == pytest.approx(sum(seconds) / 2)
    assert first["search_kwh"] == pytest.approx(sum(seconds) / 2 * WATTS_A_THREAD / 3.6e6)


def test_it_is_found_again_and_made_anew_where_a_time_has_changed(tmp_path):
    subject = subject_of(tmp_path, one=card(pruning={"rounds": 1}))
    (part,) = parts(subject)
    done = make(subject.workshop, part)
    assert done.computed and not make(subject.workshop, parts(subject)[0]).computed
    assert make(subject.workshop, part, fresh=True).record["version"] == done.record["version"]
    subject.workshop.make(subject.chains[0], Step("trained", 0, "dense"), fresh=True)  # the same bits, in another time
    (other,) = parts(subject)
    assert other.inputs == part.inputs and other.recipe.id != part.recipe.id


def test_one_shot_needs_the_dense_network_alone(tmp_path):
    rows = table_of(subject_of(tmp_path, one=card(pruning={"mode": "one_shot"})))
    assert [row["search_trainings"] for row in rows] == [0, 1, 1]


def test_pruned_at_its_initialisation_a_ticket_costs_nothing(tmp_path):
    rows = table_of(subject_of(tmp_path, one=card(pruning={"criterion": "snip", "rounds": 1, "examples": 20})))
    assert rows[1]["search_iterations"] == 0 and rows[1]["payback_flops"] == 0.0


def test_the_way_to_a_rewind_point_is_part_of_the_search(tmp_path):
    subject = subject_of(tmp_path, one=card(rewind={"iteration": 3}, pruning={"rounds": 1}))
    (part,) = parts(subject)
    assert part.settings["before"]["r01"] == ["r00.dense.0", "rewind3"]
    _, ticket = table_of(subject)
    assert ticket["search_iterations"] == STEPS + 3
    assert ticket["training_flops_masked"] == 3 * ticket["forward_flops_masked"] * BATCH * (STEPS - 3)


@pytest.mark.parametrize("mode", ["learning_rate", "fine_tuning"])
def test_what_goes_on_from_trained_weights_pays_nothing_back(tmp_path, mode):
    _, ticket = table_of(subject_of(tmp_path, one=card(rewind={"mode": mode}, pruning={"rounds": 1})))
    assert ticket["never"] == "not rewound" and ticket["search_iterations"] == STEPS
    assert {value for name, value in ticket.items() if name.startswith("payback")} == {None}


def test_a_ticket_from_elsewhere_is_charged_with_what_was_done_there(tmp_path):
    taker = card(seed=1, ticket_from={"experiment": "source", "round": 2, "weights": "source"}, pruning={"rounds": 1})
    subject = subject_of(tmp_path, "taker", source=card(), taker=taker)
    (part,) = parts(subject)
    assert part.settings["before"]["r01"] == ["source:r00.dense.0", "source:r01.ticket.0"]


def test_a_ticket_with_its_trained_weights_is_charged_with_their_training_and_pays_nothing_back(tmp_path):
    taker = card(seed=1, ticket_from={"experiment": "source", "round": 1, "weights": "trained"}, pruning={"rounds": 1})
    _, ticket = table_of(subject_of(tmp_path, "taker", source=card(), taker=taker))
    assert ticket["search_iterations"] == 2 * STEPS and ticket["never"] == "not rewound"


def test_what_diverged_has_no_cost_to_compare(tmp_path):
    wild = card(training={"learning_rate": 1e30}, pruning={"rounds": 1})
    cards, workshop = load(tmp_path / "cards", one=wild), workshop_in(tmp_path / "store")
    chain = workshop.chain(cards, "one", 0)
    assert parts(Subject(workshop, [chain])) == []
    assert "diverged_at" in workshop.make(chain, Step("trained", 0, "dense")).facts
    assert table_of(Subject(workshop, [chain])) == []


def test_what_a_ticket_comes_of(tmp_path):
    cards = load(tmp_path / "cards", one=card(rewind={"mode": "fine_tuning"}))
    chain = workshop_in(tmp_path / "store").chain(cards, "one", 0)
    assert led_to(chain, chain.main(0)) == []
    assert {str(step) for _, step in led_to(chain, chain.main(2))} == {
        "round 0 dense trained",
        "round 1 ticket trained",
    }


def test_what_saves_nothing_never_pays_back():
    assert pays_back(10, 0) is None and pays_back(10, -1) is None and pays_back(10, 4) == 2.5


def test_what_a_device_is_taken_to_draw():
    assert watts(CPU) == 2 * WATTS_A_THREAD and device(CPU) == "some CPU, 2 threads (20 W)"
    gpu = {"device": "cuda", "processor": "NVIDIA H200", "threads": 8}
    assert (watts(gpu), watts(gpu | {"processes": 4})) == (700.0, 2800.0)
    assert watts(gpu | {"processor": "NVIDIA H100 PCIe"}) == 350.0
    assert watts(gpu | {"processor": "a GPU of tomorrow"}) == 300.0
    drawn = {"NVIDIA L40": 300, "NVIDIA L40S": 350, "NVIDIA L4": 72, "NVIDIA T400 4GB": 300, "Tesla T4": 70}
    drawn |= {"NVIDIA H100 NVL": 400, "NVIDIA H100 80GB HBM3": 700, "NVIDIA A100-SXM4-80GB": 400}
    assert {name: watts(gpu | {"processor": name}) for name in drawn} == drawn
    assert device(gpu | {"processes": 4}) == "NVIDIA H200, 4 processes (2800 W)"
