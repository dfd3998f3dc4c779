"""The settings of an experiment. What the fields say here is what `lth show` and the docs say.

Every default here is part of the identity of recipes (only what differs from it enters a hash): a new
setting gets a default that means "as before", and no default is ever changed.
"""

from lth_pipeline.experiments.settings.base import FieldFault
from lth_pipeline.experiments.settings.data import AugmentationSettings, DataSettings
from lth_pipeline.experiments.settings.experiment import Branch, Experiment
from lth_pipeline.experiments.settings.model import ModelSettings
from lth_pipeline.experiments.settings.pruning import PruningSettings
from lth_pipeline.experiments.settings.resources import ResourceSettings
from lth_pipeline.experiments.settings.rewind import RewindSettings
from lth_pipeline.experiments.settings.training import TrainingSettings
from lth_pipeline.experiments.settings.transfer import TransferSettings

__all__ = [
    "AugmentationSettings",
    "Branch",
    "DataSettings",
    "Experiment",
    "FieldFault",
    "ModelSettings",
    "PruningSettings",
    "ResourceSettings",
    "RewindSettings",
    "TrainingSettings",
    "TransferSettings",
]
