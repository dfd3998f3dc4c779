"""The reader of pickles: what Python 2 wrote comes back; what is hostile or damaged is a DataError and runs nothing."""

import builtins
import os
import pickle
import struct
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lth_pipeline.lottery.data import unpickler
from lth_pipeline.lottery.data.unpickler import load_arrays
from lth_pipeline.lottery.errors import DataError
from lth_pipeline_tests.lottery.python2_pickles import CODES, dumps, name, string

PROTO, STOP, MARK, TUPLE, REDUCE, BUILD = (
    CODES[code] for code in ("PROTO", "STOP", "MARK", "TUPLE", "REDUCE", "BUILD")
)
HEAD = PROTO + b"\x02"
BATCH = {
    b"batch_label": b"training batch 1 of 5",
    b"labels": [6, 9, 300, 70_000, -1],
    b"data": np.arange(60, dtype=np.uint8).reshape(5, 12),
    b"filenames": [b"leptodactylus_s_4.png", b"camion_\xe9.png"],
}
VALID = dumps(BATCH)

ints = st.integers(-(2**70), 2**70)
byte_arrays = arrays.arrays(np.uint8, arrays.array_shapes(max_dims=4, max_side=4))
plain = st.text(max_size=300) | ints | st.lists(ints | st.text(max_size=5), max_size=5)


def python2(values) -> st.SearchStrategy:
    return st.dictionaries(st.binary(max_size=300), values, max_size=5)


def equal(found, right) -> bool:
    if isinstance(right, np.ndarray):
        return type(found) is np.ndarray and found.dtype == right.dtype and np.array_equal(found, right)
    return type(found) is type(right) and found == right


@given(python2(st.binary(max_size=300) | byte_arrays | byte_arrays.map(np.asfortranarray) | plain))
@example(BATCH)
@example({b"many": list(range(400)), b"names": [b"%d" % number for number in range(400)]})
def test_it_reads_what_pythons_own_unpickler_reads(value):
    content = dumps(value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy 2.4 on how Python 2 wrote a dtype
        right = pickle.loads(content, encoding="latin1")
    found = load_arrays(content, "file")
    assert found.keys() == right.keys()
    assert all(equal(found[key], right[key]) for key in right)


@pytest.mark.parametrize("protocol", [0, 1, 2])
@given(value=st.dictionaries(st.text(max_size=5), plain, max_size=5))
def test_plain_values_are_read_by_every_protocol_of_python_2(protocol, value):
    assert load_arrays(pickle.dumps(value, protocol), "file") == value


class Calls:
    """Its pickle calls `function`, as pickles that do harm do."""

    def __init__(self, function, *arguments):
        self.calls = function, arguments

    def __reduce__(self):
        return self.calls


def canaries(path: str) -> dict[str, bytes]:
    """Pickles of which each would make the file `path`, were it run."""
    source = f"open({path!r}, 'w')"
    command = f"touch {path}"
    text = string(command.encode())
    found = {
        f"{title} protocol {protocol}": pickle.dumps({"data": call}, protocol)
        for protocol in range(6)
        for title, call in {
            "os.system": Calls(os.system, command),
            "eval": Calls(builtins.eval, source),
            "exec": Calls(builtins.exec, source),
            "open": Calls(open, path, "w"),
        }.items()
    }
    posix_system = name("posix", "system")
    found |= {
        "INST": HEAD + MARK + text + CODES["INST"] + b"posix\nsystem\n" + STOP,
        "OBJ": HEAD + MARK + posix_system + text + CODES["OBJ"] + STOP,
        "NEWOBJ": HEAD + posix_system + text + CODES["TUPLE1"] + CODES["NEWOBJ"] + STOP,
        "STACK_GLOBAL": HEAD
        + b"".join(CODES["SHORT_BINUNICODE"] + bytes([len(part)]) + part for part in (b"posix", b"system"))
        + CODES["STACK_GLOBAL"]
        + text
        + CODES["TUPLE1"]
        + REDUCE
        + STOP,
        "after the dict": VALID[:-1] + posix_system + text + CODES["TUPLE1"] + REDUCE + STOP,
        "getattr": HEAD
        + name("builtins", "getattr")
        + name("os", "path")
        + string(b"os")
        + CODES["TUPLE2"]
        + REDUCE
        + STOP,
        "a dotted name": HEAD
        + name("numpy", "ndarray.__class__.__base__.__subclasses__")
        + CODES["EMPTY_TUPLE"]
        + REDUCE
        + STOP,
        "numpy's runstring": HEAD + name("numpy.testing._private.utils", "runstring") + STOP,
        "an object in an array": pickle.dumps({"data": np.array([Calls(os.system, command)], object)}, 2),
        "an array in an array": pickle.dumps({"data": np.array([np.array([None]), 1], object)}, 2),
        "an object in a list": pickle.dumps({"data": [Calls(os.system, command)]}, 2),
        "a state set on numpy's name": HEAD
        + name("numpy", "ndarray")
        + CODES["EMPTY_DICT"]
        + string(b"__setstate__")
        + posix_system
        + CODES["SETITEM"]
        + BUILD
        + STOP,
    }
    return found


@pytest.mark.parametrize("title", canaries("x"))
def test_a_hostile_pickle_runs_nothing(tmp_path, title):
    canary = tmp_path / "canary"
    with pytest.raises(DataError, match=r"^some/file: not a pickle of plain values .*nothing in it was run"):
        load_arrays(canaries(str(canary))[title], "some/file")
    assert not canary.exists()


def test_the_canaries_sing(tmp_path):
    """The check of the checks: Python's own unpickler runs them."""
    canary = tmp_path / "canary"
    for title in ("os.system protocol 2", "INST", "an object in an array"):
        pickle.loads(canaries(str(canary))[title], encoding="latin1")
        assert canary.exists(), title
        canary.unlink()


def nested_tuples(depth: int) -> bytes:
    """t = (t, t), `depth` times: small, but to hash or print it takes 2**depth steps."""
    return CODES["EMPTY_TUPLE"] + (CODES["BINPUT"] + b"\0" + CODES["BINGET"] + b"\0" + CODES["TUPLE2"]) * depth


def many_arrays(count: int, size: int) -> bytes:
    """One string, remembered, and `count` arrays of it."""
    one = dumps({b"data": np.zeros(size, np.uint8)})
    text = string(bytes(size))
    start, end = one.index(b"cnumpy.core"), one.index(text)
    array = one[start:end] + CODES["BINGET"] + b"\xff" + TUPLE + BUILD
    pairs = b"".join(string(b"%d" % number) + array for number in range(count))
    return HEAD + text + CODES["BINPUT"] + b"\xff" + CODES["EMPTY_DICT"] + MARK + pairs + CODES["SETITEMS"] + STOP


BOMBS = {
    "a memo of 2**32 places": HEAD + CODES["EMPTY_DICT"] + CODES["LONG_BINPUT"] + b"\xfe\xff\xff\xff" + b"N" + STOP,
    "a string of 2 GiB announced": HEAD + CODES["BINSTRING"] + struct.pack("<i", 2**31 - 1) + b"short" + STOP,
    "bytes of 2**60 announced": HEAD + CODES["BINBYTES8"] + struct.pack("<Q", 2**60) + b"short" + STOP,
    "a frame of 2**60 announced": HEAD + CODES["FRAME"] + struct.pack("<Q", 2**60) + b"short" + STOP,
    "a number of 2 GiB announced": HEAD + CODES["LONG4"] + struct.pack("<i", 2**31 - 1) + b"short" + STOP,
    "a number of 10**6 digits": HEAD + CODES["INT"] + b"9" * 10**6 + b"\n" + STOP,
    "tuples in tuples as a key": HEAD + CODES["EMPTY_DICT"] + nested_tuples(60) + b"N" + CODES["SETITEM"] + STOP,
    "tuples in tuples as a value": HEAD
    + CODES["EMPTY_DICT"]
    + string(b"data")
    + nested_tuples(60)
    + CODES["SETITEM"]
    + STOP,
    "tuples in tuples as a dtype": HEAD + name("numpy", "dtype") + nested_tuples(60) + CODES["TUPLE1"] + REDUCE + STOP,
    "a tuple of 10**5 levels": HEAD + CODES["EMPTY_TUPLE"] + CODES["TUPLE1"] * 10**5 + STOP,
    "a list that holds itself": HEAD
    + CODES["EMPTY_DICT"]
    + string(b"data")
    + CODES["EMPTY_LIST"]
    + CODES["BINPUT"]
    + b"\0"
    + CODES["BINGET"]
    + b"\0"
    + CODES["APPEND"]
    + CODES["SETITEM"]
    + STOP,
    "10,000 arrays of one string": many_arrays(10_000, 250),
    "an array of 2**93 bytes": VALID.replace(b"K\x05K\x0ct", b"J\xff\xff\xff\x7f" * 3 + b"t"),
    "a shape of large numbers": VALID.replace(
        b"K\x05K\x0ct", (CODES["LONG4"] + struct.pack("<i", 10**6) + b"\x7f" * 10**6) * 4 + b"t"
    ),
}


@pytest.mark.parametrize("title", BOMBS)
def test_a_bomb_takes_neither_memory_nor_time(title):
    tracemalloc.start()
    started = time.process_time()
    try:
        with pytest.raises(DataError, match="some/file"):
            load_arrays(BOMBS[title], "some/file")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20
    assert time.process_time() - started < 10


def test_more_than_two_hundred_megabytes_are_not_read(monkeypatch):
    monkeypatch.setattr(unpickler, "MAX_BYTES", len(VALID) - 1)
    with pytest.raises(DataError, match=f"some/file: has {len(VALID)} bytes; more than {len(VALID) - 1} are not read"):
        load_arrays(VALID, "some/file")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(pickle.dumps({"data": os.getcwd}, 2), r"asks for 'posix\.getcwd'", id="another name"),
        pytest.param(pickle.dumps({"data": np.zeros(3)}, 2), "asks for '_codecs.encode'|array of 'f8'", id="python 3"),
        pytest.param(dumps({b"data": np.zeros(3)}), "an array of 'f8', not of bytes", id="floats"),
        pytest.param(VALID.replace(b"K\x05K\x0ct", b"K\x05K\x0dt"), r"shape \(5, 13\) with 60 bytes", id="shape"),
        pytest.param(VALID.replace(b"K\x05K\x0ct", b"K\x05K\x00t"), "an impossible shape for its 60", id="no images"),
        pytest.param(dumps({b"data": True}), "'data' is neither text, number", id="a bool"),
        pytest.param(dumps({b"data": [[1]]}), "'data' is neither text, number", id="a list in a list"),
        pytest.param(HEAD + b"K\x01.", "holds one int, not a dict", id="a number"),
        pytest.param(HEAD + CODES["PERSID"] + b"1\n.", "uses PERSID", id="a persistent id"),
        pytest.param(HEAD + b"K\x01" + CODES["BINPERSID"] + b".", "uses BINPERSID", id="a binary persistent id"),
        pytest.param(HEAD + CODES["EXT1"] + b"\x01.", "uses EXT1", id="an extension"),
        pytest.param(HEAD + CODES["NEXT_BUFFER"] + b".", "uses NEXT_BUFFER", id="a buffer from outside"),
        pytest.param(b"", "pickle exhausted", id="empty"),
        pytest.param(b"<html>", "opcode", id="a web page"),
    ],
)
def test_what_is_wrong_is_said(content, complaint):
    with pytest.raises(DataError, match=rf"^some/file: .*({complaint})"):
        load_arrays(content, "some/file")


def test_a_pickle_cut_short_anywhere_is_refused():
    for kept in range(len(VALID)):
        with pytest.raises(DataError, match="some/file"):
            load_arrays(VALID[:kept], "some/file")


mutations = st.lists(
    st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 3), st.binary(max_size=6)), min_size=1, max_size=6
)


@given(mutations)
def test_a_damaged_pickle_is_a_dict_or_a_data_error(changes):
    content = bytearray(VALID)
    for start, length, piece in changes:
        content[start : start + length] = piece
    is_a_dict_or_refused(bytes(content))


operations = st.sampled_from(sorted(CODES.values())) | st.binary(max_size=4) | st.just(name("numpy", "ndarray"))


@given(st.lists(operations, max_size=30).map(b"".join))
def test_any_program_is_a_dict_or_a_data_error(program):
    is_a_dict_or_refused(HEAD + CODES["EMPTY_DICT"] + program + STOP)


def is_a_dict_or_refused(content: bytes) -> None:
    try:
        found = load_arrays(content, "some/file")
    except DataError as error:
        assert str(error).startswith("some/file: ")
    else:
        assert type(found) is dict and all(type(key) is str for key in found)
        assert all(type(value) in (str, int, list, np.ndarray) for value in found.values())
