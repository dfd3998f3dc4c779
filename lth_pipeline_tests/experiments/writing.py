"""A good card as text, ways to spoil it, and what loading says about it."""

from pathlib import Path

import pytest

from lth_pipeline.experiments import CardError, Experiment
from lth_pipeline.recipes import load_cards

GOOD = """\
description: a card that is right
data:
  name: digits
  validation_size: 200
model:
  name: mlp
  widths: [30, 10]
training:
  optimiser: adam
  learning_rate: 1.2e-3
  batch_size: 60
  iterations: 300
  evaluate_every: 50
pruning:
  scope: layerwise
  rates: {fc: 0.2}
  output_rate: 0.1
  rounds: 3
arms: [ticket, reinit]
replicates: 2
"""


def changed(old: str, new: str, text: str = GOOD) -> str:
    """`text` with its one `old` replaced."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


def line_of(text: str, part: str) -> int:
    """The number, from 1, of the last line of `text` that holds `part`."""
    return max(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def load(folder: Path, **cards: str | bytes) -> dict[str, Experiment]:
    """What `load_cards` gives for a folder with these cards (name=text)."""
    for name, text in cards.items():
        content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        (folder / f"{name}.yaml").write_bytes(content)
    return load_cards([folder])


def refusal(folder: Path, **cards: str | bytes) -> str:
    """What the CardError says."""
    with pytest.raises(CardError) as caught:
        load(folder, **cards)
    return str(caught.value)
