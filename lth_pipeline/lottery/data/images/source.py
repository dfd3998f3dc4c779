"""Which images are meant, and what is known of them once they have been read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lth_pipeline.lottery.data.dirs import DataDirs
from lth_pipeline.lottery.errors import DataError

COLOURS = {"rgb": 3, "grey": 1}
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
SHOWN = 10


@dataclass(frozen=True)
class Source:
    """What a card says.

    path: of a folder or a tar: below the data folder, where symbolic links may lead out of it; or absolute, below one
        of the allowed folders, which nothing leads out of.
    image_size: the shorter side is resized to so many pixels (bicubic) and the centre cropped to this square;
        None: images stay as they are, and all must have one size.
    colour: "rgb" (3 channels) or "grey" (1).
    """

    path: str
    image_size: int | None = None
    colour: str = "rgb"


@dataclass(frozen=True)
class ImageSet:
    """What is known of images that have been read.

    digest: SHA-256 (64 hex digits) over shapes, class names, labels and pixels: the same from a folder and from a tar,
        whatever the files are called as long as their order stays.
    image_shape: channels, height, width.
    class_names: sorted; a label is an index into them.
    train, test: images; test is 0 where the source has no test part.
    folder: of the arrays, in the cache.
    """

    digest: str
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    train: int
    test: int
    folder: Path


def shown(name: object) -> str:
    """A name from outside as it may stand in a message: control characters and broken encodings are escaped."""
    text = str(name)
    return text if text.isprintable() else ascii(text)


def checked(source: Source) -> Source:
    """`source` if it can be meant, whatever lies on the disk and is allowed; DataError otherwise."""
    path = PurePosixPath(source.path)
    if not path.parts or ".." in path.parts or not source.path.isprintable():
        raise DataError(
            f"path {source.path!r}: must be that of a folder or tar inside the data folder (LTH_DATA_DIR), "
            f"such as 'pets' or 'pets.tar.gz', and without '..'"
        )
    if source.colour not in COLOURS:
        raise DataError(f"colour {source.colour!r} of {source.path}: must be one of {', '.join(COLOURS)}")
    if source.image_size is not None and source.image_size < 1:
        raise DataError(f"image_size {source.image_size} of {source.path}: must be 1 or more pixels, or left out")
    return source


def permitted(source: Source, dirs: DataDirs) -> Path:
    """Where `source` lies, or would lie; DataError where it may not be read, or `checked` refuses it."""
    path = Path(checked(source).path)
    if not path.is_absolute():
        return dirs.sets / path
    try:
        path = path.resolve()  # links followed: what counts is where they lead
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle, before Python 3.13
        raise DataError(f"path {source.path!r}: cannot be followed: {error}") from error
    if not any(path.is_relative_to(folder.resolve()) for folder in dirs.allowed):
        listed = ", ".join(map(str, dirs.allowed))
        lies = "" if str(path) == source.path else f" (it leads to {shown(path)})"
        raise DataError(
            f"path {source.path!r}{lies}: must be relative, inside the data folder (LTH_DATA_DIR), or lie below one of "
            f"the folders in LTH_ALLOWED_DIRS: {listed or 'there are none'}"
        )
    return path


def located(source: Source, dirs: DataDirs) -> Path:
    """Where `source` lies; DataError where nothing is there that could be read."""
    path = permitted(source, dirs)
    try:
        if path.is_dir() or (path.is_file() and path.name.lower().endswith(ARCHIVES)):
            return path
        if path.exists():
            raise DataError(
                f"{path}: neither a folder nor a tar ({' '.join(ARCHIVES)}); unpack it, or make a tar of it"
            )
    except OSError as error:
        raise DataError(f"{path}: cannot be looked at: {error.strerror}") from error
    if Path(source.path).is_absolute():
        raise DataError(f"{path}: is not there; put the images there, or give another path")
    raise DataError(
        f"{path}: is not there\n{_listing(dirs.sets)}\n"
        f"put the images there, or point LTH_DATA_DIR at the folder that holds {source.path}"
    )


def _listing(folder: Path) -> str:
    try:
        names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        return f"the data folder {folder} cannot be listed: {error.strerror}"
    if not names:
        return f"the data folder {folder} is empty"
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f"the data folder {folder} holds {', '.join(map(shown, names[:SHOWN]))}{more}"
