"""A small network as a .pt2 file: torch.export's, which torch alone loads, with any number of images at once."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from typing import Any

import torch

from lth_pipeline.lottery.small.compact import Small
from lth_pipeline.lottery.small.network import KEY, Network, to_json

#: images of the example; of one, torch would take the number for a fixed one
EXAMPLE = 2
#: what torch notes of an operation and running it needs none of: the file's bytes, and the paths of whoever wrote it
#: in them, would depend on where lth_pipeline lies
PLACES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")


def pt2_bytes(small: Small, about: Mapping[str, Any]) -> bytes:
    """The content of the file; the same network gives the same bytes with the same torch.

    about: goes into it as JSON, as the extra file "lth_pipeline", and with it the program and its tensors' names in
    the order of the module's buffers t0, t1, …: what `pt2_archive.py` reads, since torch.export.load would run whatever
    a file says.
    """
    network = Network(small.program, small.tensors).eval()
    example = torch.zeros(EXAMPLE, *small.program.image_shape)
    program = torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    program.example_inputs = None  # they would be a pickle in the file, and of large images most of it
    for node in program.graph.nodes:
        for name in PLACES:
            node.meta.pop(name, None)
    names = list(dict.fromkeys(name for op in small.program.ops for name in op.tensors.values()))
    known = {**about, "program": to_json(small.program), "tensors": names}
    file = io.BytesIO()
    with warnings.catch_warnings():
        # kernels with channels last are no "complete tensor" to it; they come back as they were
        warnings.filterwarnings("ignore", "No complete tensor found", UserWarning)
        torch.export.save(program, file, extra_files={KEY: json.dumps(known, sort_keys=True)})
    return file.getvalue()
