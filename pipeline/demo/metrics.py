"""How good a version is: on held-out labels, on all crops without a label, and by the audit."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline import registry
from pipeline.demo.truth import Truth
from pipeline.records import ModelRecord
from pipeline.steps.learning.audit import judge
from pipeline.store import candidates, categories, detections, images, projects
from pipeline.store.pool import open_pool
from pipeline.workspace import Workspace

COLUMNS = (14, 7, 27, 10, 31)


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
        waiting = candidates.waiting(conn, model.project_id)
        names = categories.names(conn)
        boxes = detections.get(conn, waiting)
        photos = images.get(conn, {detection.image_id for detection in boxes.values()})
    pool = open_pool(workspace.database, workspace.data_dir, model.embedder)
    true = {
        detection_id: truth.label(photos[detection.image_id].file_name, detection.box)
        for detection_id, detection in boxes.items()
        if detection_id in pool.index
    }
    known = [detection_id for detection_id, label in true.items() if label is not None]
    if not known:
        return Rest(right=0, compared=0)
    head = registry.load_head(workspace.data_dir, model)
    answers = head.answers(pool.rows(known))
    right = sum(
        names[int(answer)] == true[detection_id] for answer, detection_id in zip(answers, known, strict=True)
    )
    return Rest(right=right, compared=len(known))


def heading() -> str:
    """The column titles of `line`."""
    return _row("version", "learned", "held-out accuracy", "macro F1", "right on the unlabelled rest")


def line(model: ModelRecord, rest: Rest | None) -> str:
    """The figures of one version."""
    figures = model.metrics
    held_out = macro = unlabelled = "-"
    if figures.get("accuracy") is not None:
        spread = f"{figures['accuracy_low']:.0%} to {figures['accuracy_high']:.0%}"
        held_out, macro = f"{figures['accuracy']:.1%} ({spread})", f"{figures['macro_f1']:.2f}"
    if rest is not None and rest.accuracy is not None:
        unlabelled = f"{rest.accuracy:.1%} of {rest.compared}"
    return _row(model.version, str(model.labels), held_out, macro, unlabelled)


def audited(workspace: Workspace, project_id: int) -> str | None:
    """The accuracy of the current version by the audit; None before the first audit label or head."""
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    audit = judge(workspace.database, workspace.data_dir, project)
    if audit is None or audit.estimates.accuracy is None:
        return None
    share = audit.estimates.accuracy
    return (
        f"judged by {audit.labelled} audit labels, it is right on {share.value:.0%} "
        f"({share.low:.0%} to {share.high:.0%}) of crops that nobody chose"
    )


def _row(first: str, *others: str) -> str:
    return f"{first:<{COLUMNS[0]}}" + "".join(
        f"{text:>{width}}" for text, width in zip(others, COLUMNS[1:], strict=True)
    )
