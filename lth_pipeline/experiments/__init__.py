"""What is run: the settings of an experiment, read from one YAML card."""

from lth_pipeline.experiments.cards import load_cards
from lth_pipeline.experiments.errors import CardError, Fault
from lth_pipeline.experiments.settings import Branch, Experiment

__all__ = ["Branch", "CardError", "Experiment", "Fault", "load_cards"]
