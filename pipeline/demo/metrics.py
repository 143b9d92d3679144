"""How good a version is: on what was held out from it, on all that has no label yet, and by the audit."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline import registry
from pipeline.demo.truth import Truth
from pipeline.records import ModelRecord
from pipeline.render.learning import estimated, held_out_accuracy
from pipeline.render.text import count, decimal
from pipeline.steps.learning.audit import judge
from pipeline.store import candidates, categories, detections, images
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Rest:
    """The version's answers on the crops that nobody has labelled, compared with the truth."""

    right: int
    compared: int  # crops that the truth says something of

    @property
    def accuracy(self) -> float | None:
        return self.right / self.compared if self.compared else None


def rest(workspace: Workspace, model: ModelRecord, truth: Truth) -> Rest:
    """Score every waiting crop of the project by the version's head."""
    with workspace.database.read() as conn:
        waiting = candidates.waiting(conn, model.project_id)
        names = categories.names(conn)
        boxes = detections.get(conn, waiting)
        photos = images.get(conn, {one.image_id for one in boxes.values()})
    pool = workspace.pool(model.embedder)
    true = {
        one: truth.label(photos[detection.image_id].file_name, detection.box)
        for one, detection in boxes.items()
        if one in pool.index
    }
    known = [one for one in true if true[one] is not None]
    if not known:
        return Rest(right=0, compared=0)
    head = registry.load_head(workspace.data_dir, model)
    answers = head.answers(pool.rows(known))
    right = sum(names[int(answer)] == true[one] for answer, one in zip(answers, known, strict=True))
    return Rest(right=right, compared=len(known))


def line(model: ModelRecord, rest: Rest | None) -> str:
    """One version's metrics."""
    text = (
        f"{model.version} ({count(model.labels, 'labels')}): held-out accuracy "
        f"{held_out_accuracy(model.metrics)}, macro-F1 {decimal(model.metrics.get('macro_f1'))}"
    )
    if rest is None or rest.accuracy is None:
        return text
    return f"{text}; correct on the unlabelled rest: {rest.accuracy:.1%} of {rest.compared}"


def audited(workspace: Workspace, project_id: int) -> str | None:
    """What the audit says of the current version; None before the first audit label or head."""
    told = judge(workspace, project_id)
    if told is None or told.estimates.accuracy is None:
        return None
    return (
        f"accuracy on randomly drawn crops: {estimated(told.estimates.accuracy)}, from "
        f"{count(told.labelled, 'audit labels')}"
    )
