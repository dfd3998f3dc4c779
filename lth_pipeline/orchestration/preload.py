"""Imported once by the fork server of `lth run`: what every worker needs."""

import torch

torch.set_num_threads(1)  # two spinning OpenMP threads on shared cores cost up to 12 times

import matplotlib.backends.backend_agg  # noqa: E402
import matplotlib.figure  # noqa: E402, F401
import mlflow.store.tracking.sqlalchemy_store  # noqa: E402, F401  (0.8 s, at the first use of a store)
import pandas  # noqa: E402, F401
import safetensors.torch  # noqa: E402, F401
import torch._dynamo  # noqa: E402  (torch.optim imports it at its first step: one second)

from lth_pipeline.orchestration import jobs, results, rounds  # noqa: E402, F401
from lth_pipeline.recipes import steps  # noqa: E402, F401
