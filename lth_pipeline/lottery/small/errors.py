"""What can be wrong with an export."""

import importlib
from types import ModuleType


class ExportError(Exception):
    """A network cannot be written in this form; the message says what to do."""


def needed(name: str) -> ModuleType:
    """The module `name` of a package that lth_pipeline itself does without. Raises ExportError where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.split(".", 1)[0]
        raise ExportError(
            f"the Python package {package} is missing ({error}); install it: pip install --editable '.[export]'"
        ) from error
