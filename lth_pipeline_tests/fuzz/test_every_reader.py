"""Whatever stands in a file that is read: it is read right, or refused by a message that names it, soon and in little
memory. The long run of the same: `python -m lth_pipeline_tests.fuzz`."""

import gzip
import warnings
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st

from lth_pipeline.lottery.errors import DataError
from lth_pipeline_tests.fuzz import bounds
from lth_pipeline_tests.fuzz.every import IN_ALL, READERS
from lth_pipeline_tests.fuzz.reader import Reader, accepts
from lth_pipeline_tests.fuzz.running import fuzz


def test_the_shares_add_up():
    assert sum(reader.share for reader in READERS) >= IN_ALL == 10_000


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_any_input_is_read_right_or_refused(reader):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about damaged tags
        result = fuzz(reader, reader.share)
    assert result.inputs == result.accepted + result.refused == reader.share
    assert result.accepted and result.refused  # some damage is harmless, most is not


def spin(_content: bytes) -> bool:
    while True:
        pass


def hoard(_content: bytes) -> bool:
    return len(bytearray(2 * bounds.MEMORY)) > 0


def hoard_and_hide_it(content: bytes) -> bool:
    def call() -> None:
        try:
            hoard(content)
        except MemoryError as error:
            raise DataError("some/file: damaged") from error

    return accepts(call, DataError, "some/file")


def name_nothing(_content: bytes) -> bool:
    def call() -> None:
        raise DataError("damaged")

    return accepts(call, DataError, "some/file")


def raise_another(content: bytes) -> bool:
    return accepts(lambda: gzip.decompress(content + b"no gzip"), DataError, "some/file")


@pytest.mark.parametrize(
    ("read", "error", "said"),
    [
        (spin, AssertionError, "took more than 0.05 s: b''"),
        (hoard, MemoryError, None),
        (hoard_and_hide_it, AssertionError, "took more memory than it may: some/file"),
        (name_nothing, AssertionError, "does not name some/file: damaged"),
        (raise_another, gzip.BadGzipFile, "Not a gzipped file"),
    ],
)
def test_the_check_of_the_checks(read, error, said, monkeypatch):
    """Readers that do each of the things that none may do."""

    @contextmanager
    def opened(_folder):
        yield read

    monkeypatch.setattr("lth_pipeline_tests.fuzz.bounds.SECONDS", 0.05)
    monkeypatch.setattr("lth_pipeline_tests.fuzz.running.SECONDS", 0.05)
    with pytest.raises(error, match=said):
        fuzz(Reader("wrong", 3, lambda: st.binary(max_size=2), opened), 3)
