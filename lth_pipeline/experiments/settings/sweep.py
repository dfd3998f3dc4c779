"""Where an experiment stands in the sweep that it came from. Written by the loader of cards, never in a card."""

from __future__ import annotations

from lth_pipeline.experiments.settings.base import Settings


class SweepPoint(Settings):
    """sweep: the name of the card with the `matrix`; about: its description; at: {what is varied: label}."""

    sweep: str
    about: str
    at: dict[str, str]
