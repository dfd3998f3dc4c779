"""Every reader that is fuzzed."""

from __future__ import annotations

from lth_pipeline_tests.fuzz import cards, images, models, published, store, tickets
from lth_pipeline_tests.fuzz.reader import Reader

#: inputs of a run of the tests, in all readers together: at least so many
IN_ALL = 10_000
READERS: tuple[Reader, ...] = (
    *(*cards.READERS, *store.READERS, *published.READERS, *images.READERS),
    *(*models.READERS, *tickets.READERS),
)
