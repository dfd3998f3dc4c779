"""A login file is read when closed to others and well formed; else a message says what is wrong, and no password."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lth_pipeline.servers.login import LoginError, knows, read_login


@pytest.fixture
def write(tmp_path):
    def write(content: bytes, mode: int = 0o600):
        path = tmp_path / "people"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return write


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def test_everyone_in_the_file_comes_in_and_no_one_else(write):
    login = read_login(write("ada:a long password\r\n\nbob:pass:with:colons é\n".encode()))
    for pair in ("ada:a long password", "bob:pass:with:colons é"):
        assert knows(login, basic(pair)) and knows(login, basic(pair).replace("Basic", "bAsIc"))
    for pair in ("ada:pass:with:colons é", "ada:a long passwor", "ada:a long password ", "ada", ":", ""):
        assert not knows(login, basic(pair))
    assert not knows(login, basic("ada:a long password").replace("Basic", "Bearer"))


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o602, 0o610, 0o777])
def test_a_file_that_others_can_read_is_refused(write, mode):
    with pytest.raises(LoginError, match=f"mode {mode:o}.*chmod 600"):
        read_login(write(b"ada:a long password\n", mode))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"ada:a long password\nsecret-without-colon\n", "line 2: must be user:password"),
        (b":secret without user\n", "line 1: must be user:password"),
        (b" ada:secret of a user with a space\n", "line 1: must be user:password"),
        (b"ada:secret with\x00control\n", "line 1: must be user:password"),
        (b"ada:secret89ab\nbob:secret89abc\n", "line 1: the password of 'ada' has 10 characters; at least 12"),
        (b"ada:secret\xff\xff\xff\xff\xff\xff\n", "UTF-8"),
    ],
)
def test_a_malformed_file_is_refused_without_showing_a_password(write, content, words):
    with pytest.raises(LoginError) as error:
        read_login(write(content))
    assert words in str(error.value) and "secret" not in str(error.value)


def test_what_is_no_file_is_refused(tmp_path):
    for path, words in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "Is a directory"),
        ("/dev/null", "must be a file"),
    ):
        with pytest.raises(LoginError, match=words):
            read_login(tmp_path / path)


@given(st.text(st.characters(max_codepoint=255)) | st.binary().map(lambda b: "Basic " + base64.b64encode(b).decode()))
def test_no_header_lets_in_or_raises(header):
    assert not knows(LOGIN, header)


LOGIN = frozenset([os.urandom(32)])
