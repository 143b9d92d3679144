"""What of a source cannot be used: a record (a row, an image, an annotation), or one value of it."""

from __future__ import annotations

from collections.abc import Callable

LeaveOut = Callable[[str, str], None]  # takes the name of a bad value, and what is wrong with it


class BadRecord(Exception):
    """This record is refused and counted; the import goes on without it."""

    def __init__(self, kind: str, what: str) -> None:
        """`kind` is a short name of the problem, under which reports count it; `what` describes it."""
        super().__init__(what)
        self.kind = kind
        self.what = what
