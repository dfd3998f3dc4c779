"""A small network as a .safetensors file, which a copy of `network.py` beside it loads with torch and safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lth_pipeline.lottery.small import network
from lth_pipeline.lottery.small.compact import Small
from lth_pipeline.lottery.small.network import KEY, to_json

#: what the copy of `network.py` is called beside a .safetensors file
LOADER = "lth_network.py"


def safetensors_bytes(small: Small, about: Mapping[str, Any], sparse: bool = False) -> bytes:
    """The content of the file; the same network gives the same bytes.

    about: goes into its metadata as JSON, under "lth_pipeline", beside the program. sparse: a weight is stored as CSR
    or BSR where that takes fewer bytes.
    """
    from safetensors.torch import save

    from lth_pipeline.lottery.small.sparse import in_parts

    tensors, parts = in_parts(small) if sparse else (small.tensors, {})
    known = {**about, "program": to_json(small.program), "sparse": parts}
    return save(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, {KEY: json.dumps(known, sort_keys=True)}
    )


def loader_bytes() -> bytes:
    """What is written beside the file as `lth_network.py`."""
    return Path(network.__file__).read_bytes()
