"""Unpacks zips: suspicious ones are refused, and incomplete folders are completed.

Each member is written under a temporary name and moved, so an interruption costs one file. A folder is
complete when it has every member of the zip with its size and checksum. A marker file shows that the
checksums have been compared, so that later runs compare only names and sizes.
"""

from __future__ import annotations

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
from importers.reading.zip_file import DAMAGE, damaged
from pipeline.errors import SourceError
from pipeline.identity import digest

MOST_MEMBERS = 200_000
MOST_BYTES = 64 * 1024**3  # unpacked, of one zip
MOST_RATIO = 100  # unpacked over packed; photographs hardly compress
RATIO_FROM = 64 * 1024**2  # bytes unpacked; below, no ratio is suspicious
MOST_LISTING = 256 * MOST_MEMBERS  # bytes of a zip's table of contents
MARKER = ".unpacked-by-wildloop"
_DRAFT = ".wildloop-draft"
_BLOCK = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Member:
    """One file of a zip, whose name has been checked."""

    name: str  # with forward slashes, below the folder
    info: zipfile.ZipInfo


def unpack(archive: Path, folder: Path) -> int:
    """Write every file of the zip that `folder` lacks; returns the number of files written.

    Raises SourceError if the zip is damaged, encrypted, too large or leads out of the folder. Names and
    declared sizes are checked before anything is written, real sizes while it is written.
    """
    try:
        _check_listing(archive)
        with zipfile.ZipFile(archive) as opened:
            members = _members(archive, opened)
            listing = digest(
                *(f"{member.name} {member.info.file_size} {member.info.CRC}" for member in members)
            )
            compared = _marked(folder) == listing
            missing = [
                member for member in members if not _is_unpacked(folder / member.name, member.info, compared)
            ]
            if missing:
                _check_room(archive, folder, sum(member.info.file_size for member in missing))
            for member in missing:
                _write(archive, opened, member, folder)
            if missing or not compared:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / MARKER).write_text(listing)
            return len(missing)
    except (*DAMAGE, ValueError, struct.error) as exc:
        raise damaged(archive, exc) from exc
    except OSError as exc:
        raise SourceError(
            f"{_named(archive)} cannot be unpacked to {_named(folder)}: {exc.strerror or exc}",
            remedy="check the free space and the permissions, or name another folder with --unpack-to",
        ) from exc


def _members(archive: Path, opened: zipfile.ZipFile) -> list[Member]:
    """The files of the zip. Raises SourceError if any of them makes the zip suspicious."""
    infos = opened.infolist()
    if len(infos) > MOST_MEMBERS:
        raise _refusal(archive, f"it has {len(infos)} members; the limit is {MOST_MEMBERS}")
    total = sum(info.file_size for info in infos)
    if total > MOST_BYTES:
        raise _refusal(archive, f"it unpacks to {total} bytes; the limit is {MOST_BYTES}")
    packed = max(1, archive.stat().st_size)
    if total > RATIO_FROM and total > MOST_RATIO * packed:
        raise _refusal(archive, f"it unpacks to {total // packed} times its size; the limit is {MOST_RATIO}")
    members: dict[str, Member] = {}
    for info in infos:
        name = _checked_name(archive, info)
        if info.is_dir() or info.orig_filename.endswith("\\"):
            continue
        if name in members:
            raise _refusal(archive, f"it names {as_text(name)} twice")
        members[name] = Member(name=name, info=info)
    return list(members.values())


def _checked_name(archive: Path, info: zipfile.ZipInfo) -> str:
    """The member's name below the folder. Raises SourceError if it leads out, or is not a plain file."""
    given = info.orig_filename.replace("\\", "/")  # zips made on Windows can have backslashes
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
        raise _refusal(archive, f"its member {shown} has no usable name")
    return name


def _is_unpacked(path: Path, info: zipfile.ZipInfo, compared: bool) -> bool:
    """Whether the file is complete: by its size, and by its checksum unless that was compared before."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size != info.file_size:
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


def _write(archive: Path, opened: zipfile.ZipFile, member: Member, folder: Path) -> None:
    """Write one member, under a temporary name first. Raises SourceError if it is larger than declared."""
    target = folder / member.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise _refusal(archive, f"a link in {_named(folder)} leads {as_text(member.name)} out of it")
    draft = target.parent / f"{_DRAFT}.{os.getpid()}"
    written = 0
    try:
        with opened.open(member.info) as source, draft.open("wb") as file:
            while block := source.read(_BLOCK):
                written += len(block)
                if written > member.info.file_size:
                    raise _refusal(archive, f"its member {as_text(member.name)} is larger than declared")
                file.write(block)
        if written != member.info.file_size:
            raise zipfile.BadZipFile(f"{as_text(member.name)} is cut short")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _marked(folder: Path) -> str | None:
    try:
        return (folder / MARKER).read_text()
    except (OSError, UnicodeDecodeError):
        return None


def _check_room(archive: Path, folder: Path, needed: int) -> None:
    """Raise SourceError if the disk has less than `needed` free bytes."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise SourceError(
            f"{_named(archive)} needs {needed} bytes in {_named(folder)}, where {free} are free",
            remedy="make room, or name another folder with --unpack-to",
        )


def _check_listing(archive: Path) -> None:
    """Refuse a zip whose table of contents would fill the memory, before that is read."""
    with archive.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 66_000))  # the end record with its comment, and the ZIP64 record
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("it has no end record: it is cut short, or not a zip")
    listing = struct.unpack_from("<L", tail, at + 12)[0]
    wide = tail.rfind(b"PK\x06\x06", 0, at)
    if listing == 0xFFFFFFFF and 0 <= wide <= at - 56:
        listing = struct.unpack_from("<Q", tail, wide + 40)[0]
    if listing > MOST_LISTING:
        raise _refusal(archive, f"its table of contents has {listing} bytes; the limit is {MOST_LISTING}")


def _refusal(archive: Path, what: str) -> SourceError:
    return SourceError(
        f"{_named(archive)} is refused: {what}", remedy="inspect it, and unpack it by hand if it is harmless"
    )


def _named(path: Path) -> str:
    return as_text(str(path))
