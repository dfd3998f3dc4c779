"""How much a process grows that runs an ONNX file: a script of its own, so that nothing else is in its memory.

    python -P onnx_memory.py BATCH FILE...

prints a list of bytes, one for each FILE. Each is run in a process forked off before there was any session. It needs
numpy and onnxruntime alone, and Linux.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    import numpy  # noqa: F401 (in memory before the forks)
    import onnxruntime

    batch, *paths = sys.argv[1:]
    smallest = min(paths, key=lambda path: Path(path).stat().st_size)
    print(json.dumps([_in_a_fork(onnxruntime, path, smallest, int(batch)) for path in paths]))


def _in_a_fork(onnxruntime, path: str, smallest: str, batch: int) -> int:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, str(_growth(onnxruntime, path, smallest, batch)).encode())
            os._exit(0)
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    if os.waitpid(child, 0)[1]:
        raise SystemExit(f"{path}: could not be run")
    return int(told)


def _growth(onnxruntime, path: str, smallest: str, batch: int) -> int:
    """A run of the smallest file comes first, and stays open: the runtime's code is in memory by then."""
    first = _run(onnxruntime, smallest, batch)
    before = _status("VmRSS")
    second = _run(onnxruntime, path, batch)
    del first, second
    return max(0, _status("VmHWM") - before)


def _run(onnxruntime, path: str, batch: int):
    """The session, once it has run. Options: as of `onnx_file.session`."""
    import numpy as np

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    images = np.zeros((batch, *given.shape[1:]), dtype=np.float32)
    for _ in range(3):
        session.run(None, {given.name: images})
    return session


def _status(name: str) -> int:
    """Bytes of an entry of /proc/self/status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {name}")


if __name__ == "__main__":
    main()
