"""The reader of IDX files: what was written comes back; what is wrong is a DataError that names the file."""

import gzip
import tracemalloc

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from lth_pipeline.lottery.data.idx import read_idx
from lth_pipeline.lottery.errors import DataError
from lth_pipeline_tests.lottery.idx_files import head, write

shapes = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for all examples of a property."""
    return tmp_path_factory.mktemp("idx")


@pytest.mark.parametrize("suffix", ["", ".gz"])
@given(shape=shapes, data=st.data())
def test_what_was_written_comes_back(folder, suffix, shape, data):
    size = torch.Size(shape).numel()
    content = data.draw(st.binary(min_size=size, max_size=size))
    tensor = read_idx(write(folder / f"set{suffix}", head(*shape) + content), len(shape))
    assert tensor.dtype == torch.uint8
    assert list(tensor.shape) == shape
    assert bytes(tensor.flatten().tolist()) == content


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(head(2, 3) + b"12345", "announces 6 bytes and has 5", id="truncated"),
        pytest.param(head(2, 3) + b"1234567", "announces 6 bytes and has more", id="too long"),
        pytest.param(head(2, 3), "announces 6 bytes and has 0", id="nothing after the head"),
        pytest.param(head(2, 3)[:7], "not an IDX file", id="head cut short"),
        pytest.param(b"", "not an IDX file", id="empty file"),
        pytest.param(b"<html>not here</html>", "not an IDX file.*3c68746d", id="a web page"),
        pytest.param(head(6) + b"123456", "not an IDX file of bytes with 2 dim", id="other dimensions"),
        pytest.param(b"\0\0\x0d" + head(2, 3)[3:] + b"123456", "not an IDX file of bytes", id="floats"),
        pytest.param(head(2**31, 2**31), "announces 4,611,686,018,427,387,904 bytes", id="huge"),
        pytest.param(head(2**31, 1), "announces 2,147,483,648 bytes and has 0", id="sizes are unsigned"),
        pytest.param(head(0, 3), "", id="no examples"),
    ],
)
def test_what_is_wrong_is_refused_by_name(tmp_path, suffix, content, complaint):
    path = write(tmp_path / f"wrong-file{suffix}", content)
    with pytest.raises(DataError, match=rf"wrong-file{suffix}: .*{complaint}"):
        read_idx(path, 2)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_memory_is_taken_for_what_is_there_and_not_for_what_is_announced(tmp_path, suffix):
    """A file of 15 bytes that announces 4 GiB must not end a small machine with a MemoryError."""
    path = write(tmp_path / f"set{suffix}", head(65_535, 65_536) + b"123")
    tracemalloc.start()
    with pytest.raises(DataError, match="announces 4,294,901,760 bytes and has 3"):
        read_idx(path, 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 2**20


def test_a_file_that_is_not_there_is_a_data_error_too(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        read_idx(tmp_path / "nowhere", 1)


#: a good gzip header, then a deflate block of a type that does not exist: zlib complains, not gzip
DAMAGED_GZIP = gzip.compress(b"")[:10] + b"\xff" * 8


@pytest.mark.parametrize("suffix", ["", ".gz"])
@given(content=st.binary(max_size=40) | st.binary(max_size=20).map(lambda rest: head(2, 3) + rest))
@example(content=DAMAGED_GZIP)
@example(content=gzip.compress(head(2, 3) + b"123456")[:-9])
@example(content=b"\x1f\x8b\x08")
def test_any_bytes_are_a_tensor_or_a_data_error(folder, suffix, content):
    """The file's bytes as they stand: under .gz they are mostly not gzip at all."""
    path = folder / f"any{suffix}"
    path.write_bytes(content)
    try:
        assert read_idx(path, 2).dim() == 2
    except DataError as error:
        assert str(path) in str(error)
