"""Ingests the photographs of a source: reads, detects, cuts and records them in batches, resumable.

Threads read, detect and cut; one more thread writes to the store, in the order of the source. Crop files
are written before the rows that name them, so an interrupted import leaves nothing incomplete: what was
not committed is repeated into the same files.
"""

from __future__ import annotations

import gc
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

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
    records_of,
    unchanged_of,
    without,
)
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.reading.locations import Locator
from importers.reading.paths import as_text
from pipeline.crops import content_hash, cut_crops
from pipeline.embedders.hardware import usable_cores
from pipeline.errors import PhotoError, SourceError
from pipeline.files import reading
from pipeline.images import Photo, read_file
from pipeline.records import NOBODY, ROWS_OF, DetectionRecord, ImageRecord, image_id
from pipeline.store import detections, images, schema
from pipeline.store.database import chunks
from pipeline.store.images import Known
from pipeline.workspace import Workspace

LOOKUP = 256  # photographs looked up in the store at once
COMMIT_PHOTOS = 64  # most photographs that an interruption repeats ...
COMMIT_SECONDS = 5.0  # ... and the longest time
ROWS = 4_096  # photographs looked up and committed at once if no file is read
GARBAGE = 500_000  # objects created between two garbage collections
IN_FLIGHT = 4  # photographs queued for each thread


class _Photograph(NamedTuple):
    """One photograph of the source, with what the store has of the file at its path."""

    source: SourceImage
    record: ImageRecord  # as the source describes it
    detector: str
    scan: str
    stored: Sequence[Known]  # that could be read, in the order of their imports
    failures: Sequence[str]  # ids of earlier failures


class _Boxes(NamedTuple):
    """The boxes of a photograph that reach the threshold, by whether their category is kept."""

    kept: Sequence[DetectedBox]
    left: Sequence[DetectedBox]

    def counted(self) -> Counter[str] | dict[str, int]:
        """The boxes that are not kept, by category."""
        return Counter(box.category for box in self.left) if self.left else {}


class Ingestor:
    """One import: the photographs of a source into a workspace."""

    def __init__(
        self,
        workspace: Workspace,
        detector: Detector | None,
        locate: Locator,
        options: ImportOptions,
        report: ImportReport,
    ) -> None:
        """`detector` finds boxes on photographs that come without; None if the source has all boxes."""
        if detector is not None and not options.keep & set(detector.categories):
            raise SourceError(
                f"{detector.id} reports {', '.join(detector.categories)}, "
                f"but only {', '.join(sorted(options.keep))} is kept",
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

    def run(self, source_images: Iterable[SourceImage], total: int, *, progress: bool) -> ImportReport:
        """Ingest every photograph; returns the report. `progress` shows a bar on a terminal."""
        began = time.monotonic()
        # Records live for one batch only; frequent collections would search them all, a fifth of the time.
        thresholds = gc.get_threshold()
        gc.set_threshold(GARBAGE)
        try:
            self._ingest(source_images, total, progress)
        finally:
            gc.set_threshold(*thresholds)
        self._report.sequences = sequences.assign(self._database, self._locations, self._options.gap)
        self._report.seconds = time.monotonic() - began
        return self._report

    def _ingest(self, source_images: Iterable[SourceImage], total: int, progress: bool) -> None:
        if self._options.rows_only:
            batches = self._row_batches(source_images)
        else:
            batches = _batches(self._results(source_images))
        with (
            tqdm(total=total, unit="photo", disable=None if progress else True, smoothing=0.1) as bar,
            ThreadPoolExecutor(1, thread_name_prefix="commit") as writer,
        ):
            pending: Future[int] | None = None  # one batch is written while the next is prepared
            written, analyzed = 0, 0
            for batch in batches:
                if pending is not None:
                    written += pending.result()
                    bar.update(written - bar.n)
                    if written >= 2 * analyzed + ROWS:
                        self._database.analyze(
                            schema.image, schema.scan, schema.detection, schema.image_label, schema.oracle
                        )
                        analyzed = written
                pending = writer.submit(self._commit, batch)
            if pending is not None:
                bar.update(pending.result())

    def _results(self, source_images: Iterable[SourceImage]) -> Iterator[IngestResult]:
        workers = self._options.workers or usable_cores()
        queue: deque[Future[IngestResult]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="import")
        try:
            for source_image, stored in self._with_stored(source_images, LOOKUP):
                queue.append(pool.submit(self.process, source_image, stored))
                if len(queue) >= workers * IN_FLIGHT:
                    yield queue.popleft().result()
            while queue:
                yield queue.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _row_batches(self, source_images: Iterable[SourceImage]) -> Iterator[list[IngestResult]]:
        for batch in chunks(self._with_stored(source_images, ROWS), ROWS):
            yield [self.record_only(source_image, stored) for source_image, stored in batch]

    def _with_stored(
        self, source_images: Iterable[SourceImage], size: int
    ) -> Iterator[tuple[SourceImage, Sequence[Known]]]:
        """Each photograph with what the store has of the file at its path; `size` are looked up at once."""
        for batch in chunks(source_images, size):
            with self._database.read() as conn:
                stored = images.at_paths(conn, [as_text(source_image.path) for source_image in batch])
            for source_image in batch:
                yield source_image, stored.get(as_text(source_image.path), ())

    def record_only(self, source_image: SourceImage, stored: Sequence[Known] = ()) -> IngestResult:
        """The result for a photograph whose file is not read."""
        photograph = self._photograph(source_image, stored, None)
        record = photograph.record
        if source_image.failure is not None:
            return failed(record, PhotoError(*source_image.failure), photograph.failures)
        boxes = self._source_boxes(source_image)
        same = photograph.stored[-1] if photograph.stored else None
        if same is not None:
            for scan in (photograph.scan, ROWS_OF + photograph.scan):
                if scan in same.scans and has_all(same, photograph.detector, boxes.kept):
                    return self._known(photograph, same, scan)
            record = merged(same.record, record, has_location=self._has_location(source_image))
        return self._scanned(
            photograph,
            record,
            boxes,
            records_of(record.id, photograph.detector, boxes.kept),
            scan=ROWS_OF + photograph.scan,
            is_stored=same is not None,
            superseded=tuple(photograph.failures),
        )

    def process(self, source_image: SourceImage, stored: Sequence[Known] = ()) -> IngestResult:
        """The result for a photograph, whose file is read unless it is unchanged.

        `stored` is what the store has of the file at its path. Writes crops, not rows. Raises StoreError
        if a crop cannot be written.
        """
        photograph = self._photograph(source_image, stored, self._detector)
        if source_image.failure is not None:
            return failed(photograph.record, PhotoError(*source_image.failure), photograph.failures)
        boxes = self._source_boxes(source_image)
        scanned = [
            known
            for known in photograph.stored
            if photograph.scan in known.scans and has_all(known, photograph.detector, boxes.kept)
        ]
        file = reading.stat(source_image.path)
        unchanged = unchanged_of(file, scanned)
        if unchanged is not None:
            is_newest = unchanged is photograph.stored[-1]
            return self._known(photograph, unchanged, photograph.scan, is_newest=is_newest)
        return self._read(photograph, scanned, file.mtime if file is not None else None)

    def _read(self, photograph: _Photograph, scanned: Sequence[Known], mtime: float | None) -> IngestResult:
        """The result for a photograph whose file must be read; `mtime` is the file's, if that is known."""
        record = photograph.record
        name = record.file_name
        try:
            data = read_file(photograph.source.path)
            content = content_hash(data)
            same = next((k for k in photograph.stored if k.record.content_hash in (content, None)), None)
            if same is not None and same in scanned:
                touched = replace(same, record=replace(same.record, mtime=mtime))
                return self._known(photograph, touched, photograph.scan, is_newest=False)
            photo = Photo(data)
            if same is not None:  # perhaps imported as part of another folder: it keeps its name and pool
                record = merged(same.record, record, has_location=self._has_location(photograph.source))
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
            boxes = self._boxes(photograph.source, photo)
            cut = cut_crops(
                photo,
                records_of(record.id, photograph.detector, boxes.kept),
                self._data_dir,
                context=self._options.context,
                crop_side=self._options.crop_side,
            )
        except PhotoError as exc:
            return failed(record, exc, photograph.failures)
        return self._scanned(
            photograph,
            record,
            boxes,
            cut,
            scan=photograph.scan,
            is_stored=same is not None,
            superseded=without([*photograph.failures, image_id(name, None)], record.id),
            is_changed=same is None and any(k.record.file_name == name for k in photograph.stored),
        )

    def _photograph(
        self, source_image: SourceImage, stored: Sequence[Known], detector: Detector | None
    ) -> _Photograph:
        """The photograph with its record, identified by its path until the file is read."""
        if source_image.detections is not None:
            detector_id = source_image.detections.detector
        else:
            detector_id = NOBODY if detector is None else detector.id
        name, path = as_text(source_image.file_name), as_text(source_image.path)
        record = ImageRecord(
            id=image_id(name, f"@{path}"),
            file_name=name,
            path=path,
            width=source_image.width,
            height=source_image.height,
            location=source_image.location or self._locate(name),
            datetime=source_image.datetime,
            seq_id=source_image.seq_id,
            frame_num=source_image.frame_num,
            seq_num_frames=source_image.seq_num_frames,
            deployment_id=source_image.deployment_id,
            role=self._options.role,
            source_id=source_image.source_id,
        )
        return _Photograph(
            source=source_image,
            record=record,
            detector=detector_id,
            scan=self._options.scan(detector_id),
            stored=[known for known in stored if known.record.failure is None],
            failures=[known.record.id for known in stored if known.record.failure is not None],
        )

    def _known(
        self, photograph: _Photograph, known: Known, scan: str, *, is_newest: bool = True
    ) -> IngestResult:
        """The result for a photograph that needs no scan; the source may have new facts and labels for it.

        `is_newest`: no other content of the file was imported later. Otherwise the row is written again,
        so that the store has the content that the file has now.
        """
        source = photograph.source
        record = merged(known.record, photograph.record, has_location=self._has_location(source))
        boxes = self._source_boxes(source)
        labelled = [box for box in boxes.kept if box.labels]
        return IngestResult(
            record=record,
            is_known=True,
            needs_write=not is_newest or record != known.record,
            scan=scan,
            labels=source.labels + labels_left(boxes.left, photograph.detector),
            box_labels=labels_of(records_of(record.id, photograph.detector, labelled), labelled),
            is_stored=True,
            is_moved=record.location != known.record.location,
            former_location=known.record.location,
        )

    def _scanned(
        self,
        photograph: _Photograph,
        record: ImageRecord,
        boxes: _Boxes,
        records: Sequence[DetectionRecord],
        *,
        scan: str,
        is_stored: bool,
        superseded: tuple[str, ...],
        is_changed: bool = False,
    ) -> IngestResult:
        """The result for a photograph with a new scan, whose detections are `records`."""
        return IngestResult(
            record=record,
            scan=scan,
            detections=tuple(records),
            labels=photograph.source.labels + labels_left(boxes.left, photograph.detector),
            box_labels=labels_of(records, boxes.kept),
            has_detector=photograph.detector != NOBODY,
            is_stored=is_stored,
            left_out=boxes.counted(),
            superseded=superseded,
            is_changed=is_changed,
        )

    def _has_location(self, source_image: SourceImage) -> bool:
        """Whether the location of a photograph is more than a guess from the folder's name."""
        return source_image.location is not None or self._options.location_pattern is not None

    def _source_boxes(self, source_image: SourceImage) -> _Boxes:
        return self._sorted(source_image.detections.boxes if source_image.detections is not None else ())

    def _boxes(self, source_image: SourceImage, photo: Photo) -> _Boxes:
        """The boxes of the source, else of the detector. Raises PhotoError if the detector fails."""
        if source_image.detections is not None or self._detector is None:
            return self._source_boxes(source_image)
        return self._sorted(self._detector.detect(photo))

    def _sorted(self, boxes: Sequence[DetectedBox]) -> _Boxes:
        keep = self._options.keep
        confident = [box for box in boxes if box.confidence >= self._options.threshold]
        kept = [box for box in confident if box.category in keep]
        left = [box for box in confident if box.category not in keep] if len(kept) < len(confident) else []
        return _Boxes(kept=kept, left=left)

    def _commit(self, batch: Sequence[IngestResult]) -> int:
        """One transaction for a batch, then the report; returns the number of photographs."""
        scans = [
            (result.record.id, result.scan)
            for result in batch
            if result.scan is not None and not result.is_known
        ]
        labelled = [
            Labelled(
                image_id=result.record.id,
                is_new=not result.is_stored,
                detections=result.detections,
                labels=result.labels,
                box_labels=result.box_labels,
            )
            for result in batch
            if result.record.failure is None
        ]
        with self._database.write() as conn:
            already = images.scanned(conn, scans)
            images.forget_failed(conn, {id_ for result in batch for id_ in result.superseded})
            images.add(conn, (result.record for result in batch if result.needs_write))
            votes = self._labels.settle(conn, labelled)
            records = (
                with_label(detection, votes[detection.id]) if detection.id in votes else detection
                for result in batch
                for detection in result.detections
            )
            stored = [detection for result in batch if result.is_stored for detection in result.detections]
            self._report.cut += detections.set_crops(conn, stored)  # before new rows are added
            self._report.detections += detections.add(conn, records)
            images.mark_scanned(conn, scans)
            self._report.labels += self._labels.write(conn, labelled, votes)
        for result in batch:
            self._count(result, is_scanned=(result.record.id, result.scan) in already)
        return len(batch)

    def _count(self, result: IngestResult, *, is_scanned: bool) -> None:
        """Count a result in the report; `is_scanned`: the store had this scan before."""
        report, record = self._report, result.record
        self._locations.update(
            location for location in (record.location, result.former_location) if location is not None
        )
        if record.failure is not None:
            report.failed[record.failure] += 1
            report.complain(record.file_name, f"{record.failure}: {record.failure_detail}")
            return
        report.moved += result.is_moved
        report.other_role += record.role is not self._options.role
        report.left_out.update(result.left_out)
        if result.is_known or (is_scanned and not result.is_stored):
            report.known += 1
            return
        report.photographs += not result.is_stored
        report.looked_again += result.is_stored
        report.changed += result.is_changed
        report.not_looked_at += not result.has_detector and not result.is_stored
        report.without_findings += result.has_detector and not result.detections
        report.without_time += record.datetime is None
        report.without_location += record.location is None


def _batches(results: Iterable[IngestResult]) -> Iterator[list[IngestResult]]:
    """Results that are committed together."""
    batch: list[IngestResult] = []
    began = time.monotonic()
    for result in results:
        batch.append(result)
        if len(batch) >= COMMIT_PHOTOS or time.monotonic() - began >= COMMIT_SECONDS:
            yield batch
            batch, began = [], time.monotonic()
    if batch:
        yield batch
