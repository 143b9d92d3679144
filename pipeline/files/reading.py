"""Files on this machine or in an object store, by path or by URL (fsspec)."""

from __future__ import annotations

import functools
import re
import stat as modes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import PhotoError, SourceError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::[^:]+)*://")  # one letter and a colon is a drive of Windows


@dataclass(frozen=True, kw_only=True)
class FileStat:
    """What is known of a file that was not opened."""

    size: int  # bytes
    mtime: float | None  # seconds since the epoch; None where the store keeps no such time


def is_url(path: str) -> bool:
    """Whether fsspec is to read it: s3://bucket/name, zip://name::file.zip, memory://name, ..."""
    return _URL.match(path) is not None


def stat(path: str | Path) -> FileStat | None:
    """Size and time of the file; None where it is not there or does not say. Never raises."""
    try:
        if is_url(str(path)):
            system, name = _filesystem(str(path))
            info = system.info(name)
            changed = info.get("LastModified") or info.get("mtime") or info.get("created")
            moment = changed.timestamp() if hasattr(changed, "timestamp") else changed
            return FileStat(size=int(info["size"]), mtime=moment if isinstance(moment, int | float) else None)
        found = Path(path).stat()
        return FileStat(size=found.st_size, mtime=found.st_mtime)
    except Exception:  # noqa: BLE001 - each object store raises errors of its own; reading will tell why
        return None


def read(path: str | Path, most: int) -> bytes:
    """The file's bytes. Raises PhotoError: missing, not_a_file, too_large (over `most` bytes), unreadable."""
    if is_url(str(path)):
        return _fetched(str(path), most)
    try:
        found = Path(path).stat()
        if not modes.S_ISREG(found.st_mode):
            raise PhotoError("not_a_file", "a folder, pipe or device lies where a photograph should")
        _limit(found.st_size, most)
        return Path(path).read_bytes()
    except FileNotFoundError as exc:
        raise PhotoError("missing", "no such file") from exc
    except (OSError, ValueError) as exc:
        raise PhotoError("unreadable", reason(exc)) from exc


def names(url: str) -> list[str]:
    """Every file below a folder of an object store, by name below it. Raises SourceError."""
    try:
        system, base = _filesystem(url)
        found: list[str] = system.find(base)
    except Exception as exc:  # each object store raises errors of its own
        raise SourceError(f"{url} cannot be listed: {reason(exc)}", remedy="check the URL") from exc
    above = base.rstrip("/") + "/"
    return [name.removeprefix(above) for name in found]


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
    except Exception as exc:  # each object store raises errors of its own
        raise PhotoError("unreadable", reason(exc)) from exc


def _filesystem(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    inner, chained, outer = url.partition("::")
    if chained:  # a file in an archive, whose table of contents is read once and not for each file
        protocol, _, path = inner.partition("://")
        return _archive(protocol, outer, stat(outer)), path
    system, path = url_to_fs(url)
    return system, path


@functools.lru_cache(maxsize=4)
def _archive(protocol: str, outer: str, _state: FileStat | None) -> Any:
    """The archive at `outer`, opened anew where its size or time is another."""
    from fsspec.core import url_to_fs

    return url_to_fs(f"{protocol}://::{outer}")[0]


def _limit(size: int, most: int) -> None:
    if size > most:
        raise PhotoError("too_large", f"{size} bytes; at most {most} are read")


def reason(exc: BaseException) -> str:
    """What went wrong in one line: the system's own words where it has some."""
    text = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    return " ".join(text.split())[:200] or type(exc).__name__
