"""A user's own images: a folder of class folders, or a tar of one, read once into a cache of uint8 arrays."""

from lth_pipeline.lottery.data.images.sets import arrays, read, recall
from lth_pipeline.lottery.data.images.source import ImageSet, Source

__all__ = ["ImageSet", "Source", "arrays", "read", "recall"]
