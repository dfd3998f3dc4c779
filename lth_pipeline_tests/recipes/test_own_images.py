"""Own images in recipes: the content counts, and a training is never kept under the digest of other images."""

import numpy as np
import pytest
from PIL import Image

from lth_pipeline.experiments import CardError
from lth_pipeline.lottery.data import DataDirs, DataError
from lth_pipeline.recipes import Step, Store, Workshop, load_cards
from lth_pipeline.recipes.ready import make_ready

CARD = """\
data: {name: images, path: pets, validation_size: 6, test_size: 6}
model: {name: mlp, widths: [8]}
training: {optimiser: adam, learning_rate: 1e-3, batch_size: 4, iterations: 6, evaluate_every: 3}
pruning: {scope: layerwise, rates: {fc: 0.3}, rounds: 1}
replicates: 1
"""
DENSE = Step("trained", 0, "dense")


@pytest.fixture
def there(place):
    """(folder of the images, cards, workshop): 2 × 15 images of 4 × 4 pixels."""
    place.card("pets", CARD)
    folder = place.folder / "data" / "pets"
    draw(folder, 15)
    dirs = DataDirs(place.folder / "data", place.folder / "cache")
    return folder, lambda: load_cards([place.folder / "experiments"]), Workshop(Store(place.store), dirs)


def draw(folder, count: int, seed: int = 0) -> None:
    draws = np.random.default_rng(seed)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = draws.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")


def test_unread_images_have_no_recipe_and_say_so(there):
    _, cards, workshop = there
    chain = workshop.chain(cards(), "pets", 0)
    assert workshop.look_up(chain, DENSE) is None
    with pytest.raises(DataError, match="have not been read yet"):
        workshop.make(chain, DENSE)


def test_changed_images_are_another_recipe_in_the_same_process(there):
    folder, cards, workshop = there
    make_ready(cards(), "pets", workshop.dirs)
    first = workshop.make(workshop.chain(cards(), "pets", 0), DENSE)
    draw(folder, 15, seed=1)
    make_ready(cards(), "pets", workshop.dirs)
    second = workshop.make(workshop.chain(cards(), "pets", 0), DENSE)
    assert first.version != second.version
    for product in (first, second):
        assert product.facts["data_sha256"] == product.recipe.inputs["data"]


def test_images_that_change_after_the_run_began_are_refused(there):
    folder, cards, workshop = there
    make_ready(cards(), "pets", workshop.dirs)
    chain = workshop.chain(cards(), "pets", 0)
    workshop.make(chain, Step("initial_weights"))
    draw(folder, 15, seed=2)
    with pytest.raises(DataError, match="pets: these images have changed since the run began; run again"):
        workshop.make(chain, DENSE)
    assert workshop.look_up(chain, DENSE) is None


def test_a_card_that_does_not_fit_its_images_is_mended_by_better_images(there):
    folder, cards, workshop = there
    for path in folder.glob("*/0[5-9].png"):
        path.unlink()
    for path in folder.glob("*/1*.png"):
        path.unlink()
    with pytest.raises(CardError, match=r"validation_size = 6: must leave something to train on: pets has 4"):
        make_ready(cards(), "pets", workshop.dirs)
    assert "digits" in cards()  # the others are not kept from being used
    draw(folder, 15)
    make_ready(cards(), "pets", workshop.dirs)


def test_a_branch_is_checked_when_its_parents_images_have_been_read_too(there, place):
    """The branch itself learns from other images, in grey: another shape, which is said."""
    _, cards, workshop = there
    place.card("grey", "branch_of: {experiment: pets, round: 1}\ndata: {colour: grey}\n")
    with pytest.raises(CardError, match="keeps the network and the image shape of pets"):
        make_ready(cards(), "grey", workshop.dirs)
