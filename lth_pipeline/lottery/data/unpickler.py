"""Reader of the pickles that Python 2 wrote, for plain values and arrays of bytes. It is no unpickler: it runs nothing.

A pickle is a program, and Python's unpicklers run it: even one that admits nothing but numpy's names calls into numpy
with arguments from the file, and five bytes make the one written in C take 32 GB. Here the program is taken apart by
`pickletools.genops`, and of its operations those that build dicts, lists, tuples, strings and whole numbers are
carried out; numpy's three names stand for arrays of bytes and are never looked up.
"""

from __future__ import annotations

import pickletools  # nosec B403: it names the operations of a pickle and carries none out
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from lth_pipeline.lottery.data.checksums import MAX_BYTES
from lth_pipeline.lottery.errors import DataError

MAX_DIMENSIONS = 4

RECONSTRUCT, NDARRAY, DTYPE, UINT8 = (object() for _ in range(4))  # stand-ins
NAMES = {
    "numpy.core.multiarray _reconstruct": RECONSTRUCT,
    "numpy._core.multiarray _reconstruct": RECONSTRUCT,
    "numpy ndarray": NDARRAY,
    "numpy dtype": DTYPE,
}
#: operations that push their argument; strings are read as Latin-1, one character a byte
VALUES = frozenset(
    {"INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE"}
)
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
PUTS = frozenset(["PUT", "BINPUT", "LONG_BINPUT"])
GETS = frozenset(["GET", "BINGET", "LONG_BINGET"])


@dataclass
class _Array:
    values: np.ndarray | None = None


def load_arrays(content: bytes, name: str) -> dict[str, Any]:
    """The dict in the pickle `content`: its values are str, int, list of str and int, or numpy uint8 arrays.

    name: the file, for messages. Anything else that could be in a pickle, and any damage, is a DataError.
    """
    if len(content) > MAX_BYTES:
        raise DataError(f"{name}: has {len(content):,} bytes; more than {MAX_BYTES:,} are not read")
    try:
        value = _interpret(content)
        if type(value) is not dict:
            raise ValueError(f"holds one {type(value).__name__}, not a dict")
        return {key: _plain(key, item) for key, item in value.items()}
    except Exception as error:  # whatever it is, MemoryError too: the file is at fault
        raise DataError(
            f"{name}: not a pickle of plain values and arrays of bytes ({error or type(error).__name__}); "
            f"nothing in it was run; fetch the file again"
        ) from error


def _interpret(content: bytes) -> Any:
    """What is on the stack when the program stops. Every operation costs what its bytes in `content` pay for."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    room = len(content)  # for arrays: one string may be remembered and used often

    def since_mark() -> list[Any]:
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    for operation, argument, _ in pickletools.genops(content):
        name = operation.name
        if name in PUTS:
            memo[argument] = stack[-1]
        elif name in VALUES:
            stack.append(argument)
        elif name in GETS:
            stack.append(memo[argument])
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in TUPLES:
            items = [stack.pop() for _ in range(TUPLES[name])]
            stack.append(tuple(reversed(items)))
        elif name == "MARK":
            marks.append(len(stack))
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "LIST":
            stack.append(since_mark())
        elif name in ("APPEND", "APPENDS"):
            items = since_mark() if name == "APPENDS" else [stack.pop()]
            _of_type(list, stack[-1]).extend(items)
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name == "DICT":
            stack.append(_set_items({}, since_mark()))
        elif name in ("SETITEM", "SETITEMS"):
            items = since_mark() if name == "SETITEMS" else [stack.pop(), stack.pop()][::-1]
            _set_items(_of_type(dict, stack[-1]), items)
        elif name == "GLOBAL":
            if argument not in NAMES:
                raise ValueError(f"asks for {argument.replace(' ', '.', 1)[:100]!r}")
            stack.append(NAMES[argument])
        elif name == "REDUCE":
            arguments, function = stack.pop(), stack.pop()
            stack.append(_called(function, arguments))
        elif name == "BUILD":
            state = stack.pop()
            room -= _build(stack[-1], state, room)
        elif name not in ("PROTO", "STOP"):
            raise ValueError(f"uses {name}, which a pickle of plain values has no need of")
    return stack.pop()


def _of_type(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(f"adds items to something that is no {kind.__name__}")
    return value


def _set_items(target: dict, items: list[Any]) -> dict:
    keys, values = items[::2], items[1::2]
    if any(type(key) is not str for key in keys):  # to hash a tuple can take for ever
        raise ValueError("has a dict whose keys are not strings")
    target.update(zip(keys, values, strict=True))
    return target


def _called(function: Any, arguments: Any) -> Any:
    if type(arguments) is tuple and arguments:
        if function is RECONSTRUCT and arguments[0] is NDARRAY:
            return _Array()
        if function is DTYPE and arguments[0] == "u1":
            return UINT8
        if function is DTYPE and type(arguments[0]) is str:
            raise ValueError(f"has an array of {arguments[0][:20]!r}, not of bytes ('u1')")
    raise ValueError("calls what is not an array's constructor")


def _build(target: Any, state: Any, room: int) -> int:
    """Fill an array from numpy's state ([version,] shape, dtype, Fortran order, bytes); returns how many bytes."""
    if target is UINT8:  # byte order and alignment, which bytes do not have
        return 0
    if type(target) is not _Array or type(state) is not tuple or len(state) not in (4, 5):
        raise ValueError("sets the state of what is not an array")
    shape, dtype, fortran, data = state[-4:]
    if dtype is not UINT8 or type(data) is not str or type(shape) is not tuple:
        raise ValueError("has an array that is not one of bytes")
    if len(shape) > MAX_DIMENSIONS or any(type(size) is not int or not 0 < size <= len(data) for size in shape):
        raise ValueError(f"has an array of an impossible shape for its {len(data):,} bytes")
    if prod(shape) != len(data):
        raise ValueError(f"has an array of shape {shape} with {len(data):,} bytes")
    if len(data) > room:
        raise ValueError("has larger arrays than the file")
    target.values = np.frombuffer(data.encode("latin1"), np.uint8).reshape(shape, order="F" if fortran else "C")
    return len(data)


def _plain(key: str, value: Any) -> Any:
    if type(value) in (str, int) or (type(value) is list and all(type(item) in (str, int) for item in value)):
        return value
    if type(value) is _Array and value.values is not None:
        return value.values
    raise ValueError(f"{key[:100]!r} is neither text, number, a list of these, nor an array")
