"""Networks with convolutions that train side by side: their bits are those of a stack, whatever else is in it."""

from lth_pipeline.recipes import Chain, Step
from lth_pipeline_tests.recipes.making import card, load, workshop_in
from lth_pipeline_tests.recipes.test_together import trained_here


def test_a_network_with_convolutions_is_recomputed_by_itself_to_the_same_bits(tmp_path, monkeypatch):
    """Its bits do not depend on what trains beside it."""
    model = {"name": "resnet_cifar", "widths": None, "depth": 8, "filters": 2}
    rates = {"fc": 0.4, "conv": 0.2, "shortcut": 0.2}
    cards = load(tmp_path / "cards", ours=card(model=model, pruning={"rates": rates, "rounds": 1}, replicates=2))
    workshop, chain, step = (
        workshop_in(tmp_path / "s", together=9),
        Chain(cards, "ours", 0),
        Step("trained", 1, "ticket"),
    )
    seen = trained_here(monkeypatch)
    workshop.make(chain, step)
    for _ in range(2):  # of what was trained beside others, then of what was recomputed by itself
        assert workshop.make(chain, step, fresh=True).same_bits
    version = workshop.make(chain, step).version
    workshop.store.object_path(version).unlink()  # and where its artifact alone is lost
    assert workshop_in(tmp_path / "s", together=9).make(chain, step).version == version
    assert [len(members) for members in seen] == [2, 2, 1, 1, 1]
