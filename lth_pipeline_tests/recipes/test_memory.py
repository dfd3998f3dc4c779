"""A card that cannot fit into this machine is refused before anything is made; one that could is not."""

import pytest

from lth_pipeline.experiments import CardError
from lth_pipeline.lottery.data import DataDirs
from lth_pipeline.recipes import memory
from lth_pipeline.recipes.ladder import model_of
from lth_pipeline.recipes.ready import make_ready
from lth_pipeline_tests.recipes.making import card, load

GB = 10**9


def ready(folder, **changes) -> None:
    cards = load(folder, mine=card(**changes))
    make_ready(cards, "mine", DataDirs(folder, folder), folders=[folder])


@pytest.fixture
def small_machine(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: GB // 10)
    monkeypatch.setattr(memory, "_largest_gpu", lambda: 0)


@pytest.mark.parametrize("optimiser", [{}, {"optimiser": "adam", "momentum": None}, {"momentum": None}])
def test_a_network_is_refused_exactly_where_its_numbers_do_not_fit(tmp_path, monkeypatch, optimiser):
    """Weights, gradient, and what the optimiser remembers of each; a batch of 16 with its widest activation twice."""
    copies = {"adam": 4}.get(optimiser.get("optimiser"), 2 if "momentum" in optimiser else 3)
    experiment = load(tmp_path, mine=card(training=optimiser))["mine"]
    parameters = 64 * 16 + 16 + 16 * 12 + 12 + 12 * 10 + 10
    assert model_of(experiment).parameters == parameters
    need = 4 * copies * parameters + 16 * 4 * 64
    monkeypatch.setattr(memory, "_largest_gpu", lambda: 0)
    monkeypatch.setattr(memory, "machine_memory", lambda: need)
    ready(tmp_path, training=optimiser)
    monkeypatch.setattr(memory, "machine_memory", lambda: need - 1)
    with pytest.raises(CardError, match=r"training\.batch_size = 16: takes at least"):
        ready(tmp_path, training=optimiser)


def test_the_message_names_what_is_too_large(tmp_path, small_machine):
    with pytest.raises(CardError) as caught:
        ready(tmp_path, model={"widths": [1_000_000_000]})
    assert str(caught.value).startswith(f"{tmp_path / 'mine.yaml'}, line ")
    assert (
        "model.widths = [1000000000]: makes 75,000,000,010 parameters, which take at least 900.0 GB in training; "
        "this machine has 0.1 GB: give a smaller network"
    ) in str(caught.value)


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ({"name": "resnet_cifar", "widths": None, "depth": 8, "filters": 10**6}, "model.filters = 1000000"),
        ({"name": "resnet_cifar", "widths": None, "depth": 998}, "model.depth = 998"),
        ({"name": "resnet50", "widths": None}, "model.name = 'resnet50'"),
    ],
)
def test_the_field_is_the_one_that_makes_it_large(tmp_path, small_machine, model, field):
    with pytest.raises(CardError, match=field):
        ready(tmp_path, model=model, pruning={"rates": {"conv": 0.1, "fc": 0.1}, "rounds": 1})


def test_a_graphics_card_with_more_memory_counts(tmp_path, small_machine, monkeypatch):
    changes = {"model": {"widths": [200_000, 200]}, "pruning": {"rounds": 1}}
    with pytest.raises(CardError, match=r"model\.widths"):
        ready(tmp_path, **changes)
    monkeypatch.setattr(memory, "_largest_gpu", lambda: 80 * GB)
    ready(tmp_path, **changes)


def test_the_cards_of_others_can_be_used_beside_it(tmp_path, small_machine):
    cards = load(tmp_path, large=card(model={"widths": [1_000_000_000]}), mine=card())
    make_ready(cards, "mine", DataDirs(tmp_path, tmp_path), folders=[tmp_path])


def test_the_cards_whose_rounds_or_ticket_are_trained_with_it_are_checked_too(tmp_path, monkeypatch):
    """A parent's batch and a source's network count where the run would train them, and not where it would not."""
    monkeypatch.setattr(memory, "_largest_gpu", lambda: 0)
    monkeypatch.setattr(memory, "machine_memory", lambda: 25_000)  # of 20,584 that such a card takes, or 32,872
    large = {"training": {"batch_size": 64}}
    cards = load(
        tmp_path,
        first=card(**large),
        branch=card(branch_of={"experiment": "first", "round": 1}),
        taker=card(ticket_from={"experiment": "branch", "round": 2}),
        own=card(**large, branch_of={"experiment": "small", "round": 2}, seed=5),
        small=card(),
        before=card(ticket_from={"experiment": "own", "round": 1}),
    )
    for name, blamed in (("branch", "first"), ("taker", "first"), ("own", "own")):
        with pytest.raises(CardError, match=rf"{blamed}\.yaml.*, line \d+: training\.batch_size = 64"):
            make_ready(cards, name, DataDirs(tmp_path, tmp_path), folders=[tmp_path])
    for name in ("small", "before"):  # round 1 of `own` is all `small`'s
        make_ready(cards, name, DataDirs(tmp_path, tmp_path), folders=[tmp_path])


def test_the_limit_of_a_control_group_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_swap", lambda: 7)
    mounted, mine = tmp_path / "cgroup", tmp_path / "mine"
    (mounted / "one" / "two").mkdir(parents=True)
    mine.write_text("0::/one/two\n")
    assert memory._cgroup_limits(mounted, mine) == []
    (mounted / "one" / "two" / "memory.max").write_text("max\n")
    (mounted / "one" / "memory.max").write_text(f"{2 * GB}\n")
    (mounted / "one" / "memory.swap.max").write_text("1000\n")
    assert memory._cgroup_limits(mounted, mine) == [2 * GB + 1000]
    (mounted / "memory" / "job").mkdir(parents=True)
    mine.write_text("5:cpu:/job\n4:memory:/job\n")
    (mounted / "memory" / "job" / "memory.limit_in_bytes").write_text(f"{GB}\n")
    assert memory._cgroup_limits(mounted, mine) == [GB + 7], "a kernel that does not count swap"
    (mounted / "memory" / "job" / "memory.memsw.limit_in_bytes").write_text(f"{3 * GB}\n")
    assert memory._cgroup_limits(mounted, mine) == [3 * GB]


@pytest.mark.parametrize(
    "line", [b"", b"garbage", b"0:", b"x:y", b"::", b"0::/\xff\xfe", b"9:\xff:/\xff", b"0::/../up"]
)
def test_a_control_group_of_an_odd_name_or_line_is_passed_over(tmp_path, line):
    (tmp_path / "mine").write_bytes(line + b"\n0::/one\n")
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "memory.max").write_bytes(b"100\n")
    (tmp_path / "one" / "memory.swap.max").write_bytes(b"\xff\n0\n")
    assert min(memory._cgroup_limits(tmp_path, tmp_path / "mine")) >= 100


def test_this_machine_has_memory():
    assert GB // 10 < memory.machine_memory() < 10**15
