"""How good a version is: on what was held out from it, on all that has no label yet, and by the audit."""

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
    """The version's answers on the crops that nobody has labelled, compared with the truth."""

    right: int
    compared: int  # crops that the truth says something of

    @property
    def accuracy(self) -> float | None:
        return self.right / self.compared if self.compared else None


def rest(workspace: Workspace, model: ModelRecord, truth: Truth) -> Rest:
    """Score every waiting crop of the project by the version's head."""
    with workspace.database.read() as conn:
        waiting = candidates.waiting_ids(conn, model.project_id)
        names = categories.names(conn)
        boxes = detections.get(conn, waiting)
        photos = images.get(conn, {one.image_id for one in boxes.values()})
    pool = open_pool(workspace.database, workspace.data_dir, model.embedder)
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


def heading() -> str:
    """What `line` aligns with."""
    return _row("version", "learned", "held-out accuracy", "macro F1", "right on the unlabelled rest")


def line(model: ModelRecord, rest: Rest | None) -> str:
    """One version's figures."""
    figures = model.metrics
    held_out = macro = unlabelled = "-"
    if figures.get("accuracy") is not None:
        spread = f"{figures['accuracy_low']:.0%} to {figures['accuracy_high']:.0%}"
        held_out, macro = f"{figures['accuracy']:.1%} ({spread})", f"{figures['macro_f1']:.2f}"
    if rest is not None and rest.accuracy is not None:
        unlabelled = f"{rest.accuracy:.1%} of {rest.compared}"
    return _row(model.version, str(model.labels), held_out, macro, unlabelled)


def audited(workspace: Workspace, project_id: int) -> str | None:
    """What the audit says of the current version; None before the first audit label or head."""
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    told = judge(workspace.database, workspace.data_dir, project)
    if told is None or told.estimates.accuracy is None:
        return None
    share = told.estimates.accuracy
    return (
        f"judged by {told.labelled} audit labels, it is right on {share.value:.0%} "
        f"({share.low:.0%} to {share.high:.0%}) of crops that nobody chose"
    )


def _row(first: str, *others: str) -> str:
    return f"{first:<{COLUMNS[0]}}" + "".join(
        f"{text:>{width}}" for text, width in zip(others, COLUMNS[1:], strict=True)
    )
