"""What a card says of own images, and where that is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from pathlib import Path, PurePosixPath

from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.errors import DataError

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True)
class Source:
    """path: relative to the data folder. image_size: resize the shorter side to so many pixels and crop the centre to a
    square; None: as they are, and then all have one size. colour: "rgb" or "grey"."""

    path: str
    image_size: int | None = None
    colour: str = "rgb"

    @property
    def key(self) -> str:
        """Names what is remembered of this source."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()[:40]

    @property
    def channels(self) -> int:
        return 3 if self.colour == "rgb" else 1


def locate(source: Source, dirs: DataDirs) -> Path:
    """The folder or archive, which is there. Raises DataError."""
    parts = PurePosixPath(source.path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in source.path or "\\" in source.path:
        raise DataError(
            f"data.path = {source.path!r}: must be a path inside the data folder {dirs.sets}, such as my_images or "
            f"my_images.tar.gz; put the images there, or a link to them, or point LTH_DATA_DIR elsewhere"
        )
    path = dirs.sets.joinpath(*parts)
    if path.is_dir() or (path.is_file() and is_tar(path)):
        return path
    if path.is_file():
        raise DataError(f"{path}: must be a folder of class folders or a tar of one ({', '.join(TARS)})")
    here = sorted(entry.name for entry in dirs.sets.iterdir()) if dirs.sets.is_dir() else []
    shown = ", ".join(here[:10]) + (", …" if len(here) > 10 else "") if here else "nothing"
    raise DataError(f"{path}: is not there; the data folder {dirs.sets} (LTH_DATA_DIR) holds {shown}")


def is_tar(path: Path) -> bool:
    return path.name.lower().endswith(TARS)
