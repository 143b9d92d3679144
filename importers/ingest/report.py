"""What an import did, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from importers.reading.walk import WalkCounts


@dataclass(kw_only=True)
class ImportReport(WalkCounts):
    """Filled while an import runs; `str()` is what the command prints."""

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

    def lines(self) -> list[str]:
        """The report as lines of text: what came in first, then what did not."""
        rate = (self.photographs + self.looked_again + self.known) / self.seconds if self.seconds else 0.0
        facts = [
            f"{self.source}: {_of(self.photographs, 'new photograph')}, "
            f"{_of(self.detections, 'new detection')} in {self.seconds:.1f} s ({rate:.0f} photographs/s)",
            _line(self.looked_again, "known, looked at again with other boxes, labels or settings"),
            _line(self.known, "imported before"),
            _line(self.changed, "changed since an earlier import, kept beside it"),
            _line(self.cut, "crops cut of boxes known before"),
            _line(self.labels, "new labels from the source"),
            _line(self.not_looked_at, "without boxes: import again with --detector, or detections of them"),
            _line(self.other_role, "known in the other pool (--role), where they stay"),
            _line(self.without_findings, "without anything to keep"),
            _line(self.sequences, "sequences at these locations"),
            _line(self.without_time, "without a time, so in no sequence"),
            _line(self.without_location, "without a location"),
            _line(self.moved, "known, now with another location"),
            _counted("findings left out by category", self.left_out),
            _counted("failed, recorded with the reason", self.failed),
            _counted("records refused", self.refused),
            *(_line(number, what) for what, number in self.notes.most_common()),
            _line(self.duplicates, "entries that name a photograph a second time, not used"),
            _counted("other files skipped", self.skipped),
            _line(self.hidden, "hidden files and folders skipped"),
            _line(self.linked, "folders reached a second time by a link, skipped"),
            _line(self.unreadable_folders, "folders that cannot be read"),
        ]
        shown = [f"    {_printable(name)}: {what}" for name, what in self.examples]
        return [line for line in facts if line] + shown

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _of(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _line(number: int, what: str) -> str:
    return f"  {number} {what}" if number else ""


def _counted(what: str, numbers: Counter[str]) -> str:
    parts = ", ".join(f"{number} {kind}" for kind, number in numbers.most_common())
    return f"  {what}: {parts}" if parts else ""


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
