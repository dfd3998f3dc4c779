"""Weights without their zeros: which form takes the fewest bytes, and whether its products are the quicker ones.

Measured on one core of an AMD EPYC with AVX-512 (torch 2.13, MKL), µs at batch 1 and 64, dense against CSR:

    300 × 784, density 0.2    13 : 19    339 : 223        100 × 300, density 0.1    3.1 : 4.1    44 : 24
    300 × 784, density 0.05   14 : 6.9   327 : 72         10 × 100, density 0.1     1.8 : 3.6    5.9 : 8.6
    1000 × 1000, density 0.1  66 : 40    1480 : 475       256 × 12544, density 0.05 184 : 49     5050 : 1730

Blocks of 4 × 4 and 8 × 8 take 0.8 of CSR's time at batch 64 and 1.3 at batch 1, so that one rule serves all of them.
A sparse convolution unfolds its images first: 64 × 64 × 3 × 3 at density 0.02 on 32 × 32 places takes 8 times the dense
one's time at batch 64, 256 × 256 on 4 × 4 places 0.67, 512 × 512 on 2 × 2 places 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from lth_pipeline.lottery.small.compact import Small
from lth_pipeline.lottery.small.network import Program, joined

#: sides of square blocks: MKL multiplies no others
BLOCKS = (2, 4, 8)
#: what a .safetensors file's header takes for three tensors instead of one
HEADER = 200
#: a column is stored as how many zeros were left out before it, in one byte where none is further apart
FAR = 255

#: A sparse convolution is quicker at batch 64, too, from so many channels on, up to so many places and such a density.
CHANNELS, PLACES, DENSITY = 256, 16, 0.02


@dataclass(frozen=True)
class Storage:
    """How a weight is stored. block: side of its blocks; 0: it has none. bytes: of the tensors it is stored as.

    dense: whether it is computed as a dense tensor, because products with the sparse one would be slower.
    """

    form: Literal["dense", "csr", "bsr"]
    block: int
    bytes: int
    dense: bool


def choose(small: Small) -> dict[str, Storage]:
    """{name of a weight of a convolution or fully connected layer: how it takes the fewest bytes}, in their order."""
    places = _places(small.program)
    return {name: _storage(small.tensors[name], count) for name, count in places.items()}


def parts(weight: torch.Tensor, storage: Storage) -> dict[str, torch.Tensor]:
    """What a weight of form "csr" or "bsr" is stored as, for `network.joined`.

    rows: how many values (blocks) each row has. columns: of each, how many zeros (blocks of them) were left out before
    it in its row; both in the smallest of uint8, int16, int32. values: float32 (n,) or (n, block, block); zeros may be
    among them, where two others stand too far apart for a byte.
    """
    matrix = weight.flatten(1)
    side = storage.block or 1
    blocks = matrix.unflatten(0, (-1, side)).unflatten(2, (-1, side)).transpose(1, 2)  # (rows, columns, side, side)
    kept = (blocks != 0).flatten(2).any(2)
    if not storage.block:
        kept = _bridged(kept)
    values = blocks[kept]
    return {
        "rows": _smallest(kept.sum(1)),
        "columns": _smallest(_skipped(kept)),
        "values": (values if storage.block else values.flatten()).contiguous(),
    }


def sparse_tensors(small: Small) -> dict[str, torch.Tensor]:
    """The tensors of `small`, weights in CSR or BSR where that is the quicker: what a file written sparse loads as."""
    tensors, sparse = in_parts(small)
    return joined(tensors, sparse)


def values_stored(small: Small) -> int:
    """Weights that are stored: of a dense one all, of a sparse one what it keeps."""
    tensors, sparse = in_parts(small)
    return sum(tensors[f"{name}/values" if name in sparse else name].numel() for name in _places(small.program))


def in_parts(small: Small) -> tuple[dict[str, torch.Tensor], dict[str, dict]]:
    """(tensors, sparse) as `network.joined` takes them."""
    tensors, sparse = dict(small.tensors), {}
    for name, storage in choose(small).items():
        if storage.form != "dense":
            weight = tensors.pop(name)
            tensors |= {f"{name}/{part}": values for part, values in parts(weight, storage).items()}
            sparse[name] = {"shape": list(weight.shape), "dense": storage.dense}
    return tensors, sparse


def _storage(weight: torch.Tensor, places: int) -> Storage:
    """places: that a convolution's kernel is laid on; 0: it is a fully connected layer."""
    whole = Storage("dense", 0, weight.nbytes, True)
    best = whole
    rows, columns = weight.flatten(1).shape
    for block in (0, *BLOCKS):
        if block and (rows % block or columns % block):
            continue
        form = Storage("bsr" if block else "csr", block, 0, True)
        held = parts(weight, form)
        size = sum(tensor.nbytes for tensor in held.values())
        if size + (HEADER if best is whole else 0) < best.bytes:
            best = Storage(form.form, block, size, not _quicker(weight, held["values"].numel(), places))
    return best


def _quicker(weight: torch.Tensor, values: int, places: int) -> bool:
    """Whether products with so many stored values are quicker than dense ones, by what was measured (see above).

    For a fully connected layer at batch 1 and 64 together, by the geometric mean of the two ratios: µs fitted to them.
    """
    if weight.dim() > 2:
        return places <= PLACES and min(weight.shape[:2]) >= CHANNELS and values <= DENSITY * weight.numel()
    one = (3.5 + 3e-4 * values) / (1.7 + 5.5e-5 * weight.numel())
    many = (8 + 5e-3 * values + 0.025 * sum(weight.shape)) / (5 + 1.4e-3 * weight.numel())
    return one * many < 1


def _places(program: Program) -> dict[str, int]:
    """{name of a weight: places of what its convolution gives; 0 of a fully connected layer}."""
    sides = {"image": program.image_shape[1:]}
    found = {}
    for op in program.ops:
        side = sides.get(op.reads[0], (0, 0))
        if op.kind in ("conv", "pool"):
            kernel, stride, padding = (op.numbers[name] for name in ("kernel", "stride", "padding"))
            side = tuple((each + 2 * padding - kernel) // stride + 1 for each in side)
        elif op.kind in ("flatten", "mean"):
            side = (0, 0)
        sides[op.gives] = side
        if op.kind in ("conv", "linear"):
            found[op.tensors["weight"]] = side[0] * side[1]
    return found


def _skipped(kept: torch.Tensor) -> torch.Tensor:
    """int64 (n,): of each kept place of a bool (rows, columns), how many were left out before it in its row."""
    row, column = kept.nonzero(as_tuple=True)
    before = torch.cat([column.new_full((1,), -1), column[:-1]])
    first = torch.cat([row.new_ones(1, dtype=torch.bool), row[1:] != row[:-1]])
    return column - before.masked_fill(first, -1)[: len(column)] - 1


def _bridged(kept: torch.Tensor) -> torch.Tensor:
    """`kept` with a zero among what is kept wherever more than FAR were left out, so that a byte says how many (Han et
    al. 2016, Deep Compression); as it is where zeros take more than two bytes a column would."""
    far = (_skipped(kept) // (FAR + 1)).sum()
    if int(far) * 5 >= int(kept.sum()):
        return kept
    kept = kept.clone()
    while (skipped := _skipped(kept)).numel() and int(skipped.max()) > FAR:
        row, column = kept.nonzero(as_tuple=True)
        wide = skipped > FAR
        kept[row[wide], column[wide] - skipped[wide] + FAR] = True
    return kept


def _smallest(values: torch.Tensor) -> torch.Tensor:
    """The same integers, none negative, in the smallest type that holds them."""
    most = int(values.max()) if values.numel() else 0
    return values.to(torch.uint8 if most <= 255 else torch.int16 if most < 2**15 else torch.int32)
