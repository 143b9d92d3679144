"""JSON files of any size, read as a stream; problems of the file are SourceErrors that name it."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeGuard

import ijson

from importers.reading import json_bytes
from importers.reading.json_bytes import Mended, Odd, TooDeep
from importers.reading.paths import as_text
from pipeline.errors import SourceError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LARGEST = 1 << 1000


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes] | Mended]:
    """The file, positioned after a byte-order mark. Raises SourceError if it is unreadable or broken.

    NaN and Infinity, which JSON does not have, read as `null`, and integers of more than 18 digits as text.
    """
    try:
        status = path.stat()
        with path.open("rb") as file:
            is_odd = any(_odd_values(path, status.st_size, status.st_mtime_ns))
            _to_start(file)
            yield Mended(file) if is_odd else file
    except TooDeep as exc:
        raise SourceError(f"{path} has {exc}", remedy="export it again") from exc
    except OSError as exc:
        raise SourceError(f"{path} cannot be read: {exc.strerror}", remedy="check the path") from exc
    except (ijson.JSONError, UnicodeDecodeError, RecursionError) as exc:
        reason = " ".join(str(exc).split())[:200]
        raise SourceError(
            f"{path} is not JSON, or is cut short: {reason}",
            remedy="export it again; write `null` for a value that is missing",
        ) from exc


def odd_values(path: Path) -> Odd:
    """How many values of the file read as others, see `opened`. Raises SourceError."""
    with opened(path):
        status = path.stat()
        return _odd_values(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _odd_values(path: Path, _size: int, _mtime: int) -> Odd:
    """The numbers for this state of the file, which is read once. Raises TooDeep and OSError."""
    with path.open("rb") as file:
        _to_start(file)
        return json_bytes.odd_values(file)


def _to_start(file: IO[bytes]) -> None:
    """Go to the first byte after a byte-order mark."""
    if file.read(len(_BYTE_ORDER_MARK)) != _BYTE_ORDER_MARK:
        file.seek(0)


def items(path: Path, name: str) -> Iterator[Any]:
    """The items of a top-level list, one at a time; none if the file has no such list."""
    with opened(path) as file:
        yield from ijson.items(file, f"{name}.item", use_float=True)


def section(path: Path, name: str) -> Any:
    """A top-level value of the file, wherever in the file it is; None if it is absent."""
    with opened(path) as file:
        return next(ijson.items(file, name, use_float=True), None)


def mapping(path: Path, name: str, remedy: str) -> Mapping[str, Any]:
    """A top-level object of the file. Raises SourceError if it is absent or not an object."""
    value = section(path, name)
    if not isinstance(value, Mapping):
        raise SourceError(f"{path} has no `{name}`", remedy=remedy)
    return value


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a JSON value is a finite number that fits into a float."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= _LARGEST
    return isinstance(value, float) and math.isfinite(value)


def shown(value: Any) -> str:
    """A JSON value as short text for a message."""
    return "null" if value is None else as_text(repr(value))[:80]
