"""What a diverged ticket keeps from being, and what it does not."""

import pytest

from lth_pipeline.orchestration.partitions import deepest_round
from lth_pipeline.orchestration.status import read_records, replicate_status
from lth_pipeline.recipes import load_cards
from lth_pipeline_tests.orchestration.running import materialisations, materialise, opened

#: diverges within a few steps at any density: the first evaluation finds it
CARD = """\
data: {name: digits, validation_size: 200}
model: {name: mlp, widths: [24, 12]}
training: {optimiser: sgd, learning_rate: 1e30, batch_size: 32, iterations: 20, evaluate_every: 10}
arms: [ticket, random_mask]
replicates: 1
"""
BY = {
    "magnitude": "pruning: {scope: layerwise, rates: {fc: 0.4}, rounds: 2}",
    "snip": "pruning: {scope: layerwise, criterion: snip, rates: {fc: 0.4}, rounds: 2}",
    "snip, not rewound": "pruning: {scope: layerwise, criterion: snip, rates: {fc: 0.4}, rounds: 2}\n"
    "rewind: {mode: fine_tuning}",
}


@pytest.mark.parametrize(
    ("how", "made"),
    [("magnitude", 3), ("snip", 11), ("snip, not rewound", 3)],
)
def test_only_what_needs_the_trained_network_is_left_out(inside, how, made):
    """A mask by a criterion that looks at the initialisation alone does not wait for training to end well."""
    inside.card("wild", f"{CARD}{BY[how]}\n")
    cards = load_cards([inside.folder / "experiments"])
    with opened() as (definitions, instance):
        result = materialise(definitions, instance, "wild", 0)
        assert result.success
        assert len(materialisations(result)) == made
        from lth_pipeline.commands.common import workshop
        from lth_pipeline.home import find_home

        shop = workshop(find_home())
        deepest = deepest_round(cards)
        found = replicate_status(shop.chain(cards, "wild", 0), shop, read_records(instance, deepest), 2, deepest)
    states = {entry.asset: entry.state for entry in found}
    left_out = [name for name, state in states.items() if state == "left out"]
    assert len(left_out) == 11 - made and set(states.values()) <= {"fresh", "left out"}
