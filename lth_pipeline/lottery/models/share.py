"""Which examples of a batch are whose, where several processes make one step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """What the process `rank` of `processes` learns of each batch: neighbours, as many as the others or one fewer.

    batch: examples of a whole batch, at least one a process.
    """

    rank: int
    processes: int
    batch: int

    @property
    def own(self) -> slice:
        """Its examples."""
        return share_of(self.rank, self.processes, self.batch)

    @property
    def counts(self) -> list[int]:
        """Examples of each process."""
        slices = (share_of(rank, self.processes, self.batch) for rank in range(self.processes))
        return [own.stop - own.start for own in slices]


def share_of(rank: int, processes: int, examples: int) -> slice:
    """Of so many `examples` those of process `rank`; the shares of all of them, in order, are the whole."""
    return slice(examples * rank // processes, examples * (rank + 1) // processes)
