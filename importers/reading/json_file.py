"""JSON files of any size, read as a stream; what is wrong with the file is a SourceError that names it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeGuard

import ijson

from pipeline.errors import SourceError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LARGEST = 1 << 1000


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes behind a byte-order mark. Raises SourceError: unreadable, no JSON, cut short."""
    try:
        with path.open("rb") as file:
            if file.read(len(_BYTE_ORDER_MARK)) != _BYTE_ORDER_MARK:
                file.seek(0)
            yield file
    except OSError as exc:
        raise SourceError(f"{path} cannot be read: {exc.strerror}", remedy="check the path") from exc
    except (ijson.JSONError, UnicodeDecodeError, RecursionError) as exc:
        reason = " ".join(str(exc).split())[:200]
        raise SourceError(f"{path} is no JSON, or cut short: {reason}", remedy="write it again") from exc


def items(path: Path, name: str) -> Iterator[Any]:
    """The items of a top-level list, one at a time; none where the file has no such list."""
    with opened(path) as file:
        yield from ijson.items(file, f"{name}.item", use_float=True)


def section(path: Path, name: str) -> Any:
    """A top-level value of the file, wherever in the file it stands; None where it is absent."""
    with opened(path) as file:
        return next(ijson.items(file, name, use_float=True), None)


def mapping(path: Path, name: str, remedy: str) -> Mapping[str, Any]:
    """A top-level object of the file. Raises SourceError where it is absent or something else."""
    found = section(path, name)
    if not isinstance(found, Mapping):
        raise SourceError(f"{path} has no `{name}`", remedy=remedy)
    return found


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a JSON value is a finite number that a float holds."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) <= _LARGEST
    return isinstance(value, float) and math.isfinite(value)
