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
#: Deepest possible: wrapper/train/class/file. Folders below are only noted, for a message.
DEPTH = 4
#: An image of Pillow's largest size, 89 million pixels, has 0.54 GB uncompressed at 16 bits and three channels.
MAX_FILE_BYTES = 2**30
RIGHT = "put images into class folders (cat/1.jpg, dog/1.jpg), or these into train/ and test/"


class File(NamedTuple):
    """size: in bytes. place: of its first byte in an unpacked tar; 0 in a folder."""

    size: int
    place: int = 0


Tree = dict[str, "Tree | File"]


class Row(NamedTuple):
    """An image and where it goes. part: "train" or "test"; index: row in its arrays; name: path below the source."""

    part: str
    index: int
    label: int
    name: str
    file: File


class Layout(NamedTuple):
    """rows: all of the training part, then all of the test part."""

    class_names: tuple[str, ...]
    rows: list[Row]
    train: int
    test: int


def hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over: what systems leave behind."""
    return name.startswith(".") or name.lower() in HIDDEN


def arrange(tree: Tree, where: str) -> Layout:
    """Classes sorted by name; images by part, class and file name. DataError where the tree is not a set of classes."""
    tree, above = _unwrapped(tree)
    folders = _folders(tree, where, above)
    if not folders:
        raise DataError(f"{where}: no images in it: it holds no folders; {RIGHT}")
    if _in_parts(folders):
        train, test = _parts(folders, where, above)
        train_rows, names = _rows(TRAIN, _folders(folders[TRAIN], where, train), where, train, None)
        test_rows = _rows("test", _folders(folders[test], where, above + test + "/"), where, above + test + "/", names)[0] if test else []
    else:
        test_rows = []
        train_rows, names = _rows(TRAIN, folders, where, above, None)
    return Layout(names, train_rows + test_rows, len(train_rows), len(test_rows))
