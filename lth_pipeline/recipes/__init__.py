"""The compute plane: what each step needs and makes, its identity, and the store of what was made.

from lth_pipeline.recipes import Chain, Step, Store, Workshop, load_cards

cards = load_cards([])
workshop = Workshop(Store("store"), data_dir="data")
tenth = workshop.make(Chain(cards, "digits", replicate=0), Step("trained", 8, "ticket"))
tenth.record["facts"]["test_accuracy_at_end"], workshop.store.load(tenth.version)
"""

from lth_pipeline.recipes.chain import Chain
from lth_pipeline.recipes.check import load_cards
from lth_pipeline.recipes.errors import DamagedError, DeviceError, StoreError
from lth_pipeline.recipes.step import Step
from lth_pipeline.recipes.store import Store
from lth_pipeline.recipes.workshop import Product, Workshop

__all__ = [
    "Chain",
    "DamagedError",
    "DeviceError",
    "Product",
    "Step",
    "Store",
    "StoreError",
    "Workshop",
    "load_cards",
    "load_sound_cards",
]
