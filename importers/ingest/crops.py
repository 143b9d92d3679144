"""Writes the crop and the framed thumbnail of each detection of a photograph."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from importers.detectors.detector import DetectedBox
from importers.ingest.source_image import ImportOptions
from pipeline import images
from pipeline.identity import detection_id
from pipeline.records import DetectionRecord


def crop_name(folder: str, detection: str) -> str:
    """Where a detection's picture lies below the data folder: in one of 256 subfolders."""
    return f"{folder}/{detection[:2]}/{detection}.jpg"


def cut(
    photo: images.Photo,
    image_id: str,
    detector: str,
    findings: Iterable[DetectedBox],
    data_dir: Path,
    options: ImportOptions,
) -> list[DetectionRecord]:
    """The photograph's detections, their crops and thumbnails written.

    The pixels are decoded at most once: not at all where nothing is kept and no detector looked.
    Raises PhotoError where the pixels are damaged, StoreError where the disk refuses.
    """
    # Of two findings with the same box the surer one stands.
    surer_last = sorted(findings, key=_sureness)
    records = {record.id: record for record in (recorded(image_id, detector, each) for each in surer_last)}
    areas = {
        id_: images.square(record.box, photo.width, photo.height, options.context)
        for id_, record in records.items()
    }
    if not areas:
        return []
    photo.pixels(images.scale_needed(areas.values(), photo.width, photo.height, crop_side=options.crop_side))
    small = images.thumbnail(photo)
    cuttings = []
    for id_, record in records.items():
        crop_path, frame_path = crop_name("crops", id_), crop_name("frames", id_)
        crop = images.crop(photo, areas[id_], options.crop_side)
        images.write_jpeg(crop, data_dir / crop_path, images.CROP_QUALITY)
        images.write_jpeg(images.framed(small, record.box), data_dir / frame_path, images.FRAME_QUALITY)
        cuttings.append(replace(record, crop_path=crop_path, frame_path=frame_path))
    return cuttings


def recorded(image_id: str, detector: str, found: DetectedBox) -> DetectionRecord:
    """The detection of a finding, without its crop."""
    return DetectionRecord(
        id=detection_id(image_id, detector, found.box),
        image_id=image_id,
        box=found.box,
        bbox_confidence=found.confidence,
        detector=detector,
        detector_category=found.category,
    )


def _sureness(finding: DetectedBox) -> float:
    return finding.confidence
