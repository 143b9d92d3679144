"""Photographs that a source lists more than once: the first record counts."""

from __future__ import annotations

from array import array

import numpy as np

from importers.ingest.report import ImportReport
from importers.reading.paths import as_text


class NameCounter:
    """Filled with the name of every record in a first pass; keeps eight bytes of each."""

    def __init__(self) -> None:
        self._hashes = array("q")

    def add(self, name: str) -> None:
        self._hashes.append(hash(name))

    def repeated(self) -> frozenset[int]:
        """The hashes of names that may have been added more than once: two names can share one."""
        values, counts = np.unique(np.frombuffer(self._hashes, dtype=np.int64), return_counts=True)
        return frozenset(values[counts > 1].tolist())


class FirstRecords:
    """Tells the first record of each photograph in a second pass; the others go to `report`."""

    def __init__(self, repeated: frozenset[int], report: ImportReport) -> None:
        """`repeated` is of `NameCounter`."""
        self._repeated = repeated
        self._report = report
        self._seen: set[str] = set()

    def is_first(self, name: str, source_name: str) -> bool:
        """Whether no record with this `name` came before; `source_name` is how the record writes it."""
        if not self._repeated or hash(name) not in self._repeated:
            return True
        if name in self._seen:
            self._report.list_again(as_text(source_name))
            return False
        self._seen.add(name)
        return True
