import pytest

from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline_tests.lottery.images.drawn import dirs_in


@pytest.fixture
def dirs(tmp_path) -> DataDirs:
    return dirs_in(tmp_path)
