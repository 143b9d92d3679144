"""What a run of each kind does. Each returns its result as JSON, and may be stopped and done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from pipeline.jobs.enqueue import is_due, request, top_up_if_low, train_if_due
from pipeline.records import RunKind, RunRecord
from pipeline.store import embeddings, models, projects, runs
from pipeline.store.projects import EmbedderChangedError
from pipeline.workspace import Workspace

# After this time an embed run ends, what it has embedded joins the stock, and another run goes on: nobody
# waits for the whole pool, and a worker does other runs in between.
EMBED_SECONDS = 300.0

Result = Mapping[str, Any]
Work = Callable[[Workspace, RunRecord, bool], Result]  # the last: whether to show progress bars


def work_of(kind: RunKind) -> Work:
    """What a run of this kind does."""
    return {RunKind.EMBED: _embed, RunKind.PUBLISH: _publish, RunKind.TRAIN: _train, RunKind.SYNC: _sync}[
        kind
    ]


def project_of(run: RunRecord) -> int:
    """The run's project."""
    assert run.project_id is not None, "the store accepts no run without a project"
    return run.project_id


def _embed(workspace: Workspace, run: RunRecord, progress: bool) -> Result:
    """Embed the crops that lack a vector by the project's embedder, and request their publication."""
    from pipeline.embedders import reload
    from pipeline.steps.embedding.embed import embed

    project_id = project_of(run)
    with workspace.database.read() as conn:
        used = embeddings.get_embedder(conn, projects.get(conn, project_id).embedder)
    embedder = reload(used.id, used.manifest, data_dir=workspace.data_dir)
    report = embed(workspace, embedder, progress=progress, limit=EMBED_SECONDS)
    request(workspace, project_id, RunKind.PUBLISH, trigger=run.kind)
    if not report.complete and report.embedded:  # else all of this time went into crops that are broken
        request(workspace, project_id, RunKind.EMBED, trigger=run.kind)
    return {
        "embedder": report.embedder,
        "embedded": report.embedded,
        "broken": len(report.broken),
        "complete": report.complete,
    }


def _publish(workspace: Workspace, run: RunRecord, _progress: bool) -> Result:
    """Top the stock up; before there is any order, request the training that makes it and tops up."""
    from pipeline.steps.labelling.refresh import lacks_order
    from pipeline.steps.labelling.stock import top_up

    project_id = project_of(run)
    client = workspace.label_studio()
    if lacks_order(workspace, project_id):
        training = request(workspace, project_id, RunKind.TRAIN, trigger=run.kind)
        return {"stock": None, "training": training}
    report = top_up(workspace, client, project_id)
    return {"stock": asdict(report), "training": train_if_due(workspace, project_id)}


def _train(workspace: Workspace, run: RunRecord, _progress: bool) -> Result:
    """Train, or make a cold start, and top the stock up."""
    from pipeline.steps.labelling.refresh import refresh

    project_id = project_of(run)
    with workspace.database.read() as conn:
        if run.trigger == runs.BY_LABELS and not is_due(conn, workspace, project_id):
            return {"version": None, "reason": "another training has learned from these labels meanwhile"}
        before = {record.version for record in models.all(conn, project_id)}
    try:
        done = refresh(workspace, project_id)
    except EmbedderChangedError as exc:  # not a failure: the labels stay unlearned, so a training is due
        return {"version": None, "reason": str(exc)}
    return {
        "version": done.record.version,
        "new": done.record.version not in before,
        "labels": done.record.labels,
        "accuracy": done.record.metrics.get("accuracy"),
        "reason": done.reason,
        "stock": asdict(done.stock),
    }


def _sync(workspace: Workspace, run: RunRecord, _progress: bool) -> Result:
    """Sync, and request what is due: an embedding of boxes that people drew, a top-up, a training."""
    from pipeline.steps.labelling.boxes import cut_drawn
    from pipeline.steps.labelling.sync import sync

    project_id = project_of(run)
    report = sync(workspace, workspace.label_studio(), project_id)
    if cut_drawn(workspace).cut:
        request(workspace, project_id, RunKind.EMBED, trigger=run.kind)
    top_up_if_low(workspace, project_id, trigger=run.kind)
    return {**asdict(report), "training": train_if_due(workspace, project_id)}
