"""MegaDetector results, format 1.6: boxes with classifications, for Timelapse and AddaxAI."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.exporters.source import (
    Answer,
    Basis,
    ExportReport,
    ExportSource,
    LabelledDetection,
    LabelledImage,
)
from pipeline.exporters.writing import DIGITS, JsonList, free_name, rounded
from pipeline.files.atomic import atomic_file
from pipeline.records import DRAWN_DETECTOR, EMPTY, Box, ImageRecord, Level, SourceLabel, Taxon, category_name
from pipeline.taxonomy import taxonomy_string

FORMAT_VERSION = "1.6"
DETECTION_CATEGORIES = {"animal": "1", "person": "2", "vehicle": "3"}  # known to every reader
# Such photographs fail: [] would mean empty.
NOT_LOOKED_AT = "no detector looked at it"
WITHOUT_BOX = "it is labelled as a whole, and has no box"

_FROM_RESULTS = "results:"  # prefix of the detector of a results file in the store
_ADOPTED = "megadetector:"  # prefix of the classifier of a results file in the store
_MOST_NAMES = 3  # of classifiers or annotators in `info`
_MACHINE = (Basis.MODEL, Basis.WEAK)
_V5 = {"typical_detection_threshold": 0.2, "conservative_detection_threshold": 0.05}
_V1000 = {"typical_detection_threshold": 0.3}


def write(out: Path, source: ExportSource) -> ExportReport:
    """Write `source` to the file `out`, atomically. Raises FileError if the disk refuses.

    The answer of a box is its only classification, with a confidence of 1 if it is of people; unclassified
    boxes have none. Photographs that failed, that no detector looked at, or on which there is something
    without a box, have a `failure`. The frames of a video are one entry with its name. The format has no
    labels of whole photographs; the report counts them.
    """
    report = ExportReport(path=str(out))
    images = _Images(source.categories, report)
    with atomic_file(out) as draft, draft.open("w", encoding="utf-8") as file:
        # `info` and the categories come first but are complete last, so images wait in a separate file.
        with tempfile.TemporaryFile("w+", encoding="utf-8", dir=draft.parent) as spool:
            listed, names = JsonList(spool), set[int]()
            for image, photographs in _entries(source.photographs()):
                name = free_name(image, names, report)
                if name is not None:
                    listed.add(images.record(photographs, name))
                    for photograph in photographs:
                        report.count(photograph)
            head = {
                "info": _info(source, images, report),
                "detection_categories": {id_: name for name, id_ in images.kinds.items()},
                "classification_categories": {id_: name for name, id_ in images.classes.items()},
                **_descriptions(images.classes, source.taxa),
            }
            file.write(json.dumps(head, indent=1).removesuffix("\n}") + ',\n "images": [')
            spool.seek(0)
            shutil.copyfileobj(spool, file)
        file.write("\n]}\n")
    return report


class _Images:
    """Makes the records of `images`, and collects the detectors, sources and classes in them."""

    def __init__(self, categories: Mapping[int, str], report: ExportReport) -> None:
        self.kinds = dict(DETECTION_CATEGORIES)  # ids by name
        self.classes = {category_name(name): str(number) for number, name in sorted(categories.items())}
        self.detectors: set[str] = set()
        self.sources: dict[Basis, set[str]] = {Basis.SOURCE: set(), Basis.WEAK: set()}
        self._report = report

    def record(self, photographs: Sequence[LabelledImage], name: str) -> dict[str, Any]:
        """The record of a photograph, or of the frames of a video."""
        image = photographs[0].image
        record: dict[str, Any] = {"file": name}
        if image.width and image.height:
            record |= {"width": image.width, "height": image.height}
        start = _start(image)
        if start is not None:
            moment = start.isoformat(sep=" ", timespec="seconds")
            record["datetime"] = moment.replace("-", ":", 2)  # as EXIF has it
        failures = [self._failure(photograph) for photograph in photographs]
        usable = [one for one, failure in zip(photographs, failures, strict=True) if failure is None]
        record |= _video_fields(image, usable)
        if not usable:
            return record | {"failure": failures[0], "detections": None}
        if len(usable) < len(photographs):
            self._report.note("frames of videos that failed, left out", len(photographs) - len(usable))
        return record | {"detections": [found for one in usable for found in self._detections(one)]}

    def _detections(self, photograph: LabelledImage) -> Iterator[dict[str, Any]]:
        if any(label.category != EMPTY for label in photograph.labels):
            self._report.note("photographs with labels of the whole, for which this format has no place")
        frame = {"frame_number": photograph.image.video_frame} if _video(photograph) is not None else {}
        for detection in photograph.detections:
            yield self._detection(detection) | frame

    def _failure(self, photograph: LabelledImage) -> str | None:
        image = photograph.image
        self.detectors.update(photograph.detectors)
        found_by = {detection.record.detector for detection in photograph.detections}
        self.detectors.update(found_by - {DRAWN_DETECTOR})
        if image.failure is not None:
            return ": ".join(part for part in (image.failure, image.failure_detail) if part)
        if photograph.detections:
            return None
        is_seen = photograph.whole is not None and photograph.whole.category != EMPTY
        if photograph.detectors and (is_seen or any(map(_says_something, photograph.labels))):
            self._report.note(f"photographs with the failure {WITHOUT_BOX!r}")
            return WITHOUT_BOX
        if photograph.detectors:
            return None
        if photograph.labels and all(label.category == EMPTY for label in photograph.labels):
            return None
        self._report.note(f"photographs with the failure {NOT_LOOKED_AT!r}")
        return NOT_LOOKED_AT

    def _detection(self, labelled: LabelledDetection) -> dict[str, Any]:
        record = labelled.record
        confidence = 1.0 if record.bbox_confidence is None else record.bbox_confidence
        detection: dict[str, Any] = {
            "category": self.kinds.setdefault(record.detector_category, str(len(self.kinds) + 1)),
            "conf": round(float(confidence), DIGITS),
            "bbox": _bbox(record.box),
        }
        classification = self._classification(labelled.answer)
        return detection if classification is None else detection | {"classifications": [classification]}

    def _classification(self, answer: Answer) -> list[Any] | None:
        if answer.unsure:
            self._report.note("detections that people are unsure of, without a classification")
        if answer.others:
            self._report.note("detections with further species, of which this format takes one")
        if answer.category is None:
            return None
        if answer.basis in self.sources:
            self.sources[answer.basis].update(answer.by)
        name = category_name(answer.category)
        if name not in self.classes:
            free = max((int(id_) for id_ in self.classes.values()), default=-1) + 1
            self.classes[name] = str(free)
        sure = answer.probability if answer.basis in _MACHINE and answer.probability is not None else 1.0
        return [self.classes[name], round(float(sure), DIGITS)]


def _says_something(label: SourceLabel) -> bool:
    """Whether a label says of the photograph itself that there is something on it."""
    return label.level is Level.IMAGE and label.category != EMPTY and not label.is_unclassified


def _info(source: ExportSource, images: _Images, report: ExportReport) -> dict[str, Any]:
    names = sorted({name.removeprefix(_FROM_RESULTS) for name in images.detectors})
    info: dict[str, Any] = {"format_version": FORMAT_VERSION, "detector": ", ".join(names) or "unknown"}
    metadata = _metadata(names[0]) if len(names) == 1 else None
    if metadata is not None:
        info["detector_metadata"] = metadata
    by = [
        _classifier(basis, source, images)
        for basis in Basis
        if basis in report.answers and basis != Basis.NONE
    ]
    if by:
        info["classifier"] = ", ".join(by)
        info["classification_completion_time"] = f"{source.created:%Y-%m-%d %H:%M:%S}"
    return info


def _descriptions(classes: Mapping[str, str], taxa: Mapping[str, Taxon]) -> dict[str, dict[str, str]]:
    """The taxonomy of every class by its id, as readers require; nothing if that of no class is known."""
    if taxa.keys().isdisjoint(classes):
        return {}
    strings = {id_: taxonomy_string(name, taxa) for name, id_ in classes.items()}
    return {"classification_category_descriptions": strings}


def _classifier(basis: Basis, source: ExportSource, images: _Images) -> str:
    if basis is Basis.MODEL:
        return source.model_version or basis.value
    named = sorted(name.removeprefix(_ADOPTED) for name in images.sources.get(basis, ()))
    return ", ".join(named) if 0 < len(named) <= _MOST_NAMES else basis.value


def _metadata(detector: str) -> dict[str, float] | None:
    """The thresholds that readers start from, if the name of the detector is a known MegaDetector."""
    if re.search(r"v?1000", detector, re.IGNORECASE):
        return dict(_V1000)
    return dict(_V5) if re.search(r"(md|megadetector).*v5", detector, re.IGNORECASE) else None


def _bbox(box: Box) -> list[float]:
    """[x, y, width, height] of the rounded box."""
    x1, y1, x2, y2 = rounded(box)
    return [x1, y1, round(x2 - x1, DIGITS), round(y2 - y1, DIGITS)]


def _entries(
    photographs: Iterator[LabelledImage],
) -> Iterator[tuple[ImageRecord, Sequence[LabelledImage]]]:
    """Each photograph, and each video with all its frames; the record names the file."""
    for video, group in groupby(photographs, key=_video):
        if video is None:
            yield from ((photograph.image, (photograph,)) for photograph in group)
            continue
        frames = tuple(group)
        image = frames[0].image
        yield replace(image, file_name=video[0], path=image.path.rpartition("/")[0]), frames


def _video(photograph: LabelledImage) -> tuple[str, str | None] | None:
    """The name and the sequence of the video of a frame, if all is known that its entry needs."""
    image = photograph.image
    if image.video is None or image.video_frame is None or not image.video_frame_rate:
        return None
    return image.video, image.seq_id


def _start(image: ImageRecord) -> dt.datetime | None:
    """The time of a photograph, or the second in which the video began whose frame it is."""
    if image.datetime is None or image.video_frame is None or not image.video_frame_rate:
        return image.datetime
    start = image.datetime - dt.timedelta(seconds=image.video_frame / image.video_frame_rate)
    return (start + dt.timedelta(seconds=0.5)).replace(microsecond=0)


def _video_fields(image: ImageRecord, usable: Sequence[LabelledImage]) -> dict[str, Any]:
    """Further fields that the format requires for a video whose first frame, or failure, is `image`."""
    if image.video_frame is not None and image.video_frame_rate:
        numbers = [frame.image.video_frame for frame in usable]
        return {"frame_rate": float(image.video_frame_rate), "frames_processed": numbers}
    return {"frame_rate": -1, "frames_processed": []} if image.failure == "video" else {}
