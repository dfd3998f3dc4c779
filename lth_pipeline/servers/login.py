"""Who may come in: a file of `user:password` lines that only its owner can read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stat
from pathlib import Path

SHORTEST = 12  # characters of a password

Login = frozenset[bytes]  # SHA-256 of each `user:password`


class LoginError(Exception):
    """The file cannot be used; the message names it, the line and what would be right, and never a password."""


def read_login(path: Path) -> Login:
    """The people of a login file. LoginError: it is missing, others can read it, or a line is not `user:password`."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise LoginError(f"login file {path}: must be a file, for each server reads it once more")
            if status.st_mode & 0o077:
                raise LoginError(
                    f"login file {path}: others than its owner can read or write it "
                    f"(mode {status.st_mode & 0o777:03o}); close it: chmod 600 {path}"
                )
            text = file.read().decode()
    except OSError as error:
        raise LoginError(f"login file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise LoginError(f"login file {path}: is not text in UTF-8") from None
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise LoginError(f"login file {path}: is empty; it takes a line user:password for each person")
    return frozenset(_entry(line, f"login file {path}, line {number}") for number, line in lines)


def _entry(line: str, where: str) -> bytes:
    user, colon, password = line.partition(":")
    if not colon or not user or user != user.strip() or not line.isprintable():
        raise LoginError(f"{where}: must be user:password, in printable characters")
    if len(password) < SHORTEST:
        raise LoginError(f"{where}: the password of {user!r} has {len(password)} characters; at least {SHORTEST}")
    return hashlib.sha256(line.encode()).digest()


def knows(login: Login, authorization: str) -> bool:
    """Whether the value of an Authorization header is HTTP Basic of one of them.

    Hashes are compared, all of them and in constant time: how long it takes tells neither a length nor a user.
    """
    scheme, _, encoded = authorization.partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:
        return False
    digest = hashlib.sha256(given).digest()
    found = [hmac.compare_digest(digest, known) for known in login]
    return scheme.lower() == "basic" and any(found)
