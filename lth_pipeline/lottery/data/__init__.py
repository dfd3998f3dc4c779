"""Data sets, each held as one tensor."""

from lth_pipeline.lottery.data.catalog import DATASETS, load
from lth_pipeline.lottery.data.dataset import Data, Facts, Part
from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.errors import DataError

__all__ = ["DATASETS", "Data", "DataDirs", "DataError", "Facts", "Part", "load"]
