"""Small sets of photographs to export."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.exporters.source import Answer, Basis, LabelledDetection, LabelledImage
from pipeline.identity import detection_id, digest
from pipeline.records import Box, DeploymentRecord, DetectionRecord, ImageRecord, SourceLabel, Taxon

NOON = dt.datetime(2024, 5, 1, 12, 0, 0)
BOX = Box(x1=0.25, y1=0.25, x2=0.5, y2=0.75)


@dataclass(frozen=True, kw_only=True)
class FixedSurvey:
    """An export source of fixed photographs."""

    images: Sequence[LabelledImage]
    title: str = "Spring survey"
    created: dt.datetime = dt.datetime(2024, 6, 1, 8, 30, tzinfo=dt.UTC)
    model_version: str | None = None
    categories: Mapping[int, str] = field(default_factory=lambda: {0: "empty", 1: "red fox", 2: "roe deer"})
    taxa: Mapping[str, Taxon] = field(default_factory=dict)
    packages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    deployments: Mapping[str, DeploymentRecord] = field(default_factory=dict)

    def photographs(self) -> Iterator[LabelledImage]:
        yield from self.images


def survey(
    *images: LabelledImage, deployments: Iterable[DeploymentRecord] = (), **others: Any
) -> FixedSurvey:
    """An export source of these photographs."""
    return FixedSurvey(
        images=images, deployments={deployment.id: deployment for deployment in deployments}, **others
    )


def photograph(
    name: str = "site a/IMG_1.JPG",
    *boxes: LabelledDetection,
    labels: Iterable[SourceLabel] = (),
    detectors: Iterable[str] = (),
    whole: Answer | None = None,
    **fields: Any,
) -> LabelledImage:
    """A photograph of site a at noon; `fields` are those of ImageRecord."""
    given = {"location": "site a", "datetime": NOON, "width": 160, "height": 120, **fields}
    record = ImageRecord(id=digest(name), file_name=name, path=f"/photos/{name}", **given)
    own = tuple(
        LabelledDetection(record=_of(box.record, record.id, number), answer=box.answer)
        for number, box in enumerate(boxes)
    )
    return LabelledImage(
        image=record, detections=own, labels=tuple(labels), detectors=tuple(detectors), whole=whole
    )


SIGNED_OFF = Answer(basis=Basis.PEOPLE, category="empty", by=("ann",))  # a whole photograph
STRUCK_OUT = Answer(basis=Basis.NONE)  # that shows something, and has no box yet


def box(
    category: str | None = None,
    basis: Basis = Basis.NONE,
    *,
    at: Box = BOX,
    confidence: float | None = 0.9,
    kind: str = "animal",
    detector: str = "md_v5a",
    when: dt.datetime | None = None,
    **answer: Any,
) -> LabelledDetection:
    """A detection with its answer at the moment `when`; `answer` are further fields of Answer."""
    record = DetectionRecord(
        id="", image_id="", box=at, bbox_confidence=confidence, detector=detector, detector_category=kind
    )
    return LabelledDetection(record=record, answer=Answer(basis=basis, category=category, at=when, **answer))


def _of(record: DetectionRecord, image: str, number: int) -> DetectionRecord:
    return DetectionRecord(
        id=digest(detection_id(image, record.detector, record.box), str(number)),
        image_id=image,
        box=record.box,
        bbox_confidence=record.bbox_confidence,
        detector=record.detector,
        detector_category=record.detector_category,
    )
