"""A user's own images: a folder of class folders, or a tar of one, read once into a cache keyed by content.

`read` and `arrays` need torch and are imported when they are asked for.
"""

from importlib import import_module
from typing import Any

from lth_pipeline.lottery.data.own.known import ImageSet, recall
from lth_pipeline.lottery.data.own.source import Source

__all__ = ["ImageSet", "Source", "arrays", "read", "recall"]

LATER = {"arrays": "cache", "read": "reading"}


def __getattr__(name: str) -> Any:
    if name in LATER:
        return getattr(import_module(f"{__name__}.{LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
