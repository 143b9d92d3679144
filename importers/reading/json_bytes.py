"""What a JSON parser stumbles over, found in the bytes of a file before it parses them.

Python and pandas write NaN and Infinity, which JSON does not have. Lists within lists within lists, as damage
makes them, cost a parser memory that grows with the square of their depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

MOST_DEPTH = 100  # of lists and objects within each other; results files and COCO have six
_BLOCK = 1 << 16  # bytes
_STEP = np.zeros(256, np.int8)  # how a byte outside strings changes the depth
_STEP[[ord("["), ord("{")]], _STEP[[ord("]"), ord("}")]] = 1, -1
_NO_NUMBER = re.compile(rb"-?(?:NaN|Infinity)")
_LONGEST = len(b"-Infinity")
_SPLIT = re.compile(rb"[-NI]\w*\Z|\\\Z")  # at the end of a block: perhaps a part of a word or an escape
_NOTHING = np.empty(0, np.bool_)


class TooDeep(ValueError):
    """Lists and objects are more than MOST_DEPTH within each other."""


def not_numbers(file: IO[bytes]) -> int:
    """Read the file to its end; returns how many values are NaN or Infinity. Raises TooDeep.

    A file that does not begin as JSON is left to the parser: 0.
    """
    start = file.tell()
    if file.read(256).lstrip()[:1] not in (b"{", b"["):
        return 0
    file.seek(start)
    number, depth, place = 0, 0, 0
    for block, outside in _blocks(file):
        depths = depth + np.cumsum(_STEP[np.frombuffer(block, np.uint8)] * outside, dtype=np.int64)
        if depths.max() > MOST_DEPTH:
            where = place + int(np.argmax(depths > MOST_DEPTH))
            raise TooDeep(
                f"lists and objects more than {MOST_DEPTH} within each other, from byte {where:,} on"
            )
        depth, place = int(depths[-1]), place + len(block)
        number += sum(1 for _ in _found(block, outside))
    return number


class WithNull:
    """A file that reads as if it had `null` where it has NaN or Infinity."""

    def __init__(self, file: IO[bytes]) -> None:
        self._blocks = _blocks(file)

    def read(self, size: int) -> bytes:
        """The next part of the file, of any length; empty at its end, and where no byte is wanted."""
        if not size:
            return b""
        block, outside = next(self._blocks, (b"", _NOTHING))
        parts, end = [], 0
        for found in _found(block, outside):
            parts += [block[end : found.start()], b"null"]
            end = found.end()
        return b"".join([*parts, block[end:]])


def _blocks(file: IO[bytes]) -> Iterator[tuple[bytes, NDArray[np.bool_]]]:
    """The file in parts that split no word and no escape, each with whether a byte is outside strings."""
    in_string = False
    while block := file.read(_BLOCK):
        while _SPLIT.search(block, max(0, len(block) - _LONGEST)) and (more := file.read(_LONGEST)):
            block += more
        plain = block.replace(rb"\\", b"  ").replace(rb"\"", b"  ") if b"\\" in block else block
        quotes = np.cumsum(np.frombuffer(plain, np.uint8) == ord('"')) + in_string
        yield block, quotes % 2 == 0
        in_string = bool(quotes[-1] % 2)


def _found(block: bytes, outside: NDArray[np.bool_]) -> Iterator[re.Match[bytes]]:
    """The values NaN and Infinity in a block."""
    if b"NaN" in block or b"Infinity" in block:
        yield from (match for match in _NO_NUMBER.finditer(block) if outside[match.start()])
