"""Photographs of any source into the store: read, look, cut, record; in batches, resumable.

Threads read, decode and cut; one more writes to the store, in the order of the source.
Crop files lie on the disk before the rows that name them, so a kill at any moment leaves nothing
half done: what was not committed is done again, into the same files.
"""

from __future__ import annotations

import gc
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from joblib import cpu_count
from tqdm import tqdm

from importers.detectors import DetectedBox, Detector
from importers.ingest import sequences
from importers.ingest.labels import Labelled, Labels, with_label
from importers.ingest.report import ImportReport
from importers.ingest.results import (
    IngestResult,
    failed,
    has_all,
    labels_left,
    labels_of,
    merged,
    others,
    records_of,
    unchanged_of,
)
from importers.ingest.source_image import ImportOptions, SourceDetections, SourceImage
from importers.reading.locations import Locator
from importers.reading.paths import as_text
from pipeline.crops import content_hash, cut_crops
from pipeline.errors import PhotoError, SourceError
from pipeline.files import reading
from pipeline.identity import NO_DETECTOR, ROWS_ONLY, image_id
from pipeline.images import Photo, read_file
from pipeline.records import ImageRecord
from pipeline.store import detections, images
from pipeline.store.database import chunks
from pipeline.store.images import StoredImage
from pipeline.store.schema import detection, image, image_label, oracle, scan
from pipeline.workspace import Workspace

LOOKUP = 256  # photographs asked of the store at once
COMMIT_PHOTOS = 64  # what a kill costs at most, in photographs ...
COMMIT_SECONDS = 5.0  # ... and in time
ROWS = 4_096  # photographs looked up and committed at once where none is read
GARBAGE = 500_000  # objects made between two looks for garbage
IN_FLIGHT = 4  # photographs waiting for each thread


class Ingestor:
    """One import: a source's entries into one store and data folder."""

    def __init__(
        self,
        workspace: Workspace,
        detector: Detector | None,
        locate: Locator,
        options: ImportOptions,
        report: ImportReport,
    ) -> None:
        """`detector` looks at the entries that bring no boxes; None where every entry brings them."""
        if detector is not None and not options.keep & set(detector.categories):
            raise SourceError(
                f"{detector.id} reports {', '.join(detector.categories)}; "
                f"nothing of it is kept by {', '.join(sorted(options.keep))}",
                remedy="keep one of its categories",
            )
        self._database = workspace.database
        self._data_dir = workspace.data_dir
        self._detector = detector
        self._locate = locate
        self._options = options
        self._report = report
        self._locations: set[str] = set()
        self._labels = Labels()

    def run(self, entries: Iterable[SourceImage], total: int, *, progress: bool) -> ImportReport:
        """Take every entry in; returns the report. `progress` shows a bar on a terminal."""
        began = time.monotonic()
        # Records live for a batch only; to look through them all for garbage at every turn takes a fifth.
        thresholds = gc.get_threshold()
        gc.set_threshold(GARBAGE)
        try:
            self._take_all(entries, total, progress)
        finally:
            gc.set_threshold(*thresholds)
        self._report.sequences = sequences.assign(self._database, self._locations, self._options.gap)
        self._report.seconds = time.monotonic() - began
        return self._report

    def _take_all(self, entries: Iterable[SourceImage], total: int, progress: bool) -> None:
        batches = self._row_batches(entries) if self._options.rows_only else _batches(self._outcomes(entries))
        with (
            tqdm(total=total, unit="photo", disable=None if progress else True, smoothing=0.1) as bar,
            ThreadPoolExecutor(1, thread_name_prefix="commit") as writer,
        ):
            waiting: Future[int] | None = None  # one batch is written while the next is made ready
            written, analyzed = 0, 0
            for batch in batches:
                if waiting is not None:
                    written += waiting.result()
                    bar.update(written - bar.n)
                    if written >= 2 * analyzed + ROWS:
                        self._database.analyze(image, scan, detection, image_label, oracle)
                        analyzed = written
                waiting = writer.submit(self._commit, batch)
            if waiting is not None:
                bar.update(waiting.result())

    def _outcomes(self, entries: Iterable[SourceImage]) -> Iterator[IngestResult]:
        workers = self._options.workers or cpu_count()
        waiting: deque[Future[IngestResult]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="import")
        try:
            for chunk in chunks(entries, LOOKUP):
                with self._database.read() as conn:
                    known = images.at_paths(conn, [as_text(entry.path) for entry in chunk])
                for entry in chunk:
                    waiting.append(pool.submit(self.process, entry, known.get(as_text(entry.path), ())))
                    if len(waiting) >= workers * IN_FLIGHT:
                        yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _row_batches(self, entries: Iterable[SourceImage]) -> Iterator[list[IngestResult]]:
        for chunk in chunks(entries, ROWS):
            with self._database.read() as conn:
                known = images.at_paths(conn, [as_text(entry.path) for entry in chunk])
            yield [self.record_only(entry, known.get(as_text(entry.path), ())) for entry in chunk]

    def record_only(self, entry: SourceImage, known: Sequence[StoredImage] = ()) -> IngestResult:
        """What becomes of one entry whose file is not to be read."""
        failures = [one.record.id for one in known if one.record.failure is not None]
        record = self._described(entry)
        if entry.failure is not None:
            return failed(record, PhotoError(*entry.failure), failures)
        detector = entry.ready.detector if entry.ready is not None else NO_DETECTOR
        scan = self._options.scan(detector)
        same = next((one for one in reversed(known) if one.record.failure is None), None)
        kept, left = self._kept(entry.ready)
        if same is not None:
            for done in (scan, ROWS_ONLY + scan):
                if done in same.scans and has_all(same, detector, kept):
                    return self._known(same, record, done, entry, detector)
            record = merged(same.record, record, is_told=self._is_told(entry))
        boxes = records_of(record.id, detector, kept)
        return IngestResult(
            record=record,
            scan=ROWS_ONLY + scan,
            detections=tuple(boxes),
            labels=entry.labels + labels_left(left, detector),
            box_labels=labels_of(boxes, kept),
            looked=detector != NO_DETECTOR,
            stored=same is not None,
            left_out=_counted(left),
            superseded=tuple(failures),
        )

    def process(self, entry: SourceImage, known: Sequence[StoredImage] = ()) -> IngestResult:
        """What becomes of one entry, given what the store has of the file at its path.

        Writes crops, not rows. Raises StoreError where the disk refuses.
        """
        readable = [one for one in known if one.record.failure is None]
        failures = [one.record.id for one in known if one.record.failure is not None]
        record = self._described(entry)
        name = record.file_name
        if entry.failure is not None:
            return failed(record, PhotoError(*entry.failure), failures)
        detector = self._detector_of(entry)
        scan = self._options.scan(detector)
        found = reading.stat(entry.path)
        brought, left = self._kept(entry.ready)
        looked = [one for one in readable if scan in one.scans and has_all(one, detector, brought)]
        unchanged = unchanged_of(found, looked)
        if unchanged is not None:
            return self._known(unchanged, record, scan, entry, detector, newest=unchanged is readable[-1])
        try:
            data = read_file(entry.path)
            content = content_hash(data)
            mtime = found.mtime if found is not None else None
            same = next((one for one in readable if one.record.content_hash in (content, None)), None)
            if same is not None and same in looked:
                touched = replace(same, record=replace(same.record, mtime=mtime))
                return self._known(touched, record, scan, entry, detector, newest=False)
            photo = Photo(data)
            if same is not None:  # imported as part of another folder, perhaps: it keeps its name and pool
                record = merged(same.record, record, is_told=self._is_told(entry))
            else:
                record = replace(record, id=image_id(name, content))
            record = replace(
                record,
                content_hash=content,
                size=len(data),
                mtime=mtime,
                width=photo.width,
                height=photo.height,
                datetime=record.datetime or (photo.taken_at if self._options.exif_time else None),
            )
            kept, left = (brought, left) if entry.ready is not None else self._found(photo)
            cuttings = cut_crops(
                photo,
                records_of(record.id, detector, kept),
                self._data_dir,
                context=self._options.context,
                crop_side=self._options.crop_side,
            )
        except PhotoError as exc:
            return failed(record, exc, failures)
        return IngestResult(
            record=record,
            scan=scan,
            detections=tuple(cuttings),
            labels=entry.labels + labels_left(left, detector),
            box_labels=labels_of(cuttings, kept),
            looked=detector != NO_DETECTOR,
            stored=same is not None,
            left_out=_counted(left),
            superseded=others([*failures, image_id(name, None)], record.id),
            changed=same is None and any(one.record.file_name == name for one in readable),
        )

    def _described(self, entry: SourceImage) -> ImageRecord:
        """The record of what the source says of its photograph, named by where it lies."""
        name, path = as_text(entry.file_name), as_text(entry.path)
        return ImageRecord(
            id=image_id(name, f"@{path}"),
            file_name=name,
            path=path,
            width=entry.width,
            height=entry.height,
            location=entry.location or self._locate(name),
            datetime=entry.datetime,
            seq_id=entry.seq_id,
            frame_num=entry.frame_num,
            seq_num_frames=entry.seq_num_frames,
            deployment_id=entry.deployment_id,
            role=self._options.role,
            source_id=entry.source_id,
        )

    def _detector_of(self, entry: SourceImage) -> str:
        if entry.ready is not None:
            return entry.ready.detector
        return NO_DETECTOR if self._detector is None else self._detector.id

    def _known(
        self,
        known: StoredImage,
        new: ImageRecord,
        scan: str,
        entry: SourceImage,
        detector: str,
        *,
        newest: bool = True,
    ) -> IngestResult:
        """A photograph that needs no look. What the source says of it may be new, and so may its labels.

        `newest`: no other content of the file came after it; otherwise the row is written again, so that
        the store knows which content lies there now.
        """
        record = merged(known.record, new, is_told=self._is_told(entry))
        kept, left = self._kept(entry.ready)
        labelled = [found for found in kept if found.labels]
        boxes = records_of(record.id, detector, labelled)
        return IngestResult(
            record=record,
            known=True,
            write=not newest or record != known.record,
            scan=scan,
            labels=entry.labels + labels_left(left, detector),
            box_labels=labels_of(boxes, labelled),
            stored=True,
            moved=record.location != known.record.location,
            former=known.record.location,
        )

    def _is_told(self, entry: SourceImage) -> bool:
        """Whether the location of the entry is more than a guess by the folder's name."""
        return entry.location is not None or self._options.location_pattern is not None

    def _found(self, photo: Photo) -> tuple[list[DetectedBox], list[DetectedBox]]:
        """What the detector finds, as `_kept` answers."""
        return self._sorted(self._detector.detect(photo) if self._detector is not None else ())

    def _kept(self, ready: SourceDetections | None) -> tuple[list[DetectedBox], list[DetectedBox]]:
        """The findings of a source that are sure enough: of a kept category, and the others."""
        return self._sorted(ready.findings if ready is not None else ())

    def _sorted(self, found: Sequence[DetectedBox]) -> tuple[list[DetectedBox], list[DetectedBox]]:
        threshold, keep = self._options.threshold, self._options.keep
        sure = [finding for finding in found if finding.confidence >= threshold]
        kept = [finding for finding in sure if finding.category in keep]
        left = [finding for finding in sure if finding.category not in keep] if len(kept) < len(sure) else []
        return kept, left

    def _commit(self, batch: Sequence[IngestResult]) -> int:
        """One transaction for a batch, then the report; returns how many photographs it had."""
        scans = [(one.record.id, one.scan) for one in batch if one.scan is not None and not one.known]
        labelled = [
            Labelled(
                image_id=one.record.id,
                is_new=not one.stored,
                detections=one.detections,
                labels=one.labels,
                box_labels=one.box_labels,
            )
            for one in batch
            if one.record.failure is None
        ]
        with self._database.write() as conn:
            already = images.stored_scans(conn, scans)
            images.remove_failed(conn, {id_ for one in batch for id_ in one.superseded})
            images.add(conn, (one.record for one in batch if one.write))
            votes = self._labels.settle(conn, labelled)
            boxes = (
                with_label(box, votes[box.id]) if box.id in votes else box
                for one in batch
                for box in one.detections
            )
            stored = [box for one in batch if one.stored for box in one.detections]
            self._report.cut += detections.set_crops(conn, stored)  # before the new ones join them
            self._report.detections += detections.add(conn, boxes)
            images.add_scans(conn, scans)
            self._report.labels += self._labels.write(conn, labelled, votes)
        for one in batch:
            self._count(one, is_known=(one.record.id, one.scan) in already)
        return len(batch)

    def _count(self, one: IngestResult, *, is_known: bool) -> None:
        report, record = self._report, one.record
        self._locations.update(place for place in (record.location, one.former) if place is not None)
        if record.failure is not None:
            report.failed[record.failure] += 1
            report.complain(record.file_name, f"{record.failure}: {record.failure_detail}")
            return
        report.moved += one.moved
        report.other_role += one.record.role is not self._options.role
        report.left_out.update(one.left_out)
        if one.known or (is_known and not one.stored):
            report.known += 1
            return
        report.photographs += not one.stored
        report.looked_again += one.stored
        report.changed += one.changed
        report.not_looked_at += not one.looked and not one.stored
        report.without_findings += one.looked and not one.detections
        report.without_time += record.datetime is None
        report.without_location += record.location is None


def _counted(left: Sequence[DetectedBox]) -> Counter[str] | dict[str, int]:
    return Counter(finding.category for finding in left) if left else {}


def _batches(outcomes: Iterable[IngestResult]) -> Iterator[list[IngestResult]]:
    """Outcomes to be committed together."""
    batch: list[IngestResult] = []
    began = time.monotonic()
    for outcome in outcomes:
        batch.append(outcome)
        if len(batch) >= COMMIT_PHOTOS or time.monotonic() - began >= COMMIT_SECONDS:
            yield batch
            batch, began = [], time.monotonic()
    if batch:
        yield batch
