"""Files on this machine or in an object store, by path or by URL (fsspec)."""

from __future__ import annotations

import functools
import re
import stat as modes
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PhotoError, SourceError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::[^:]+)*://")  # one letter and a colon are a Windows drive

_opening = threading.Lock()  # of archives


@dataclass(frozen=True, kw_only=True)
class FileStat:
    """Size and time of a file that is not opened."""

    size: int  # bytes
    mtime: float | None  # seconds since the epoch; None if the store has no such time


def is_url(path: str) -> bool:
    """Whether fsspec must read `path`: s3://bucket/name, zip://name::file.zip, memory://name, ..."""
    return _URL.match(path) is not None


def stat(path: str | Path) -> FileStat | None:
    """Size and time of the file; None if it is missing or they are unknown. Never raises."""
    try:
        if is_url(str(path)):
            system, name = _filesystem(str(path))
            info = system.info(name)
            changed = info.get("LastModified") or info.get("mtime") or info.get("created")
            moment = changed.timestamp() if hasattr(changed, "timestamp") else changed
            return FileStat(size=int(info["size"]), mtime=moment if isinstance(moment, int | float) else None)
        status = Path(path).stat()
        return FileStat(size=status.st_size, mtime=status.st_mtime)
    except Exception:  # noqa: BLE001 - each object store has its own errors; reading will report them
        return None


def read(path: str | Path, most: int) -> bytes:
    """The file's bytes. Raises PhotoError: missing, not_a_file, too_large (over `most` bytes), unreadable."""
    if is_url(str(path)):
        return _fetched(str(path), most)
    try:
        status = Path(path).stat()
        if not modes.S_ISREG(status.st_mode):
            raise PhotoError("not_a_file", "this is a folder, pipe or device")
        _limit(status.st_size, most)
        return Path(path).read_bytes()
    except FileNotFoundError as exc:
        raise PhotoError("missing", "no such file") from exc
    except (OSError, ValueError) as exc:
        raise PhotoError("unreadable", reason(exc)) from exc


def names(url: str) -> list[str]:
    """The names of all files below a folder of an object store, relative to it. Raises SourceError."""
    try:
        system, base = _filesystem(url)
        paths: list[str] = system.find(base)
    except Exception as exc:  # each object store has its own errors
        raise SourceError(f"{url} cannot be listed: {reason(exc)}", remedy="check the URL") from exc
    above = base.rstrip("/") + "/"
    return [path.removeprefix(above) for path in paths]


def _fetched(url: str, most: int) -> bytes:
    try:
        system, path = _filesystem(url)
        _limit(int(system.size(path) or 0), most)
        data: bytes = system.cat_file(path)
        return data
    except PhotoError:
        raise
    except FileNotFoundError as exc:
        raise PhotoError("missing", "no such object") from exc
    except Exception as exc:  # each object store has its own errors
        raise PhotoError("unreadable", reason(exc)) from exc


def _filesystem(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    inner, chained, outer = url.partition("::")
    if chained:  # a file in an archive: the archive's table of contents is read once, not for each file
        protocol, _, path = inner.partition("://")
        with _opening:
            return _archive(protocol, outer, stat(outer)), path
    system, path = url_to_fs(url)
    return system, path


@functools.lru_cache(maxsize=4)
def _archive(protocol: str, outer: str, _state: FileStat | None) -> Any:
    """The archive at `outer`, opened again if its size or time changes."""
    from fsspec.core import url_to_fs

    system = url_to_fs(f"{protocol}://::{outer}")[0]
    system.exists("")  # reads the table of contents: two threads that do so at once each see a part of it
    return system


def _limit(size: int, most: int) -> None:
    if size > most:
        raise PhotoError("too_large", f"{size} bytes; at most {most} are read")


def reason(exc: BaseException) -> str:
    """What went wrong, in one line: the operating system's message if there is one."""
    text = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return " ".join(text.split())[:200] or type(exc).__name__
