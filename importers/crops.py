"""Writes the crop and the framed thumbnail of each detection of a photograph."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from importers.detectors.detector import Finding
from importers.entries import ImportOptions
from pipeline import images
from pipeline.records import DetectionRecord, detection_id


def crop_name(folder: str, detection: str) -> str:
    """Where a detection's picture lies below the data folder: in one of 256 subfolders."""
    return f"{folder}/{detection[:2]}/{detection}.jpg"


def cut(
    photo: images.Photo,
    image_id: str,
    detector: str,
    findings: Iterable[Finding],
    data_dir: Path,
    options: ImportOptions,
) -> list[DetectionRecord]:
    """The photograph's detections, their crops and thumbnails written.

    The pixels are decoded at most once: not at all where nothing is kept and no detector looked.
    Raises PhotoError where the pixels are damaged, StoreError where the disk refuses.
    """
    # Of two findings with the same box the surer one stands.
    by_id = {detection_id(image_id, detector, found.box): found for found in sorted(findings, key=_sureness)}
    areas = {
        id_: images.square(found.box, photo.width, photo.height, options.context)
        for id_, found in by_id.items()
    }
    if not areas:
        return []
    photo.pixels(images.scale_needed(areas.values(), photo.width, photo.height, crop_side=options.crop_side))
    small = images.thumbnail(photo)
    records = []
    for id_, found in by_id.items():
        crop_path, frame_path = crop_name("crops", id_), crop_name("frames", id_)
        crop = images.crop(photo, areas[id_], options.crop_side)
        images.write_jpeg(crop, data_dir / crop_path, images.CROP_QUALITY)
        images.write_jpeg(images.framed(small, found.box), data_dir / frame_path, images.FRAME_QUALITY)
        records.append(
            DetectionRecord(
                id=id_,
                image_id=image_id,
                box=found.box,
                bbox_confidence=found.confidence,
                detector=detector,
                detector_category=found.category,
                crop_path=crop_path,
                frame_path=frame_path,
            )
        )
    return records


def _sureness(finding: Finding) -> float:
    return finding.confidence
