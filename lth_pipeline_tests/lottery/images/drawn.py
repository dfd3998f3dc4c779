"""Small sets of images, drawn at random and known to the last pixel."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from lth_pipeline.lottery.data.dirs import DataDirs

#: relative path -> pixels, uint8 (H, W, 3) or (H, W)
Drawing = dict[str, np.ndarray]


def drawing(paths: list[str], size=(5, 4), seed=0) -> Drawing:
    draws = np.random.default_rng(seed)
    return {path: draws.integers(0, 256, (*size, 3), dtype=np.uint8) for path in paths}


def pets(seed=0) -> Drawing:
    """Two classes, three and two images to train on, one each to test on."""
    train = ["train/dog/1.png", "train/dog/10.png", "train/dog/2.png", "train/cat/b.png", "train/cat/a.png"]
    return drawing([*train, "test/dog/1.png", "test/cat/1.png"], seed=seed)


def encoded(pixels: np.ndarray, kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def files(drawn: Drawing) -> dict[str, bytes]:
    return {path: encoded(pixels) for path, pixels in drawn.items()}


def put(folder: Path, contents: dict[str, bytes]) -> Path:
    for path, content in contents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def pack(path: Path, contents: dict[str, bytes], above="", **options) -> Path:
    """A tar of `contents` in their order, by its suffix compressed."""
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode, **options) as tar:
        for name, content in contents.items():
            add(tar, above + name, content)
    return path


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(content))


def dirs_in(folder: Path) -> DataDirs:
    (folder / "data").mkdir(exist_ok=True)
    return DataDirs(folder / "data", folder / "cache")


def left_behind(dirs: DataDirs) -> list[str]:
    """Every file in the cache that belongs to no finished reading."""
    if not dirs.cache.exists():
        return []
    paths = [path for path in dirs.cache.rglob("*") if path.is_file()]
    return [str(path) for path in paths if len(path.parent.name) != 64 and path.parent.name != "sources"]


def gnu_tar_is_here() -> bool:
    return os.name == "posix" and not subprocess.run(["tar", "--version"], capture_output=True).returncode
