"""The reader of MATLAB's files: it reads what scipy writes, and makes nothing that only a header announces."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest

from lth_pipeline.lottery.data.matlab import arrays

MOST = 10**6


def written(compressed: bool = False, **found: object) -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, found, do_compression=compressed)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (2, 3, 4), (5, 4, 3, 2), (0, 2)])
def test_what_scipy_writes(compressed, dtype, shape):
    X = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    found = arrays(written(compressed, other="text", X=X, long_name_of_it=np.eye(3)), ("X", "none"), MOST)
    assert list(found) == ["X"]
    assert found["X"].dtype == X.dtype and np.array_equal(found["X"], X) and found["X"].shape == X.shape


def test_whole_numbers_that_matlab_stores_in_fewer_bytes_and_the_other_order_of_bytes():
    """A double (class 6) in bytes (type 2), big-endian: MATLAB writes the least that holds the numbers."""
    numbers = struct.pack(">II", 2, 6) + bytes([1, 2, 3, 4, 5, 6]) + bytes(2)
    parts = (
        struct.pack(">IIII", 6, 8, 6, 0)
        + struct.pack(">IIii", 5, 8, 2, 3)
        + struct.pack(">I", 1 << 16 | 1)
        + b"y\0\0\0"
    )
    matrix = struct.pack(">II", 14, len(parts + numbers)) + parts + numbers
    content = b"by hand".ljust(124) + b"\1\0MI" + matrix
    found = arrays(content, ("y",), MOST)["y"]
    assert found.dtype == np.float64 and found.tolist() == [[1, 3, 5], [2, 4, 6]]
    packed = zlib.compress(matrix)
    assert (
        arrays(content[:128] + struct.pack(">II", 15, len(packed)) + packed, ("y",), MOST)["y"].tolist()
        == found.tolist()
    )


X = np.zeros((2, 3), np.uint8)
PLAIN = written(X=X)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PLAIN[:100], "not a MATLAB file of version 5"),
        (PLAIN[:150], "announces .* bytes and has"),
        (PLAIN.replace(struct.pack("<ii", 2, 3), struct.pack("<ii", 2**31 - 1, 2**31 - 1)), "is of shape"),
        (PLAIN.replace(struct.pack("<ii", 2, 3), struct.pack("<ii", -2, -3)), "is of shape"),
        (PLAIN[:128] + struct.pack("<II", 14, 2**32 - 1), "announces 4,294,967,295 bytes and has 0"),
        (written(X=np.array([[1j]])), "not an array of real numbers"),
        (written(X={"a": 1}), "not an array of real numbers"),
        (written(X=np.zeros(MOST + 1, np.uint8)), "has more than 1,000,000 bytes"),
        (written(True, X=np.zeros(50 * MOST, np.uint8)), "has an array of more than 1,000,000 bytes"),
        (written(True, X=X)[:-6], "announces|cut off"),
    ],
)
def test_what_is_wrong_is_refused_before_memory_is_taken(content, said):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=said):
            arrays(content, ("X",), MOST)
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST
    finally:
        tracemalloc.stop()
