"""Data sets, each held as one tensor."""

from lth_pipeline.lottery.data.catalog import DATASETS, load
from lth_pipeline.lottery.data.dataset import Data, DataError, Facts, Part

__all__ = ["DATASETS", "Data", "DataError", "Facts", "Part", "load"]
