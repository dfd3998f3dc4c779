"""A device without memory for all networks of a round: half as many train, as if there had never been more."""

import pytest
import torch

from lth_pipeline.recipes import Chain, DeviceError, Step, together
from lth_pipeline.recipes.out_of_memory import is_out_of_memory
from lth_pipeline_tests.recipes.making import card, load, workshop_in

TICKET, REINIT = Step("trained", 1, "ticket"), Step("trained", 1, "reinit")
EVERY = [Step("trained", 0, "dense"), TICKET, REINIT]
MEMORY = "CUDA out of memory. Tried to allocate 20.00 MiB."


class Device:
    """Has room for so many networks; `tried` are the numbers it was given. late: it runs out when a state was kept."""

    def __init__(self, monkeypatch, room: int, late: bool = False) -> None:
        self.room, self.tried, train = room, [], together.train_together

        def train_together(model, networks, *more, on_steps, **settings):
            def keep_and_fail(states):
                on_steps(states)
                raise torch.OutOfMemoryError(MEMORY)

            self.tried.append(len(networks))
            short = len(networks) > self.room
            if short and not late:
                raise torch.OutOfMemoryError(MEMORY)
            return train(model, networks, *more, on_steps=keep_and_fail if short else on_steps, **settings)

        monkeypatch.setattr(together, "train_together", train_together)


@pytest.fixture
def cards(tmp_path):
    return load(tmp_path / "cards", ours=card(arms=["ticket", "reinit"], replicates=4))


def made(workshop, cards) -> dict[tuple[int, Step], str]:
    return {
        (number, step): workshop.make(Chain(cards, "ours", number), step).version
        for number in range(4)
        for step in EVERY
    }


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("room", "most"), [(7, 4), (3, 2), (1, 1)])
def test_what_comes_out_is_as_if_fewer_had_been_asked_for(cards, tmp_path, monkeypatch, room, most, late):
    fewer = made(workshop_in(tmp_path / "fewer", together=most), cards)
    device, told = Device(monkeypatch, room, late), []
    workshop = workshop_in(tmp_path / "short", together=8, checkpoint_seconds=0.0)
    workshop.on_trouble = told.append
    assert made(workshop, cards) == fewer
    # round 0 has four networks, round 1 eight: what there was no room for is tried once
    assert [number for number in device.tried if number > room] == {7: [8], 3: [4], 1: [4, 2]}[room]
    assert len(told) == len([number for number in device.tried if number > room])
    for folder in ("checkpoints", "claims"):
        assert not list((tmp_path / "short").glob(f"{folder}/*"))


@pytest.mark.parametrize("room", [3, 1])
def test_a_recompute_has_as_many_beside_it_as_were_recorded(cards, tmp_path, monkeypatch, room):
    with monkeypatch.context() as patch:
        Device(patch, room)
        workshop = workshop_in(tmp_path / "s", together=8)
        workshop.on_trouble = lambda message: None
        made(workshop, cards)
    again = workshop_in(tmp_path / "s", together=8)  # with room for all
    for number, step in ((0, EVERY[0]), (1, TICKET), (3, REINIT)):
        product = again.make(Chain(cards, "ours", number), step, fresh=True)
        assert product.same_bits and product.record["route"]["networks_together"] == {3: 2, 1: 1}[room]


def test_the_others_that_train_no_more_are_given_up(cards, tmp_path, monkeypatch):
    """While four of eight train, another process may be about the other four."""
    Device(monkeypatch, 4)
    workshop, seen = workshop_in(tmp_path / "s", together=8), []
    workshop.on_trouble = lambda message: None
    first = Chain(cards, "ours", 0)
    workshop.make(first, EVERY[0])
    workshop.on_row = lambda step, row, total: seen.append(
        sorted(p.name for p in (tmp_path / "s" / "claims").iterdir())
    )
    workshop.make(first, TICKET)
    mine = {workshop.recipe(Chain(cards, "ours", number), step).id for number in (0, 1) for step in (TICKET, REINIT)}
    assert seen and all(set(claims) == mine for claims in seen)


def test_every_record_of_fewer_says_why_and_no_other(cards, tmp_path, monkeypatch):
    """Round 0 has four networks, and one arm of a round with a loss of its own always trains alone."""
    cards |= load(tmp_path / "more", more=card(arms=["ticket", "ticket_distilled"], replicates=4, seed=1))
    Device(monkeypatch, 2)
    workshop, told = workshop_in(tmp_path / "s", together=8), []
    workshop.on_trouble = told.append
    workshop.made_by = {"experiment": "ours", "replicate": 0}

    def note(name: str, number: int, step: Step) -> str | None:
        return workshop.make(Chain(cards, name, number), step).record["made_by"].get("note")

    for number in range(4):
        workshop.made_by = {"experiment": "ours", "replicate": number}  # as every asset of a run does
        assert {note("ours", number, step) for step in EVERY} == set(told)
    assert len(told) == 1 and "not enough memory for 4" in told[0]
    assert {note("more", number, TICKET) for number in range(4)} == set(told)
    assert note("more", 0, Step("trained", 1, "ticket_distilled")) is None
    assert note("ours", 0, Step("mask", 1)) is None


def test_a_network_that_has_all_beside_it_has_no_note(tmp_path, monkeypatch):
    cards = load(tmp_path / "cards", ours=card(arms=["ticket", "reinit"], replicates=2))
    Device(monkeypatch, 2)
    workshop = workshop_in(tmp_path / "s", together=8)
    workshop.on_trouble = lambda message: None
    chain = Chain(cards, "ours", 0)
    assert "note" not in workshop.make(chain, EVERY[0]).record["made_by"]
    assert "4 networks" in workshop.make(chain, TICKET).record["made_by"]["note"]


def test_one_alone_is_an_error_that_says_what_helps(cards, tmp_path, monkeypatch):
    def out_of_memory(*given, **more):
        raise torch.OutOfMemoryError(MEMORY)

    monkeypatch.setattr("lth_pipeline.recipes.training.train", out_of_memory)
    Device(monkeypatch, 0)
    workshop = workshop_in(tmp_path / "s", together=8)
    workshop.on_trouble = lambda message: None
    helps = r"batch_size under 16.*bfloat16.*LTH_MEMORY_GB.*other programs.*LTH_DEVICE"
    with pytest.raises(DeviceError, match=rf"'cpu'.* ours, round 0 dense trained .*{helps}"):
        workshop.make(Chain(cards, "ours", 0), EVERY[0])
    assert not list((tmp_path / "s").glob("claims/*")) and not list((tmp_path / "s").glob("checkpoints/*"))


def test_another_error_is_not_taken_for_it(cards, tmp_path, monkeypatch):
    def broken(*given, **more):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(together, "train_together", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        workshop_in(tmp_path / "s", together=8).make(Chain(cards, "ours", 0), EVERY[0])


def test_what_the_recording_of_a_graph_makes_of_it_is_known():
    try:
        try:
            raise torch.OutOfMemoryError(MEMORY)
        finally:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")
    except RuntimeError as error:
        assert is_out_of_memory(error)
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert not is_out_of_memory(RuntimeError("shapes")) and not is_out_of_memory(ValueError("out of memory"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_without_memory_for_all_trains_fewer(tmp_path):
    """Of a GPU's memory this process may have 4 GB; ten networks of 40 million weights take more, one does not."""
    model = {"name": "mlp", "widths": [6000, 6000]}
    cards = load(tmp_path / "cards", ours=card(model=model, arms=["ticket"], replicates=10))
    workshop, told = workshop_in(tmp_path / "s", together=10), []
    workshop.device, workshop.on_trouble = "cuda:0", told.append
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(4e9 / whole)
    try:
        product = workshop.make(Chain(cards, "ours", 0), EVERY[0])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert told and product.record["route"]["networks_together"] < 10
