"""Which runs ask the registry again what an alias means."""

from types import SimpleNamespace

import pytest

from lth_pipeline.orchestration.registry import registry_of
from lth_pipeline.orchestration.why import STARTED_BY


@pytest.mark.parametrize(
    ("by", "anew"),
    [("lth run", False), ("lth report", False), ("lth run --queue", True), ("the launchpad", True), (None, True)],
)
def test_those_that_no_command_has_asked_for(by, anew):
    tags = {STARTED_BY: by} if by else {}
    context = SimpleNamespace(run=SimpleNamespace(tags=tags), log=SimpleNamespace(warning=print))
    assert registry_of(context, tracking=None).anew == anew
