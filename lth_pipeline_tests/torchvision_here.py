"""torchvision beside any torch."""

import sys
from types import ModuleType

import torch

OPERATORS = ("nms", "qnms")
_LIBRARIES: list[torch.library.Library] = []  # a schema lives as long as its library


def torchvision_here() -> ModuleType:
    """torchvision, imported.

    PyPI's is built for CUDA: beside a CPU torch its operators cannot load, and its import stops at the first
    that it describes (`operator torchvision::nms does not exist`). Its models need none of them, so their
    schemas are declared and the import is made again.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # the half of it that was imported
        library = torch.library.Library("torchvision", "DEF")
        for name in OPERATORS:
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _LIBRARIES.append(library)
        import torchvision
    return torchvision
