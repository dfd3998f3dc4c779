"""`ticket_from:` a ticket that was found elsewhere."""

from __future__ import annotations

from typing import Literal

from lth_pipeline.experiments.settings.base import Count, Settings, setting


class TransferSettings(Settings):
    experiment: str = setting(
        description="whose ticket to take: its mask is round 1 of this experiment", source="Morcos et al. 2019"
    )
    round: Count = setting(description="the round that it is taken from")
    weights: Literal["source", "own"] = setting(
        "source",
        description="source: the ticket keeps the weights it was rewound to there, where shapes allow; own: the mask "
        "alone is taken, on this experiment's own weights",
        source="Morcos et al. 2019, §3",
    )
