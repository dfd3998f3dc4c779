"""Named random streams: every draw comes from a generator that says what it is for.

Nothing in the project reads torch's global generator, so the order in which things are computed,
and what else runs in the process, cannot change a result.
"""

import hashlib
import json

import torch


def stream_seed(seed: int, purpose: str, **coordinates: int) -> int:
    """The 63-bit seed of the stream `purpose` of an experiment's `seed`.

    `coordinates` (replicate, round, epoch, …) tell apart streams of one purpose. SHA-256 keeps streams
    with neighbouring numbers independent of each other, which `seed + replicate` would not:
    there, replicate 1 of seed 0 and replicate 0 of seed 1 are the same network.
    """
    name = json.dumps([seed, purpose, sorted(coordinates.items())])
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def generator(seed: int) -> torch.Generator:
    """A CPU generator. Draws are made on the CPU whatever the device, so they are the same everywhere."""
    return torch.Generator(device="cpu").manual_seed(seed)
