"""What a JSON parser stumbles over, found in the bytes of a file before it parses them.

Python and pandas write NaN and Infinity, which JSON does not have, and integers that no register holds. Lists
within lists within lists, as damage makes them, cost a parser memory that grows with the square of their
depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_DEPTH = 100  # of lists and objects within each other; results files and COCO have six
_BLOCK = 1 << 16  # bytes
_STEP = np.zeros(256, np.int8)  # how a byte outside strings changes the depth
_STEP[[ord("["), ord("{")]], _STEP[[ord("]"), ord("}")]] = 1, -1
_LONG = re.compile(rb"[0-9]{19}")
_ODD = re.compile(rb"-?(?:NaN|Infinity)|(?<![\w.+-])-?[0-9]{19,}(?![\w.+-])")
_TAIL = len(b"-Infinity")
_SPLIT = re.compile(
    rb"(?:[-NI]\w*|[0-9.eE+-]+)\Z"
)  # at the end of a block: perhaps a part of a word or number
_MOST_BLOCK = 1 << 20  # bytes of a block that ends with a number, which none is so long
_NOTHING = np.empty(0, np.bool_)


class TooDeep(ValueError):
    """Lists and objects are more than MOST_DEPTH within each other."""


class Odd(NamedTuple):
    """How many values of a file a parser does not take."""

    not_numbers: int  # NaN and Infinity
    too_long: int  # integers of more than 18 digits


def odd_values(file: IO[bytes]) -> Odd:
    """Read the file to its end and count its odd values. Raises TooDeep.

    A file that does not begin as JSON is left to the parser: it has none.
    """
    start = file.tell()
    if file.read(256).lstrip()[:1] not in (b"{", b"["):
        return Odd(0, 0)
    file.seek(start)
    number, too_long, depth, place = 0, 0, 0, 0
    for block, outside in _blocks(file):
        depths = depth + np.cumsum(_STEP[np.frombuffer(block, np.uint8)] * outside, dtype=np.int64)
        if depths.max() > MOST_DEPTH:
            where = place + int(np.argmax(depths > MOST_DEPTH))
            raise TooDeep(
                f"lists and objects more than {MOST_DEPTH} within each other, from byte {where:,} on"
            )
        depth, place = int(depths[-1]), place + len(block)
        for found in _found(block, outside):
            number += not _is_integer(found)
            too_long += _is_integer(found)
    return Odd(number, too_long)


class Mended:
    """A file that reads as if it had `null` for NaN and Infinity, and text for integers that are too long."""

    def __init__(self, file: IO[bytes]) -> None:
        self._blocks = _blocks(file)

    def read(self, size: int) -> bytes:
        """The next part of the file, of any length; empty at its end, and where no byte is wanted."""
        if not size:
            return b""
        block, outside = next(self._blocks, (b"", _NOTHING))
        parts, end = [], 0
        for found in _found(block, outside):
            mended = b'"%s"' % found[0] if _is_integer(found) else b"null"
            parts += [block[end : found.start()], mended]
            end = found.end()
        return b"".join([*parts, block[end:]])


def _blocks(file: IO[bytes]) -> Iterator[tuple[bytes, NDArray[np.bool_]]]:
    """The file in parts that split no word and no escape, each with whether a byte is outside strings."""
    in_string = False
    while block := file.read(_BLOCK):
        while len(block) < _MOST_BLOCK and _SPLIT.search(block, max(0, len(block) - _TAIL)):
            if not (more := file.read(len(block))):
                break
            block += more
        if (len(block) - len(block.rstrip(b"\\"))) % 2:  # it ends within an escape
            block += file.read(1)
        plain = block.replace(rb"\\", b"  ").replace(rb"\"", b"  ") if b"\\" in block else block
        quotes = np.cumsum(np.frombuffer(plain, np.uint8) == ord('"')) + in_string
        yield block, quotes % 2 == 0
        in_string = bool(quotes[-1] % 2)


def _found(block: bytes, outside: NDArray[np.bool_]) -> Iterator[re.Match[bytes]]:
    """The odd values in a block."""
    if b"NaN" in block or b"Infinity" in block or _LONG.search(block):
        yield from (match for match in _ODD.finditer(block) if outside[match.start()])


def _is_integer(found: re.Match[bytes]) -> bool:
    return found[0][-1:].isdigit()
