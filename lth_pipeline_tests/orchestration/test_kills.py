"""Dagster runs that are killed at twenty random instants end with the artifacts of one that was left alone."""

import pytest

from lth_pipeline_tests.kills import kill_and_compare


@pytest.mark.servers  # minutes
@pytest.mark.parametrize("together", [1, 10], ids=["alone", "together"])
@pytest.mark.timeout(600)
def test_a_run_that_is_killed_again_and_again_loses_nothing(tmp_path_factory, furnished, together):
    count = kill_and_compare(lambda: furnished(tmp_path_factory.mktemp("killed")), 10, seed=together, together=together)
    assert count.kills == 10 and count.ends >= 1
