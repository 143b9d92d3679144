"""How good a version is: on held-out labels, on all crops without a label, and by the audit."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.demo.truth import Truth
from pipeline.records import ModelRecord
from pipeline.render.learning import estimated, held_out_accuracy
from pipeline.render.text import count, decimal
from pipeline.steps.learning.audit import judge
from pipeline.steps.learning.predict import load_head
from pipeline.store import candidates, categories, detections, images
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Rest:
    """The version's predictions for crops without a label, compared with the truth."""

    right: int
    compared: int  # crops whose true label is known

    @property
    def accuracy(self) -> float | None:
        return self.right / self.compared if self.compared else None


def rest(workspace: Workspace, model: ModelRecord, truth: Truth) -> Rest:
    """Predict every waiting crop of the project and compare it with the truth."""
    with workspace.database.read() as conn:
        waiting = candidates.waiting_ids(conn)
        names = categories.names(conn)
        boxes = detections.get(conn, waiting)
        photos = images.get(conn, {detection.image_id for detection in boxes.values()})
    pool = workspace.pool(model.embedder)
    true = {
        detection_id: truth.label(photos[detection.image_id].file_name, detection.box)
        for detection_id, detection in boxes.items()
        if detection_id in pool.index
    }
    known = [detection_id for detection_id, label in true.items() if label is not None]
    if not known:
        return Rest(right=0, compared=0)
    head = load_head(workspace, model)
    predicted = head.predict(pool.rows(known))
    right = sum(
        names[int(category)] == true[detection_id]
        for category, detection_id in zip(predicted, known, strict=True)
    )
    return Rest(right=right, compared=len(known))


def line(model: ModelRecord, rest: Rest | None) -> str:
    """The metrics of one version."""
    text = (
        f"{model.version} ({count(model.labels, 'labels')}): held-out accuracy "
        f"{held_out_accuracy(model.metrics)}, macro-F1 {decimal(model.metrics.get('macro_f1'))}"
    )
    if rest is None or rest.accuracy is None:
        return text
    return f"{text}; correct on the unlabelled rest: {rest.accuracy:.1%} of {rest.compared}"


def audited(workspace: Workspace, project_id: int) -> str | None:
    """The accuracy of the current version by the audit; None before the first audit label or head."""
    audit = judge(workspace, project_id)
    if audit is None or audit.estimates.accuracy is None:
        return None
    return (
        f"accuracy on randomly drawn crops: {estimated(audit.estimates.accuracy)}, from "
        f"{count(audit.labelled, 'audit labels')}"
    )
