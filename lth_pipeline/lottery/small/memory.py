"""The memory that a network takes while it runs: its weights, and the values that are alive at once."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from lth_pipeline.lottery.small import onnx_memory

#: seconds that a child may take for one file
LONGEST = 120


def torch_peak(network: torch.nn.Module, images: torch.Tensor) -> int:
    """The greatest number of bytes that a pass of `images` needs at once: the network's tensors, the images, and
    whatever its operations have given that is still of use.

    On a CPU these are counted one by one, to the byte; what an operation allocates for itself while it runs is not
    (a convolution's rearranged images, say). On a GPU it is what torch's allocator gave out at most, such workspace
    too.
    """
    with torch.inference_mode():
        if images.is_cuda:
            return _cuda_peak(network, images)
        counting = _Counting([*network.buffers(), *network.parameters(), images])
        with counting:
            network(images)
        return counting.most


def onnx_peaks(contents: Sequence[bytes], batch: int) -> list[int] | None:
    """For each ONNX file the bytes by which a process grows that opens it and runs it on `batch` images: its greatest
    resident memory, less what the process had with nothing but onnxruntime ready to run.

    All in fresh processes that have numpy and onnxruntime alone. Unlike `torch_peak` it is what the operating system
    sees, in whole pages and with the runtime's own book-keeping. None where the system does not tell (not on Linux).
    Raises RuntimeError where a file cannot be run.
    """
    if not Path("/proc/self/status").exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{place}.onnx" for place in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        # -P: nothing of the script's own folder is imported
        command = [sys.executable, "-P", onnx_memory.__file__, str(batch), *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST * len(paths))
    if done.returncode:
        raise RuntimeError(f"onnxruntime's memory could not be measured: {done.stderr.strip()[-1000:]}")
    return json.loads(done.stdout)


class _Counting(TorchDispatchMode):
    """most: bytes of the storages that were alive at once, after any operation."""

    def __init__(self, there: Sequence[torch.Tensor]):
        super().__init__()
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}
        self.most = 0
        for tensor in there:
            self._note(tensor)
        self._count()

    def __torch_dispatch__(self, func: Callable, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, torch.Tensor):
                self._note(tensor)
        self._count()
        return result

    def _note(self, tensor: torch.Tensor) -> None:
        for part in _stored(tensor):
            storage = part.untyped_storage()
            reference = StorageWeakRef(storage)
            self._alive[reference.cdata] = (reference, storage.nbytes())

    def _count(self) -> None:
        self._alive = {key: held for key, held in self._alive.items() if not held[0].expired()}
        self.most = max(self.most, sum(size for _, size in self._alive.values()))


def _stored(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The dense tensors that a tensor consists of."""
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if hasattr(tensor, "__tensor_flatten__"):  # the 2:4 form: values and which of four they are
        return [getattr(tensor, name) for name in tensor.__tensor_flatten__()[0]]
    return [tensor]


def _cuda_peak(network: torch.nn.Module, images: torch.Tensor) -> int:
    device = images.device
    network(images)  # libraries take their workspaces at the first pass, and keep them
    own = sum(part.untyped_storage().nbytes() for tensor in network.buffers() for part in _stored(tensor))
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    network(images)
    torch.cuda.synchronize(device)
    return own + images.nbytes + torch.cuda.max_memory_allocated(device) - before
