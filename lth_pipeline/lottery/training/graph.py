"""A step recorded as a CUDA graph: one launch for all its kernels.

A LeNet step of ten networks is some thirty kernels of a few microseconds each; a launch from Python costs more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

WARM_UP = 3  # steps, as PyTorch's notes on CUDA graphs have it: libraries set themselves up in the first ones


def captured(step: Callable[[], None], moved: Sequence[torch.Tensor]) -> Callable[[], None]:
    """`step` as a CUDA graph on the current device; calling it replays the step and waits for nothing.

    step: works on the same tensors in every call, asks the device for nothing and draws nothing.
    moved: all tensors that a step changes and another one reads. The steps that warm up are taken back.
    """
    before = [tensor.clone() for tensor in moved]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):  # the stream of the warm-up, so that its workspaces are found again
        step()
    for tensor, value in zip(moved, before, strict=True):
        tensor.copy_(value)
    return graph.replay
