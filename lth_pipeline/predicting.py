"""Ask a winning ticket, exported or published, what it takes an image for.

    from lth_pipeline.predicting import load

    model = load("ticket.onnx")
    print(model.predict("seven.png")[0])

docs/predict.md. What comes back is a lottery.small.predict.Predictor.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lth_pipeline.lottery.errors import ModelFileError
from lth_pipeline.lottery.small import predict
from lth_pipeline.lottery.small.predict import ImageError, Prediction, Predictor

if TYPE_CHECKING:
    from lth_pipeline.tracking.tracker import Tracker

__all__ = ["ImageError", "ModelFileError", "Prediction", "Predictor", "load"]

#: how a published network is named: ours, and MLflow's own way
REGISTRIES = ("registry:", "models:/")
#: of a version's run: it needs torch and safetensors, which are there, where ticket.onnx would need more
FILE = "network.safetensors"


def load(model: str | Path) -> Predictor:
    """The network `model`: a .onnx, .pt2 or .safetensors file; or one that was published in MLflow's model registry:
    registry:NAME@ALIAS, registry:NAME/VERSION, or models:/ before the same.

    The registry is that of this home (LTH_HOME, MLFLOW_TRACKING_URI). Raises ModelFileError for a file, or a name, that
    no network can be had from, and TrackingError for a registry that does not answer or has no such model.
    """
    prefix = next((prefix for prefix in REGISTRIES if str(model).startswith(prefix)), None)
    if prefix is None:
        return predict.load(model)
    return _published(str(model), str(model).removeprefix(prefix))


def _published(called: str, reference: str) -> Predictor:
    from lth_pipeline.experiments.settings.transfer import REFERENCE, WRITTEN

    found = REFERENCE.fullmatch(reference)
    if found is None:
        raise ModelFileError(
            f"{called}: must be {WRITTEN} after {' or '.join(REGISTRIES)}, such as registry:digits@best"
        )
    from lth_pipeline.tracking.registered import fetch_file, resolve

    tracker = _tracker(called)
    version = resolve(tracker, found["name"], found["alias"] or "", found["version"] or "")
    with tempfile.TemporaryDirectory(prefix="lth-") as folder:
        path = fetch_file(tracker, version.run_id, FILE, Path(folder))
        try:
            return predict.load(path)
        except ModelFileError as error:  # the folder will be gone
            what = f"{called} (version {version.version}, run {version.run_id}): {FILE}"
            raise ModelFileError(f"{what}{str(error).removeprefix(str(path))}") from error


def _tracker(called: str) -> Tracker:
    from lth_pipeline.home import find_home
    from lth_pipeline.tracking.registered import NotRegisteredError
    from lth_pipeline.tracking.tracker import open_tracker

    home = find_home()
    file = home.tracking_uri.removeprefix("sqlite:///")
    if file != home.tracking_uri and not Path(file).is_file():  # it is made by the first run, not by a look
        raise NotRegisteredError(f"{called}: nothing was published yet: there is no {file}; is LTH_HOME another?")
    return open_tracker(home.tracking_uri, home.mlflow, home.mlflow_ui)
