"""Networks as functions: named layers, an initialiser, and logits from (weights, images)."""

from lth_pipeline.lottery.models.catalog import MODELS, NETWORKS, build
from lth_pipeline.lottery.models.model import Layer, Model
from lth_pipeline.lottery.models.narrow import narrowed

__all__ = ["MODELS", "NETWORKS", "Layer", "Model", "build", "narrowed"]
