"""`python -m lth_pipeline_tests.fuzz --inputs 200000 [--seed N] [--reader idx]`: the long run, and its table."""

from __future__ import annotations

import time

import click
import torch

from lth_pipeline_tests.fuzz.every import READERS
from lth_pipeline_tests.fuzz.running import fuzz

HEAD = ("reader", "inputs", "refused", "accepted", "slowest ms", "seconds")
ROW = "{:<10} {:>9} {:>9} {:>9} {:>11} {:>8}"


@click.command()
@click.option("--inputs", type=click.IntRange(min=1), default=200_000, help="in all readers together")
@click.option("--seed", type=int, default=0, help="another one gives other inputs")
@click.option("--reader", "chosen", type=click.Choice([reader.name for reader in READERS]), help="only this one")
@click.option("--slowest", is_flag=True, help="show the slowest input of each, too")
def main(inputs: int, seed: int, chosen: str | None, slowest: bool) -> None:
    """Give every reader damaged files; end with the first that is not read right or refused clearly."""
    torch.set_num_threads(1)
    readers = [reader for reader in READERS if chosen in (None, reader.name)]
    whole = sum(reader.share for reader in readers)
    print(ROW.format(*HEAD), flush=True)
    for reader in readers:
        started = time.monotonic()
        # each reader begins at a seed of its own: batches count up from it
        result = fuzz(reader, -(-inputs * reader.share // whole), first_seed=seed * 1_000_003)
        numbers = (f"{result.inputs:,}", f"{result.refused:,}", f"{result.accepted:,}", f"{result.slowest:,.0f}")
        print(ROW.format(reader.name, *numbers, f"{time.monotonic() - started:,.0f}"), flush=True)
        if slowest:
            print(f"  {result.slowest_input}", flush=True)


if __name__ == "__main__":
    main()
