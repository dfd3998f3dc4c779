"""Where data lies, and how much of it may be held in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MEMORY = 4 * 2**30


@dataclass(frozen=True)
class DataDirs:
    """sets: the data folder (LTH_DATA_DIR), only read. cache: what was worked out of it (LTH_CACHE_DIR).

    memory: bytes of pixels; a set of own images that is larger is streamed from the cache (LTH_MEMORY_GB).
    allowed: folders below which own images may lie, too, without links (LTH_ALLOWED_DIRS).
    """

    sets: Path
    cache: Path
    memory: int = MEMORY
    allowed: tuple[Path, ...] = ()
