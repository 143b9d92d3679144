"""Scans one photograph of a source: reads it, finds its boxes and cuts its crops, if that is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from importers.detectors import Detector
from importers.ingest.results import (
    Boxes,
    IngestResult,
    chosen,
    failed,
    has_all,
    labels_left,
    labels_of,
    merged,
    origin_of,
    records_of,
    unchanged_of,
    without,
)
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.ingest.videos import as_frame
from importers.reading.locations import Locator, Origin, known_location
from importers.reading.paths import as_text
from pipeline.crops import content_hash, cut_crops
from pipeline.errors import PhotoError, SourceError
from pipeline.files import reading
from pipeline.identity import NO_DETECTOR, ROWS_ONLY, image_id
from pipeline.images import Photo, read_file
from pipeline.records import DetectionRecord, ImageRecord
from pipeline.store.images import StoredImage


class _Photograph(NamedTuple):
    """One photograph of the source, with what the store has of the file at its path."""

    source: SourceImage
    record: ImageRecord  # as the source describes it
    detector: str
    scan: str
    stored: Sequence[StoredImage]  # that could be read, in the order of their imports
    failures: Sequence[str]  # ids of earlier failures


class Scanner:
    """Makes the results for photographs; several threads may call `process` at once."""

    def __init__(
        self, data_dir: Path, detector: Detector | None, locate: Locator, options: ImportOptions
    ) -> None:
        """`detector` finds boxes on photographs that come without; None if the source has all boxes.

        Raises SourceError if no category of the detector is kept.
        """
        if detector is not None and not options.keep & set(detector.categories):
            raise SourceError(
                f"{detector.id} reports {', '.join(detector.categories)}, "
                f"but only {', '.join(sorted(options.keep))} is kept",
                remedy="keep one of its categories",
            )
        self._data_dir = data_dir
        self._detector = detector
        self._locate = locate
        self._options = options

    def record_only(self, source_image: SourceImage, stored: Sequence[StoredImage] = ()) -> IngestResult:
        """The result for a photograph whose file is not read."""
        photograph = self._photograph(source_image, stored, None)
        record = photograph.record
        if source_image.failure is not None:
            return failed(record, PhotoError(*source_image.failure), photograph.failures)
        boxes = self._source_boxes(source_image)
        same = photograph.stored[-1] if photograph.stored else None
        if same is not None:
            for scan in (photograph.scan, ROWS_ONLY + photograph.scan):
                if scan in same.scans and has_all(same, photograph.detector, boxes.kept):
                    return self._known(photograph, same, scan)
            record = merged(same.record, record, has_location=self._has_location(source_image))
        return self._scanned(
            photograph,
            record,
            boxes,
            records_of(record.id, photograph.detector, boxes.kept),
            scan=ROWS_ONLY + photograph.scan,
            former=None if same is None else same.record,
            superseded=tuple(photograph.failures),
        )

    def process(self, source_image: SourceImage, stored: Sequence[StoredImage] = ()) -> IngestResult:
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

    def _read(
        self, photograph: _Photograph, scanned: Sequence[StoredImage], mtime: float | None
    ) -> IngestResult:
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
            photo = Photo(data, partial=True)
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
            record = replace(record, defect=photo.defect or record.defect)
        except PhotoError as exc:
            first = photograph.source.not_at
            error = exc if first is None else PhotoError(exc.failure, f"not {first}; {exc.detail}")
            return failed(record, error, photograph.failures)
        return self._scanned(
            photograph,
            record,
            boxes,
            cut,
            scan=photograph.scan,
            former=None if same is None else same.record,
            superseded=without([*photograph.failures, image_id(name, None)], record.id),
            is_changed=same is None and any(k.record.file_name == name for k in photograph.stored),
        )

    def _photograph(
        self, source_image: SourceImage, stored: Sequence[StoredImage], detector: Detector | None
    ) -> _Photograph:
        """The photograph with its record, identified by its path until the file is read."""
        if source_image.detections is not None:
            detector_id = source_image.detections.detector
        else:
            detector_id = NO_DETECTOR if detector is None else detector.id
        source_image = as_frame(source_image)
        name, path = as_text(source_image.file_name), as_text(source_image.path)
        failures = [known.record.id for known in stored if known.record.failure is not None]
        if source_image.video is not None:  # the whole video may have failed before
            failures.append(image_id(as_text(source_image.video), None))
        record = ImageRecord(
            id=image_id(name, f"@{path}"),
            file_name=name,
            path=path,
            width=source_image.width,
            height=source_image.height,
            location=known_location(source_image.location) or self._locate(source_image.video or name),
            datetime=source_image.datetime,
            seq_id=source_image.seq_id,
            frame_num=_counted(source_image.frame_num, 0),
            seq_num_frames=_counted(source_image.seq_num_frames, 1),
            deployment_id=source_image.deployment_id,
            role=self._options.role,
            source_id=source_image.source_id,
            video=None if source_image.video is None else as_text(source_image.video),
            video_frame=source_image.video_frame,
            video_frame_rate=source_image.video_frame_rate,
            source=source_image.source,
            details=source_image.details,
        )
        return _Photograph(
            source=source_image,
            record=record,
            detector=detector_id,
            scan=self._options.scan(detector_id),
            stored=[known for known in stored if known.record.failure is None],
            failures=failures,
        )

    def _known(
        self, photograph: _Photograph, known: StoredImage, scan: str, *, is_newest: bool = True
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
            origin=self._origin(photograph, record),
        )

    def _scanned(
        self,
        photograph: _Photograph,
        record: ImageRecord,
        boxes: Boxes,
        records: Sequence[DetectionRecord],
        *,
        scan: str,
        former: ImageRecord | None,
        superseded: tuple[str, ...],
        is_changed: bool = False,
    ) -> IngestResult:
        """The result for a photograph with a new scan, whose detections are `records`.

        `former` is its record in the store, if it is there.
        """
        return IngestResult(
            record=record,
            scan=scan,
            detections=tuple(records),
            labels=photograph.source.labels + labels_left(boxes.left, photograph.detector),
            box_labels=labels_of(records, boxes.kept),
            has_detector=photograph.detector != NO_DETECTOR,
            is_stored=former is not None,
            is_moved=former is not None and record.location != former.location,
            former_location=None if former is None else former.location,
            left_out=boxes.counted(),
            superseded=superseded,
            is_changed=is_changed,
            origin=self._origin(photograph, record),
        )

    def _has_location(self, source_image: SourceImage) -> bool:
        """Whether the location of a photograph is more than a guess from the folder's name."""
        return known_location(source_image.location) is not None or self._options.location_pattern is not None

    def _origin(self, photograph: _Photograph, record: ImageRecord) -> Origin | None:
        named = known_location(photograph.source.location)
        has_pattern = self._options.location_pattern is not None
        read = self._locate(record.video or record.file_name) if has_pattern else None
        return origin_of(record, photograph.record, named=named, read=read)

    def _source_boxes(self, source_image: SourceImage) -> Boxes:
        given = source_image.detections
        return chosen(given.boxes if given is not None else (), self._options)

    def _boxes(self, source_image: SourceImage, photo: Photo) -> Boxes:
        """The boxes of the source, else of the detector. Raises PhotoError if the detector fails."""
        if source_image.detections is not None or self._detector is None:
            return self._source_boxes(source_image)
        return chosen(self._detector.detect(photo), self._options)


def _counted(number: int | None, least: int) -> int | None:
    """A number of frames; None for -1, by which sources mean that they do not know it."""
    return number if number is not None and number >= least else None
