"""What each source held when it was last read: cache/images/sources/<SHA-256 of path, image size, colour>.json."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import NamedTuple

from lth_pipeline.lottery.data.images.source import Source
from lth_pipeline.lottery.data.images.writing import write_whole, writing

#: Raise it when the same files are to give other pixels: every source is read anew.
VERSION = 1


class Record(NamedTuple):
    """fingerprint: of the source, by which a change is seen without opening it. digest: of its content."""

    fingerprint: str
    digest: str


def recorded(source: Source, cache: Path) -> Record | None:
    """None where `source` was never read, or where the record is damaged."""
    try:
        content = json.loads(_path(source, cache).read_bytes())
        record = Record(str(content["fingerprint"]), str(content["digest"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return record if re.fullmatch("[0-9a-f]{64}", record.digest) else None


def remember(source: Source, cache: Path, record: Record) -> None:
    content = {"path": source.path, "image_size": source.image_size, "colour": source.colour, **record._asdict()}
    with writing(cache):
        write_whole(_path(source, cache), json.dumps(content, indent=1).encode())


def _path(source: Source, cache: Path) -> Path:
    key = json.dumps([VERSION, source.path, source.image_size, source.colour])
    return cache / "images" / "sources" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
