"""The error of one record of a source that cannot be used: a row, an image, an annotation."""

from __future__ import annotations


class BadRecord(Exception):
    """This record is refused and counted; the import goes on without it."""

    def __init__(self, kind: str, what: str) -> None:
        """`kind` is a short name of the problem, under which reports count it; `what` describes it."""
        super().__init__(what)
        self.kind = kind
        self.what = what
