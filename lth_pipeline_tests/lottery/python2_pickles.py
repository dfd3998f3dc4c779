"""Writing pickles as Python 2 did (protocol 2), for tests of the reader; Python 3 cannot."""

import pickletools
import struct
from itertools import count

import numpy as np

CODES = {operation.name: operation.code.encode("latin1") for operation in pickletools.opcodes}


def dumps(value: dict) -> bytes:
    """The pickle of a dict of bytes (Python 2's str), str (its unicode), ints, lists and uint8 arrays."""
    return CODES["PROTO"] + b"\x02" + _any(value, count()) + CODES["STOP"]


def string(text: bytes) -> bytes:
    if len(text) < 256:
        return CODES["SHORT_BINSTRING"] + bytes([len(text)]) + text
    return CODES["BINSTRING"] + struct.pack("<i", len(text)) + text


def name(module: str, attribute: str) -> bytes:
    return CODES["GLOBAL"] + f"{module}\n{attribute}\n".encode()


def _put(numbers: count) -> bytes:
    number = next(numbers)
    return CODES["BINPUT"] + bytes([number]) if number < 256 else CODES["LONG_BINPUT"] + struct.pack("<I", number)


def _any(value: object, numbers: count) -> bytes:
    match value:
        case bool():
            return CODES["NEWTRUE" if value else "NEWFALSE"]
        case int():
            return _int(value)
        case bytes():
            return string(value) + _put(numbers)
        case str():
            text = value.encode()
            return CODES["BINUNICODE"] + struct.pack("<I", len(text)) + text + _put(numbers)
        case list():
            head = CODES["EMPTY_LIST"] + _put(numbers)
            return head + CODES["MARK"] + b"".join(_any(item, numbers) for item in value) + CODES["APPENDS"]
        case dict():
            head = CODES["EMPTY_DICT"] + _put(numbers)
            items = (_any(key, numbers) + _any(item, numbers) for key, item in value.items())
            return head + CODES["MARK"] + b"".join(items) + CODES["SETITEMS"]
        case np.ndarray():
            return _array(value, numbers)
    raise TypeError(value)


def _int(value: int) -> bytes:
    if 0 <= value < 2**8:
        return CODES["BININT1"] + bytes([value])
    if 0 <= value < 2**16:
        return CODES["BININT2"] + struct.pack("<H", value)
    if -(2**31) <= value < 2**31:
        return CODES["BININT"] + struct.pack("<i", value)
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return CODES["LONG1"] + bytes([len(content)]) + content


def _array(value: np.ndarray, numbers: count) -> bytes:
    fortran = value.flags.f_contiguous and not value.flags.c_contiguous
    parts = [
        name("numpy.core.multiarray", "_reconstruct") + _put(numbers),
        name("numpy", "ndarray") + _put(numbers),
        _int(0) + CODES["TUPLE1"] + _put(numbers) + string(b"b") + _put(numbers) + CODES["TUPLE3"] + _put(numbers),
        CODES["REDUCE"] + _put(numbers),
        CODES["MARK"] + _int(1),
        CODES["MARK"] + b"".join(_int(size) for size in value.shape) + CODES["TUPLE"] + _put(numbers),
        name("numpy", "dtype") + _put(numbers),
        string(value.dtype.str[1:].encode()) + _put(numbers) + _int(0) + _int(1) + CODES["TUPLE3"] + _put(numbers),
        CODES["REDUCE"] + _put(numbers),
        CODES["MARK"] + _int(3) + string(value.dtype.str[:1].encode()) + _put(numbers) + CODES["NONE"] * 3,
        _int(-1) + _int(-1) + _int(0) + CODES["TUPLE"] + _put(numbers) + CODES["BUILD"],
        CODES["NEWTRUE" if fortran else "NEWFALSE"],
        string(value.tobytes("F" if fortran else "C")) + _put(numbers),
        CODES["TUPLE"] + _put(numbers) + CODES["BUILD"],
    ]
    return b"".join(parts)
