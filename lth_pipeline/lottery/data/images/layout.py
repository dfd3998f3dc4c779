"""How files in folders become labelled rows: class folders, or train/ and test/ with class folders in them."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from lth_pipeline.lottery.data.images.source import shown
from lth_pipeline.lottery.errors import DataError

TRAIN = "train"
TESTS = ("test", "val", "valid", "validation")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".tif", ".tiff")
HIDDEN = ("__macosx", "thumbs.db", "desktop.ini")
BESIDE_CLASSES = ("readme*", "license*", "*.txt", "*.csv", "*.json", "*.md")
#: Pillow's largest image, 89 million pixels, has 0.54 GB uncompressed at 16 bits and three channels.
MAX_FILE_BYTES = 2**30
RIGHT = "images belong into class folders (cat/1.jpg, dog/1.jpg), or these into train/ and test/"


class File(NamedTuple):
    """size: in bytes. place: of its first byte in the unpacked tar; 0 in a folder."""

    size: int
    place: int = 0


Tree = dict[str, "Tree | File"]


class Row(NamedTuple):
    """An image and where it goes. part: "train" or "test". index: its row in that part's arrays.

    name: its path below the source.
    """

    part: str
    index: int
    label: int
    name: str
    file: File


class Layout(NamedTuple):
    """rows: "train" and "test" -> the rows of that part in order; no test part: no rows."""

    class_names: tuple[str, ...]
    rows: dict[str, list[Row]]


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over: what systems leave behind."""
    return name.startswith(".") or name.lower() in HIDDEN


def arrange(tree: Tree, where: str) -> Layout:
    """Classes by name, and in each its images by name. DataError where `tree` holds no classes of images.

    where: what messages call the source.
    """
    above, folders = "", _folders(tree, where, "")
    if len(folders) == 1 and not {TRAIN, *TESTS} & set(folders):  # perhaps one folder around everything
        (name, inner), *_ = folders.items()
        if any(isinstance(node, dict) for node in inner.values()):
            above, folders = f"{name}/", _folders(inner, where, f"{name}/")
    parts = {TRAIN: (above, folders), "test": ("", {})}
    if _in_parts(folders):
        for part, name in _part_names(folders, where, above).items():
            parts[part] = (f"{above}{name}/", _folders(folders[name], where, f"{above}{name}/"))
            if not parts[part][1]:
                raise DataError(f"{where}: {shown(above + name)}/: no class folders in it; {RIGHT}")
    names = tuple(sorted(parts[TRAIN][1]))
    if not names:
        raise DataError(f"{where}: no images in it: it holds no folders; {RIGHT}")
    labels = {name: label for label, name in enumerate(names)}
    if unknown := sorted(set(parts["test"][1]) - set(names)):
        raise DataError(
            f"{where}: {shown(parts['test'][0] + unknown[0])}/: a class that {shown(parts[TRAIN][0])} does not have; "
            f"remove it, or give images of it to train on"
        )
    rows = {part: _rows(part, classes, labels, where, above) for part, (above, classes) in parts.items()}
    if len(names) == 1:
        raise DataError(f"{where}: a single class, {shown(names[0])}/; two or more are needed to tell apart")
    return Layout(names, rows)


def _folders(tree: Tree, where: str, above: str) -> dict[str, Tree]:
    """The folders of `tree`. DataError where an image, or what should perhaps be a class, lies between them."""
    folders = {name: node for name, node in tree.items() if isinstance(node, dict)}
    for name in sorted(set(tree) - set(folders)):
        if name.lower().endswith(SUFFIXES):
            raise DataError(f"{where}: {shown(above + name)}: an image outside of a class folder; {RIGHT}")
        if not any(fnmatchcase(name.lower(), pattern) for pattern in BESIDE_CLASSES):
            raise DataError(f"{where}: {shown(above + name)}: a file where a class folder belongs; remove it; {RIGHT}")
    return folders


def _in_parts(folders: dict[str, Tree]) -> bool:
    """Whether train/ is a part, with folders in it or with nothing but other parts beside it; else it is a class."""
    if TRAIN not in folders:
        return False
    return set(folders) <= {TRAIN, *TESTS} or any(isinstance(node, dict) for node in folders[TRAIN].values())


def _part_names(folders: dict[str, Tree], where: str, above: str) -> dict[str, str]:
    """Part -> name of its folder."""
    if others := sorted(set(folders) - {TRAIN, *TESTS}):
        raise DataError(
            f"{where}: {shown(above + others[0])}/: lies beside {above}{TRAIN}/ and is neither of train and test; "
            f"move it away: there may be one of {', '.join(f'{name}/' for name in TESTS)}, and nothing else"
        )
    found = [name for name in TESTS if name in folders]
    if len(found) > 1:
        raise DataError(
            f"{where}: has {' and '.join(f'{above}{name}/' for name in found)}: say which is to be tested on: "
            f"leave that one there and move the other away (validation images are held out of train/ by themselves)"
        )
    return {TRAIN: TRAIN} | ({"test": found[0]} if found else {})


def _rows(part: str, classes: dict[str, Tree], labels: dict[str, int], where: str, above: str) -> list[Row]:
    rows: list[Row] = []
    for folder in sorted(classes):
        if not classes[folder]:
            raise DataError(
                f"{where}: {shown(above + folder)}/: an empty class folder; put images into it or remove it"
            )
        for name in sorted(classes[folder]):
            path, file = f"{above}{folder}/{name}", classes[folder][name]
            if isinstance(file, dict):
                raise DataError(f"{where}: {shown(path)}/: a folder in a class folder is too deep; {RIGHT}")
            if not name.lower().endswith(SUFFIXES):
                raise DataError(f"{where}: {shown(path)}: not an image ({' '.join(SUFFIXES)}); remove it")
            if file.size > MAX_FILE_BYTES:
                raise DataError(f"{where}: {shown(path)}: has {file.size:,} bytes; at most {MAX_FILE_BYTES:,} are read")
            rows.append(Row(part, len(rows), labels[folder], path, file))
    return rows
