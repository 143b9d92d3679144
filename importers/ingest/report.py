"""The counts of an import: what came in, what did not, and notes on the source."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from importers.reading.json_file import odd_values
from importers.reading.locations import Origin
from importers.reading.paths import natural
from importers.reading.walk import EXAMPLES, WalkCounts


class Note(StrEnum):
    """A remark on a source that a report counts; the value is stable, `sentence` is for people."""

    NO_INFO = "no_info"
    INCOMPLETE_INFO = "incomplete_info"
    LICENSES = "licenses"
    CATEGORY_ZERO = "category_zero"
    NUMERIC_IDS = "numeric_ids"
    BOXES_OF_EMPTY = "boxes_of_empty"
    BOXES_WITHOUT_SIZE = "boxes_without_size"
    EMPTY_CONTRADICTED = "empty_contradicted"
    SEVERAL_CLASSES = "several_classes"
    EVENTS_WITHOUT_MEDIA = "events_without_media"
    UNKNOWN_DEPLOYMENTS = "unknown_deployments"
    NO_COORDINATES = "no_coordinates"
    NO_TIME_ZONE = "no_time_zone"
    AMBIGUOUS_NAMES = "ambiguous_names"
    UNPACKED_FILES = "unpacked_files"
    UNLISTED_PHOTOGRAPHS = "unlisted_photographs"
    VIDEOS = "videos"
    CUT_VIDEOS = "cut_videos"
    UNREADABLE_TIMES = "unreadable_times"
    NOT_NUMBERS = "not_numbers"
    LONG_NUMBERS = "long_numbers"
    OLD_FORMAT = "old_format"
    REPEATS_LEFT_OUT = "repeats_left_out"
    REPEATS_KEPT = "repeats_kept"
    REPEAT_CLUSTERS = "repeat_clusters"
    REPEAT_LOCATIONS = "repeat_locations"
    PIXEL_BOXES = "pixel_boxes"
    SIZE_BOXES = "size_boxes"
    MAYBE_XYXY = "maybe_xyxy"
    MAYBE_YXYX = "maybe_yxyx"
    CLASSIFIER_FAILED = "classifier_failed"
    GEOLOCATION_FAILED = "geolocation_failed"
    MARKED_FOR_DELETION = "marked_for_deletion"
    SPECIES_FIELDS = "species_fields"

    @property
    def sentence(self) -> str:
        """The note as it follows its count."""
        return _SENTENCES[self]


_AXES = "boxes that spread more from top to bottom than across: if they are {}, use --axis-order {}"
_SENTENCES = {
    Note.NO_INFO: "files without `info`",
    Note.INCOMPLETE_INFO: "files whose `info` has no version or no description",
    Note.LICENSES: "files with `licenses`, which are not used",
    Note.CATEGORY_ZERO: "files whose category 0 is not `empty`; it keeps its name",
    Note.NUMERIC_IDS: "images whose id is a number, read as text",
    Note.BOXES_OF_EMPTY: "boxes of `empty`: the label counts for the photograph",
    Note.BOXES_WITHOUT_SIZE: "boxes in pixels left out: --rows-only does not read the size of the photograph",
    Note.EMPTY_CONTRADICTED: "labels `empty` left out: the same source sees something",
    Note.SEVERAL_CLASSES: "crops of several classes, imported without a label",
    Note.EVENTS_WITHOUT_MEDIA: "observations of events that have no photograph",
    Note.UNKNOWN_DEPLOYMENTS: "photographs whose deployment is not in the package",
    Note.NO_COORDINATES: "deployments without coordinates",
    Note.NO_TIME_ZONE: "deployments whose times have no time zone",
    Note.AMBIGUOUS_NAMES: "photographs that share their file name with others, and are not found: put the "
    "files into folders named after deployments",
    Note.UNPACKED_FILES: "files unpacked from zips",
    Note.UNLISTED_PHOTOGRAPHS: "photographs that no manifest lists, not imported",
    Note.VIDEOS: "videos imported frame by frame, one sequence each",
    Note.CUT_VIDEOS: "damaged videos, used up to the damage",
    Note.UNREADABLE_TIMES: "times that cannot be read, not used",
    Note.NOT_NUMBERS: "values NaN or Infinity, read as `null`: JSON does not have them",
    Note.LONG_NUMBERS: "whole numbers of more than 18 digits, read as text",
    Note.OLD_FORMAT: "files of a format before 1.1, read as 1.1",
    Note.REPEATS_LEFT_OUT: "repeat detections left out (boxes that stand still)",
    Note.REPEATS_KEPT: "repeat detections kept (boxes that stand still)",
    Note.REPEAT_CLUSTERS: "places where boxes stand still",
    Note.REPEAT_LOCATIONS: "locations with boxes that stand still",
    Note.PIXEL_BOXES: "boxes apparently in pixels: divide by the width and height of the photograph",
    Note.SIZE_BOXES: "boxes apparently of x, y, width, height: the format has two corners",
    Note.MAYBE_XYXY: _AXES.format("x1, y1, x2, y2", "xyxy"),
    Note.MAYBE_YXYX: _AXES.format("y1, x1, y2, x2", "yxyx"),
    Note.SPECIES_FIELDS: "fields called Species, read as what is seen: --species-field names others",
    Note.MARKED_FOR_DELETION: "photographs marked for deletion (DeleteFlag), skipped",
    Note.CLASSIFIER_FAILED: "photographs on which the classifier failed, imported without its answer",
    Note.GEOLOCATION_FAILED: "photographs without a country for the source, whose species may be of another",
}


@dataclass(kw_only=True)
class ImportReport(WalkCounts):
    """Filled while an import runs."""

    source: str
    photographs: int = 0  # new in the store
    looked_again: int = 0  # in the store, scanned again with other boxes, labels or settings
    known: int = 0  # scanned before by this detector with these settings
    changed: int = 0  # of the new ones: an earlier import of the file had other content
    without_findings: int = 0  # of the new ones: no box was kept
    without_time: int = 0  # of the new ones
    without_location: int = 0  # of the new ones
    locations: Counter[str] = field(default_factory=Counter)  # photographs of the source at each
    origins: Counter[Origin] = field(
        default_factory=Counter
    )  # photographs by where their location comes from
    moved: int = 0  # known ones that have another location now
    detections: int = 0  # new in the store, with crops unless photographs were not read
    cut: int = 0  # crops of detections that the store had without one
    labels: int = 0  # of boxes, photographs and sequences, new in the store
    other_role: int = 0  # known ones of the other role, which they keep
    not_looked_at: int = 0  # new ones without boxes that no detector scanned
    sequences: int = 0  # by time gap, at the locations of this import
    left_out: Counter[str] = field(default_factory=Counter)  # confident boxes of categories not kept
    damaged: Counter[str] = field(default_factory=Counter)  # new ones with a defect, used nevertheless
    doubtful_years: Counter[str] = field(default_factory=Counter)  # new ones of a clock never set, by year
    doubtful_example: str | None = None  # the first of them
    failed: Counter[str] = field(default_factory=Counter)  # photographs, by kind of failure
    duplicates: int = 0  # records that list a photograph a second time
    refused: Counter[str] = field(default_factory=Counter)  # bad records, by kind
    unused_values: Counter[str] = field(default_factory=Counter)  # bad values of good records, by field
    unused_fields: Counter[str] = field(default_factory=Counter)  # further parts of a file, by name
    notes: Counter[Note] = field(default_factory=Counter)
    hints: list[str] = field(default_factory=list)  # what the user may want to change: a sentence each
    seconds: float = 0.0

    @property
    def nothing_imported(self) -> bool:
        """Whether no photograph of the source is in the store."""
        return self.photographs + self.looked_again + self.known == 0

    @property
    def first_locations(self) -> list[str]:
        """The first few locations in natural order."""
        return sorted(self.locations, key=natural)[:EXAMPLES]

    def note_odd_values(self, path: Path) -> None:
        """Note the values of a JSON file that are read as others. Raises SourceError."""
        odd = odd_values(path)
        for note, number in ((Note.NOT_NUMBERS, odd.not_numbers), (Note.LONG_NUMBERS, odd.too_long)):
            if number:
                self.notes[note] += number

    def refuse(self, where: str, kind: str, what: str) -> None:
        """Count a bad record by its kind, and keep the first few with their place in the source."""
        self.refused[kind] += 1
        self.complain(where, what)

    def list_again(self, name: str) -> None:
        """Count a record that lists a photograph a second time."""
        self.duplicates += 1
        self.complain(name, "listed a second time; the first record is used")

    def leave_out(self, where: str, field_name: str, what: str) -> None:
        """Count a bad value whose record is used without it, and keep the first few as `refuse` does."""
        self.unused_values[field_name] += 1
        self.complain(where, what)
