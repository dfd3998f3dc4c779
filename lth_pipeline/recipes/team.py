"""The processes that make each training together: one leads, and tells the others what is trained.

Only the leader knows the store. What the others need goes to them as JSON and as safetensors, so that all begin with
the same bits, wherever they run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import torch
import torch.distributed as dist

from lth_pipeline.recipes.artifacts import Tensors
from lth_pipeline.recipes.errors import DeviceError
from lth_pipeline.recipes.route import choose_device

Job = dict[str, Any]
#: tells all whether this process has what it wants, and gives whether all have; all of them ask equally often
Agreed = Callable[[bool], bool]
#: for how long one waits for another within a training: the leader may write a large state in between
PATIENCE = timedelta(hours=1)
PAUSE = 0.05  # seconds between two questions whether there is something to do


@dataclass
class Team:
    """This process's place among `size`. device: the one it computes on."""

    rank: int
    size: int
    device: torch.device
    _board: dist.Store  # what the leader has to say, number after number
    _said: int = field(default=0, init=False)

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def lead(self, job: Job, tensors: Tensors) -> None:
        """Tell the others what is trained next. Of the leader; all make their part of that training then."""
        from safetensors.torch import save

        content = bytearray(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))
        self._say({"bytes": len(content), "job": job})
        dist.broadcast(torch.frombuffer(content, dtype=torch.uint8), src=0)

    def dismiss(self) -> None:
        """Nothing more is trained. Of the leader."""
        self._say(None)

    def next(self) -> tuple[Job, Tensors] | None:
        """What is trained next, waited for; None where the leader has dismissed all. Of the others."""
        from safetensors.torch import load

        key = self._key()
        while not self._board.check([key]):  # not in one long wait, in which no signal would be heard
            time.sleep(PAUSE)
        said = json.loads(self._board.get(key))
        if said is None:
            return None
        content = torch.empty(said["bytes"], dtype=torch.uint8)
        dist.broadcast(content, src=0)
        return said["job"], load(content.numpy().tobytes())

    def _say(self, message: Any) -> None:
        self._board.set(self._key(), json.dumps(message))

    def _key(self) -> str:
        self._said += 1
        return f"lth/{self._said}"

    def part(self) -> None:
        """Leave the others; nobody waits for anybody."""
        dist.destroy_process_group()


def join(
    device: str, meeting: str = "env://", hold: Callable[[torch.device, Agreed], None] = lambda device, agreed: None
) -> Team:
    """Join the others: as the environment says that torchrun makes, or at `meeting` (torch's init_method).

    device: "auto", "cpu", "cuda" or "cuda:N": between GPUs each process has its own, from the N-th on. hold: claims it,
    before anything is made on it. Raises DeviceError where there are too few.
    """
    from torch.distributed.rendezvous import rendezvous

    chosen = device_for(device, int(os.environ.get("LOCAL_RANK", "0")))
    board, rank, size = next(iter(rendezvous(meeting)))
    board.set_timeout(PATIENCE)
    hold(chosen, agreeing(board, rank, size))
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    # what is on the CPU goes by gloo in either case: jobs, and the weights that a training begins with
    backend = "cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=board, rank=rank, world_size=size, timeout=PATIENCE)
    return Team(rank, size, chosen, board)


def agreeing(board: dist.Store, rank: int, size: int) -> Agreed:
    """What lets `size` processes agree over what all of them can read."""
    turns = count()

    def agreed(mine: bool) -> bool:
        turn = next(turns)
        board.set(f"lth/agreed/{turn}/{rank}", json.dumps(mine))
        every = [json.loads(board.get(f"lth/agreed/{turn}/{other}")) for other in range(size)]
        if turn:  # all have read it by now, or they would not have come to this turn
            board.delete_key(f"lth/agreed/{turn - 1}/{rank}")
        return all(every)

    return agreed


def device_for(device: str, place: int) -> torch.device:
    """What the process at `place` on this machine computes on."""
    first = choose_device(device)
    if first.type != "cuda":
        return first
    number = (first.index or 0) + place
    if number >= torch.cuda.device_count():
        have = torch.cuda.device_count() - (first.index or 0)
        raise DeviceError(
            f"processes: {place + 1} or more on this machine, which has {have} GPU{'s' * (have != 1)} for them from "
            f"{first} on; give at most {have}, or the device cpu"
        )
    return torch.device("cuda", number)
