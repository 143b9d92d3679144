"""`wildloop status`"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.figures import audit

if TYPE_CHECKING:
    import datetime as dt

    from pipeline.steps.operations.status import ModelStatus, ProjectStatus, Status


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
def status(as_json: bool) -> None:
    """Show how far everything is: photographs, crops, labels, versions, and what went wrong lately."""
    from pipeline.steps.operations.status import status as read_status
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    read = read_status(workspace)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(read), default=_json, indent=2))
        return
    rows = list(lines(read))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name:<{width}}  {value}".rstrip())


def lines(read: Status) -> Iterator[tuple[str, str]]:
    """Names and values, in the order of the work; a heading has no value."""
    failed = ", ".join(f"{number} {kind}" for kind, number in read.failed.items())
    yield "photographs", f"{read.photographs:,}" + (f"  (failed: {failed})" if failed else "")
    yield "detections", f"{read.detections:,}"
    yield "crops", f"{read.crops:,}"
    yield "embedded", "  ".join(f"{number:,} by {name}" for name, number in read.embedded.items()) or "0"
    for project in read.projects:
        yield "", ""
        yield f"project {project.id}", project.title
        yield from _project(project)
    if not read.projects:
        yield "projects", "none yet (`wildloop project create`)"
    if read.failed_runs or read.failed_photographs:
        yield "", ""
        yield "last errors", ""
    for run in read.failed_runs:
        yield f"  run {run.run}", f"{run.kind} of project {run.project}, {_time(run.at)}: {run.error}"
    for photo in read.failed_photographs:
        detail = f" ({photo.detail})" if photo.detail else ""
        yield f"  {photo.failure}", f"{photo.file_name.encode('unicode_escape').decode()}{detail}"


def _project(project: ProjectStatus) -> Iterator[tuple[str, str]]:
    share = f"  ({project.labelled / project.published:.0%})" if project.published else ""
    aside = [
        f"{number} {name}"
        for name, number in (
            ("unsure", project.unsure),
            ("skipped", project.skipped),
            ("disputed", project.disputed),
        )
        if number
    ]
    yield "  published", f"{project.published:,}"
    yield "  labelled", f"{project.labelled:,}{share}" + (f"  and {', '.join(aside)}" if aside else "")
    yield "  version", "none yet" if project.model is None else _version(project.model)
    yield "  audit", _audit(project)
    if project.accepted is not None:
        precision, confidence = project.accepted.precision, project.accepted.confidence
        yield "  accepted", f"answers of a precision of {precision:.0%}, at a confidence of {confidence:.0%}"
    yield "  versions trained", str(project.versions)
    yield "  next training", f"after {project.labels_until_training} more labels"
    yield "  runs", f"{project.queued} queued, {project.running} running"
    yield "  synced", _time(project.synced_at)


def _audit(project: ProjectStatus) -> str:
    counts = f"{project.audit_labels} labelled, {project.audit_waiting} waiting"
    metrics = project.model.metrics if project.model is not None else {}
    return f"{counts}; {audit(metrics)}" if audit(metrics) else counts


def _version(model: ModelStatus) -> str:
    if model.labels == 0:
        return f"{model.version}: an order that covers the pool, before any label"
    text = f"{model.version}, {model.labels} labels"
    accuracy = model.metrics.get("accuracy")
    if accuracy is None:
        return text
    low, high = model.metrics["accuracy_low"], model.metrics["accuracy_high"]
    macro, held_out_by = model.metrics["macro_f1"], model.metrics["held_out_by"]
    figures = f"accuracy {accuracy:.0%} ({low:.0%} to {high:.0%}), macro F1 {macro:.2f}"
    return f"{text}, {figures}, held out by {held_out_by}"


def _time(moment: dt.datetime | None) -> str:
    return "never" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def _json(value: Any) -> str:
    return str(value.isoformat())
