"""Damage done to bytes: strategies of hypothesis, so that what fails is shrunk to the least damage that does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from itertools import product
from typing import Any

from hypothesis import strategies as st

#: what counters, lengths and offsets are set to
NUMBERS = (0, 1, 2, 127, 128, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
NUMERALS = (b"0", b"-1", b"2147483648", b"9223372036854775808", b"1e999", b"NaN", b"9" * 300)
MOST_BYTES = 2**18  # what is made larger than this is cut

#: (content, all seeds) -> content
Change = Callable[[bytes, Sequence[bytes]], bytes]


def _at(place: int, content: bytes) -> int:
    return place % (len(content) + 1)


def flip(place: int, bit: int) -> Change:
    def change(content: bytes, _seeds: Sequence[bytes]) -> bytes:
        if not content:
            return content
        place_in = place % len(content)
        return content[:place_in] + bytes([content[place_in] ^ 1 << bit]) + content[place_in + 1 :]

    return change


def write(place: int, piece: bytes) -> Change:
    return lambda content, _: content[: _at(place, content)] + piece + content[_at(place, content) + len(piece) :]


def insert(place: int, piece: bytes) -> Change:
    return lambda content, _: content[: _at(place, content)] + piece + content[_at(place, content) :]


def cut(place: int) -> Change:
    return lambda content, _: content[: _at(place, content)]


def drop(place: int, length: int) -> Change:
    return lambda content, _: content[: _at(place, content)] + content[_at(place, content) + length :]


def repeat(place: int, length: int, times: int) -> Change:
    def change(content: bytes, _seeds: Sequence[bytes]) -> bytes:
        start = _at(place, content)
        return content[:start] + content[start : start + length] * times + content[start + length :]

    return change


def splice(other: int, place: int, place_there: int) -> Change:
    """The beginning of one file and the end of another."""

    def change(content: bytes, seeds: Sequence[bytes]) -> bytes:
        there = seeds[other % len(seeds)]
        return content[: _at(place, content)] + there[_at(place_there, there) :]

    return change


def join(other: int) -> Change:
    return lambda content, seeds: content + seeds[other % len(seeds)]


def _number(number: int, size: int, order: str) -> bytes:
    return (number % 2 ** (8 * size)).to_bytes(size, order)


PACKED = tuple(_number(*chosen) for chosen in product(NUMBERS, (1, 2, 4, 8), ("little", "big")))
PIECES = (*NUMERALS * (len(PACKED) // len(NUMERALS)), *PACKED)  # as many of one as of the other


def _length(number: int) -> int:
    """1 to 16 as often as 1 to 4096."""
    return 1 + number // 2 % (16 if number % 2 == 0 else 2**12)


#: each of (place, number)
KINDS: tuple[Callable[[int, int], Change], ...] = (
    lambda place, number: flip(place, number % 8),
    lambda place, number: write(place, PACKED[number % len(PACKED)]),
    lambda place, number: write(place, number.to_bytes(4, "big")[number % 4 :]),
    lambda place, number: insert(place, PIECES[number % len(PIECES)]),
    lambda place, number: cut(place),
    lambda place, number: drop(place, _length(number)),
    lambda place, number: repeat(place, _length(number // 4), (2, 3, 64, 2)[number % 4]),
    lambda place, number: splice(number % 16, place, number // 16),
    lambda place, number: join(number % 16),
)


def _change(code: bytes) -> Change:
    """Kind, place (half of them within a file's first bytes, where headers are; else modulo its length), number."""
    place = int.from_bytes(code[1:4], "big")
    return KINDS[code[0] % len(KINDS)](place if place % 2 else place // 2 % 200, int.from_bytes(code[4:], "big"))


#: one choice each: to make many takes hypothesis longer than most readers take to read
changes = st.binary(min_size=8, max_size=8).map(_change)


def _damaged(seed: bytes, done: list[Change], seeds: Sequence[bytes]) -> bytes:
    return reduce(lambda content, change: change(content, seeds)[:MOST_BYTES], done, seed)


def damaged(seeds: Sequence[bytes], most: int = 3) -> st.SearchStrategy[bytes]:
    """One of `seeds` after one to `most` changes; now and then as it is, or bytes that are nothing at all."""
    spoiled = st.builds(_damaged, st.sampled_from(seeds), st.lists(changes, min_size=1, max_size=most), st.just(seeds))
    return st.one_of(spoiled, spoiled, spoiled, spoiled, spoiled, spoiled, st.binary(max_size=64))


def damaged_texts(seeds: Sequence[str], words: Sequence[str]) -> st.SearchStrategy[str]:
    """One of `seeds`, one to four of whose stretches are replaced by `words` or by any characters."""
    piece = st.sampled_from(words) | st.text(max_size=6) | st.integers(2, 3000).map(lambda times: "[" * times)
    spot = st.tuples(st.integers(0, 2**12), st.integers(0, 20), piece)

    def spoil(seed: str, spots: list[tuple[int, int, str]]) -> str:
        for place, length, new in spots:
            start = place % (len(seed) + 1)
            seed = seed[:start] + new + seed[start + length :]
        return seed

    return st.builds(spoil, st.sampled_from(seeds), st.lists(spot, min_size=1, max_size=4))


def inside_and_outside(
    plain: Sequence[bytes], pack: Callable[[bytes], bytes], most: int = 3
) -> st.SearchStrategy[bytes]:
    """What is compressed: damaged and then packed, so that checksums fit; or packed and then damaged."""
    return damaged(plain, most).map(pack) | damaged([pack(content) for content in plain], most)


def tagged(**strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, Any]]:
    """(the name of one of them, what it gives)."""
    return st.one_of(*(st.tuples(st.just(name), strategy) for name, strategy in strategies.items()))
