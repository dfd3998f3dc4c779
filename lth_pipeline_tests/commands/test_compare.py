"""`lth compare`: what it refuses, and what it says then. What it makes: test_sweep.py."""

import pytest

from lth_pipeline.orchestration import launch
from lth_pipeline_tests.places import SMALL_CARD

MANY = SMALL_CARD + "matrix:\n  seed: [5, 6]\n"


@pytest.fixture
def compare(place, monkeypatch):
    """What `lth compare` says when it refuses."""
    monkeypatch.setattr(launch, "warm_up", lambda: None)  # nothing is run
    place.card("many", MANY)

    def refused(*names: str) -> str:
        done = place.here("compare", *names, check=False)
        assert done.returncode == 1 and not done.stdout and "Traceback" not in done.stderr
        assert not list((place.folder / "reports").glob("*"))
        return done.stderr

    return refused


def test_names_that_make_no_comparison(compare):
    assert "of two experiments or more, or of a sweep: lth compare A B; there are: " in compare()
    assert "of two experiments or more" in compare("small")
    assert "no experiment 'smal'. Did you mean small?" in compare("small", "smal")
    assert "small is named twice; name it once" in compare("small", "digits", "small")
    assert "many_seed_5 is named twice (by many and many_seed_5)" in compare("many", "many_seed_5")
    long = [f"{name}_{size}" for name in ("conv2", "conv4", "conv6") for size in ("cifar10", "cifar10_dropout_quick")]
    assert "characters, at most 200" in compare(
        *long, *[f"lenet_mnist{end}" for end in ("", "_sgd", "_one_shot", "_quick", "_strategy_2", "_strategy_2_quick")]
    )


def test_experiments_that_were_not_run(compare):
    said = compare("small", "digits")
    assert "small, digits have no trained round yet" in said and "run first: lth run small, lth run digits" in said
    assert "many has no trained round yet; run it: lth run many" in compare("many")
