"""What an import did, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from importers.reading.walk import WalkCounts


@dataclass(kw_only=True)
class ImportReport(WalkCounts):
    """Filled while an import runs."""

    source: str
    photographs: int = 0  # new in the store
    looked_again: int = 0  # in the store, but not with what this import brings
    known: int = 0  # looked at by this detector before, with these settings
    changed: int = 0  # of the new ones: the file had other content when it was imported before
    without_findings: int = 0  # of the new ones: nothing was kept
    without_time: int = 0  # of the new ones
    without_location: int = 0  # of the new ones
    moved: int = 0  # known ones whose location is another now
    detections: int = 0  # new in the store, each with its crop unless photographs were not read
    cut: int = 0  # crops of detections that were in the store without one
    labels: int = 0  # of boxes, photographs and sequences, new in the store
    other_role: int = 0  # known ones in the other pool, where they stay
    not_looked_at: int = 0  # new ones that came without boxes, and there was no detector
    sequences: int = 0  # at the locations of this import, by time gap
    left_out: Counter[str] = field(default_factory=Counter)  # sure findings of categories not kept
    failed: Counter[str] = field(default_factory=Counter)  # photographs, by kind of failure
    duplicates: int = 0  # entries of a results file that name the same photograph again
    refused: Counter[str] = field(
        default_factory=Counter
    )  # records of the source, by what is wrong with them
    notes: Counter[str] = field(default_factory=Counter)  # what else a source has to tell, counted
    seconds: float = 0.0

    @property
    def nothing_imported(self) -> bool:
        """Whether no photograph of the source is in the store."""
        return self.photographs + self.looked_again + self.known == 0

    def refuse(self, where: str, kind: str, what: str) -> None:
        """A record of the source that is not taken: counted by kind, the first few shown with `where`."""
        self.refused[kind] += 1
        self.complain(where, what)
