"""Ingests the photographs of a source in batches, resumable.

Threads scan photographs; one more thread writes to the store, in the order of the source. Crop files
are written before the rows that name them, so an interrupted import leaves nothing incomplete: what was
not committed is repeated into the same files.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from joblib import cpu_count
from tqdm import tqdm

from importers.detectors import Detector
from importers.ingest import sequences
from importers.ingest.doubts import Doubts
from importers.ingest.labels import Labelled, Labels, with_label
from importers.ingest.report import ImportReport
from importers.ingest.results import IngestResult
from importers.ingest.scanner import Scanner
from importers.ingest.source_image import ImportOptions, SourceImage, former_paths
from importers.reading.locations import Locator
from importers.reading.paths import as_text
from pipeline.clock import is_doubtful
from pipeline.records import utc_now
from pipeline.store import detections, images, projects, schema
from pipeline.store.database import chunks
from pipeline.store.images import StoredImage
from pipeline.workspace import Workspace

LOOKUP = 256  # photographs looked up in the store at once
COMMIT_PHOTOS = 64  # most photographs that an interruption repeats ...
COMMIT_SECONDS = 5.0  # ... and the longest time
ROWS = 4_096  # photographs looked up and committed at once if no file is read
GARBAGE = 500_000  # objects created between two garbage collections
IN_FLIGHT = 4  # photographs queued for each thread


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
        """`detector` finds boxes on photographs that come without; None if the source has all boxes.

        Raises SourceError if no category of the detector is kept.
        """
        self._scanner = Scanner(workspace.data_dir, detector, locate, options)
        self._database = workspace.database
        self._options = options
        self._report = report
        self._locations: set[str] = set()
        self._doubts = Doubts()
        self._labels = Labels()
        self._began = utc_now()

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
        self._report.hints += self._doubts.sentences()
        self._report.sequences = sequences.assign(self._database, self._locations, self._options.gap)
        self._report.seconds = time.monotonic() - began
        return self._report

    def _ingest(self, source_images: Iterable[SourceImage], total: int, progress: bool) -> None:
        if self._options.rows_only:
            batches = self._row_batches(source_images)
        else:
            batches = _batches(self._results(source_images))
        with (
            tqdm(
                total=total,
                unit="photo",
                desc="import",
                disable=None if progress else True,
                smoothing=0.1,
            ) as bar,
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
        workers = self._options.workers or cpu_count()
        queue: deque[Future[IngestResult]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="import")
        try:
            for source_image, stored in self._with_stored(source_images, LOOKUP):
                queue.append(pool.submit(self._scanner.process, source_image, stored))
                if len(queue) >= workers * IN_FLIGHT:
                    yield queue.popleft().result()
            while queue:
                yield queue.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _row_batches(self, source_images: Iterable[SourceImage]) -> Iterator[list[IngestResult]]:
        for batch in chunks(self._with_stored(source_images, ROWS), ROWS):
            yield [self._scanner.record_only(source_image, stored) for source_image, stored in batch]

    def _with_stored(
        self, source_images: Iterable[SourceImage], size: int
    ) -> Iterator[tuple[SourceImage, Sequence[StoredImage]]]:
        """Each photograph with what the store has of the file at its path; `size` are looked up at once."""
        for batch in chunks(source_images, size):
            with self._database.read() as conn:
                stored = images.at_paths(conn, [as_text(source_image.path) for source_image in batch])
                unknown = [one for one in batch if as_text(one.path) not in stored]
                former = {as_text(path): as_text(one.path) for one in unknown for path in former_paths(one)}
                for path, found in images.at_paths(conn, former).items():
                    stored.setdefault(former[path], []).extend(found)
            for source_image in batch:
                yield source_image, stored.get(as_text(source_image.path), ())

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
            already = images.stored_scans(conn, scans)
            images.remove_failed(conn, {id_ for result in batch for id_ in result.superseded})
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
            images.add_scans(conn, scans)
            if any(result.is_moved for result in batch):
                projects.mend_tasks(conn)  # they show the location
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
            if record.failure == "missing":
                self._doubts.add_missing(record.path.removesuffix(f"/{record.file_name}"), record.file_name)
            return
        if record.location is not None and result.origin is not None:
            report.locations[record.location] += 1
            report.origins[result.origin] += 1
            self._doubts.add(record.video or record.file_name, record.location, result.origin)
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
        if record.defect is not None:
            report.damaged[record.defect] += 1
        if record.datetime is not None and is_doubtful(record.datetime, self._began):
            report.doubtful_years[str(record.datetime.year)] += 1
            report.doubtful_example = report.doubtful_example or record.file_name


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
