"""Zips, unpacked so that a kill costs one file: hostile ones are refused, half-unpacked folders finished.

Each member is written to a temporary name and moved. A folder counts as unpacked when it holds every
member of the zip's listing, of the listed size and checksum; a marker in it says that the checksums of
this very listing were compared, so that a later run compares names and sizes alone.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from importers.reading.paths import as_text
from pipeline.errors import SourceError
from pipeline.identity import digest

MOST_MEMBERS = 200_000
MOST_BYTES = 64 * 1024**3  # unpacked, of one zip
MOST_RATIO = 100  # unpacked over packed; photographs hardly shrink at all
RATIO_FROM = 64 * 1024**2  # bytes unpacked below which no ratio is suspicious
MOST_LISTING = 256 * MOST_MEMBERS  # bytes of a zip's own table of contents
MARKER = ".unpacked-by-wildloop"
_DRAFT = ".wildloop-draft"
_BLOCK = 1024 * 1024

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of a zip whose name has been found harmless."""

    name: str  # with forward slashes, below the folder
    info: zipfile.ZipInfo


def unpack(archive: Path, folder: Path) -> int:
    """Bring `folder` to hold every file of the zip; returns how many had to be written.

    Raises SourceError where the zip is damaged, encrypted, too large or leads out of the folder: the
    names and the declared sizes before anything is written, the real ones as they come.
    """
    try:
        _check_listing(archive)
        with zipfile.ZipFile(archive) as opened:
            members = _members(archive, opened)
            listing = digest(*(f"{one.name} {one.info.file_size} {one.info.CRC}" for one in members))
            compared = _marked(folder) == listing
            missing = [one for one in members if not _is_there(folder / one.name, one.info, compared)]
            if missing:
                _check_room(archive, folder, sum(one.info.file_size for one in missing))
            for one in missing:
                _write(archive, opened, one, folder)
            if missing or not compared:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / MARKER).write_text(listing)
            return len(missing)
    except _DAMAGE as exc:
        reason = " ".join(str(exc).split())[:200] or type(exc).__name__
        raise SourceError(f"{_named(archive)} is damaged: {reason}", remedy="fetch it again") from exc
    except OSError as exc:
        raise SourceError(
            f"{_named(archive)} cannot be unpacked to {_named(folder)}: {exc.strerror or exc}",
            remedy="is there room, and may we read and write there? --unpack-to names another place",
        ) from exc


def _members(archive: Path, opened: zipfile.ZipFile) -> list[Member]:
    """The files of the zip. Raises SourceError where any of them makes the whole zip suspicious."""
    infos = opened.infolist()
    if len(infos) > MOST_MEMBERS:
        raise _refusal(archive, f"it has {len(infos)} members; at most {MOST_MEMBERS} are unpacked")
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        raise _refusal(archive, f"it unpacks to {total} bytes; at most {MOST_BYTES} are")
    packed = max(1, archive.stat().st_size)
    if total > RATIO_FROM and total > MOST_RATIO * packed:
        raise _refusal(archive, f"it unpacks to {total // packed} times its size; at most {MOST_RATIO}")
    members: dict[str, Member] = {}
    for info in infos:
        name = _harmless(archive, info)
        if info.is_dir() or info.orig_filename.endswith("\\"):
            continue
        if name in members:
            raise _refusal(archive, f"it names {as_text(name)} twice")
        members[name] = Member(name=name, info=info)
    return list(members.values())


def _harmless(archive: Path, info: zipfile.ZipInfo) -> str:
    """The member's name below the folder. Raises SourceError where it leads out, or is no plain file."""
    given = info.orig_filename.replace("\\", "/")  # as zips made on Windows may have it
    shown = as_text(info.orig_filename)
    if "\x00" in given or given.startswith("/") or re.match(r"[A-Za-z]:", given) or ".." in given.split("/"):
        raise _refusal(archive, f"its member {shown} leads out of the folder")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refusal(archive, f"its member {shown} is a link or a device")
    if info.flag_bits & 1:
        raise _refusal(archive, f"its member {shown} is encrypted")
    name = str(PurePosixPath(given))
    if name in (".", MARKER):
        raise _refusal(archive, f"its member {shown} has no name of its own")
    return name


def _is_there(path: Path, info: zipfile.ZipInfo, compared: bool) -> bool:
    """Whether the file is whole: by its size, and by its checksum where that was never compared."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size != info.file_size:
            return False
        return compared or _checksum(path) == info.CRC
    except OSError:
        return False


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value


def _write(archive: Path, opened: zipfile.ZipFile, one: Member, folder: Path) -> None:
    """One member to its place, by a temporary name. Raises SourceError where it is more than it says."""
    target = folder / one.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise _refusal(archive, f"a link in {_named(folder)} leads {as_text(one.name)} out of it")
    draft = target.parent / f"{_DRAFT}.{os.getpid()}"
    written = 0
    try:
        with opened.open(one.info) as source, draft.open("wb") as file:
            while block := source.read(_BLOCK):
                written += len(block)
                if written > one.info.file_size:
                    raise _refusal(archive, f"its member {as_text(one.name)} is larger than it says")
                file.write(block)
        if written != one.info.file_size:
            raise zipfile.BadZipFile(f"{as_text(one.name)} is cut short")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _marked(folder: Path) -> str | None:
    try:
        return (folder / MARKER).read_text()
    except (OSError, UnicodeDecodeError):
        return None


def _check_room(archive: Path, folder: Path, needed: int) -> None:
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise SourceError(
            f"{_named(archive)} needs {needed} bytes in {_named(folder)}, where {free} are free",
            remedy="make room, or name another place with --unpack-to",
        )


def _check_listing(archive: Path) -> None:
    """Refuse a zip whose table of contents alone would fill the memory, before it is read."""
    with archive.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 66_000))  # the end record, its comment and what stands before them
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("it has no end: cut short, or no zip at all")
    listing = struct.unpack_from("<L", tail, at + 12)[0]
    wide = tail.rfind(b"PK\x06\x06", 0, at)
    if listing == 0xFFFFFFFF and 0 <= wide <= at - 56:
        listing = struct.unpack_from("<Q", tail, wide + 40)[0]
    if listing > MOST_LISTING:
        raise _refusal(archive, f"its table of contents has {listing} bytes; at most {MOST_LISTING} are read")


def _refusal(archive: Path, what: str) -> SourceError:
    return SourceError(
        f"{_named(archive)} is refused: {what}", remedy="look at it; unpack it by hand if sound"
    )


def _named(path: Path) -> str:
    return as_text(str(path))
