"""Which image is of which class and part, from names alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lth_pipeline.lottery.data.own.listing import Entry
from lth_pipeline.lottery.errors import DataError

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
TEXTS = (".txt", ".csv", ".json", ".md", ".yaml", ".yml", ".html", ".pdf")
TEST = ("test", "val", "valid", "validation")
RIGHT = "a set is <class>/<image>, or train/<class>/<image> and test/<class>/<image>"


@dataclass(frozen=True)
class Layout:
    """train, test: (path as in the source, label) in the order in which images are numbered."""

    class_names: tuple[str, ...]
    train: list[tuple[PurePosixPath, int]]
    test: list[tuple[PurePosixPath, int]]


def layout(root: Path, entries: list[Entry]) -> Layout:
    """Classes in the order of their names, images of a class in that of theirs. Raises DataError.

    root: of the source, for messages. One folder around everything is looked through.
    """
    wrap = _wrapping(entries)
    files, folders = {}, set()
    for entry in entries:
        inner = PurePosixPath(*entry.path.parts[wrap:])
        if not inner.parts:
            continue
        if entry.is_folder:
            folders.add(inner)
        else:
            files[inner] = entry.path
    tops = {path.parts[0] for path in (*files, *folders) if len(path.parts) > 1 or path in folders}
    if "train" in tops:
        return _in_parts(root, files, folders, tops)
    if tops and tops <= set(TEST):
        raise DataError(f"{root}: has {_list(tops)} and no train; {RIGHT}")
    train = _classes(root, files, folders, ())
    names = _checked_names(root, train)
    return Layout(names, _numbered(train, names), [])


def _wrapping(entries: Iterable[Entry]) -> int:
    """How many folders there are around everything: 0, or 1 for one that is neither a class nor a part."""
    paths = [entry.path for entry in entries]
    firsts = {path.parts[0] for path in paths}
    deepest = max((len(entry.path.parts) for entry in entries if not entry.is_folder), default=0)
    return 1 if len(firsts) == 1 and deepest > 2 and firsts.isdisjoint(("train", *TEST)) else 0


def _in_parts(root: Path, files: dict, folders: set, tops: set[str]) -> Layout:
    tests = sorted(tops & set(TEST))
    if len(tests) > 1:
        raise DataError(f"{root}: has both {_list(tests)}; keep the one to test on (data.validation_size splits train)")
    other = tops - {"train", *TEST}
    if other:
        raise DataError(f"{root}: has {_list(other)} beside train; {RIGHT}")
    loose = sorted(path for path in files if len(path.parts) == 1 and path.suffix.lower() in IMAGES)
    if loose:
        raise DataError(f"{root / loose[0]}: an image outside the class folders; {RIGHT}")
    train = _classes(root, files, folders, ("train",))
    names = _checked_names(root / "train", train)
    test = _classes(root, files, folders, (tests[0],)) if tests else {}
    unknown = set(test) - set(names)
    if unknown:
        raise DataError(f"{root / tests[0]}: has the class {_list(unknown)}, which train does not have")
    return Layout(names, _numbered(train, names), _numbered(test, names))


def _classes(root: Path, files: dict, folders: set, prefix: tuple[str, ...]) -> dict[str, list]:
    """{class: its images, as (name, path in the source)} below the folders `prefix`."""
    level = len(prefix)
    found: dict[str, list] = {
        path.parts[level]: [] for path in folders if len(path.parts) == level + 1 and path.parts[:level] == prefix
    }
    for path, original in files.items():
        if path.parts[:level] != prefix:
            continue
        inside = path.parts[level:]
        if len(inside) == 1:
            if path.suffix.lower() in IMAGES:
                raise DataError(f"{root / path}: an image outside the class folders; {RIGHT}")
            if path.suffix.lower() in TEXTS or path.suffix == "":
                continue  # a README and its like
            raise DataError(f"{root / path}: not an image, nor a class folder; {RIGHT}")
        if len(inside) > 2:
            raise DataError(f"{root / path}: lies deeper than a class folder; {RIGHT}")
        if path.suffix.lower() not in IMAGES:
            raise DataError(f"{root / path}: not an image by its name ({', '.join(IMAGES)}); take it out")
        found.setdefault(inside[0], []).append((inside[1], original))
    deeper = [path for path in folders if len(path.parts) > level + 1 and path.parts[:level] == prefix]
    if deeper:
        raise DataError(f"{root / min(deeper)}: a folder inside a class folder; {RIGHT}")
    empty = sorted(name for name, images in found.items() if not images)
    if empty:
        raise DataError(f"{root.joinpath(*prefix, empty[0])}: a class folder without an image; fill it or take it out")
    return found


def _checked_names(root: Path, classes: dict[str, list]) -> tuple[str, ...]:
    if not classes:
        raise DataError(f"{root}: holds no images; {RIGHT}")
    if len(classes) == 1:
        raise DataError(f"{root}: has one class only ({next(iter(classes))}); there is nothing to tell apart")
    return tuple(sorted(classes))


def _numbered(classes: dict[str, list], names: tuple[str, ...]) -> list[tuple[PurePosixPath, int]]:
    return [(path, label) for label, name in enumerate(names) for _, path in sorted(classes.get(name, []))]


def _list(names: Iterable[str]) -> str:
    return " and ".join(sorted(names)[:5])
