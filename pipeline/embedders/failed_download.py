"""The last download of weights that failed: `auto` waits before the next attempt, and says so once."""

from __future__ import annotations

import datetime as dt
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.records import utc_now

RETRY_AFTER = dt.timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class FailedDownload:
    """Which file could not be downloaded, when and why."""

    file_name: str
    at: dt.datetime  # UTC
    reason: str


def remember(cache_dir: Path, file_name: str, reason: str) -> None:
    """Record that the download of `file_name` failed now. A folder that cannot be written is no error."""
    record = {"file_name": file_name, "at": utc_now().isoformat(), "reason": reason}
    with suppress(OSError):
        path = _path(cache_dir)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=2) + "\n")


def recent(cache_dir: Path) -> FailedDownload | None:
    """The last failure, if it is younger than `RETRY_AFTER`."""
    try:
        record = json.loads(_path(cache_dir).read_text())
        failure = FailedDownload(
            file_name=str(record["file_name"]),
            at=dt.datetime.fromisoformat(record["at"]),
            reason=str(record["reason"]),
        )
        is_recent = dt.timedelta(0) <= utc_now() - failure.at < RETRY_AFTER
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or a file that somebody changed
        return None
    return failure if is_recent else None


def _path(cache_dir: Path) -> Path:
    return cache_dir / "weights" / "failed-download.json"
