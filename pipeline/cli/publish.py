"""`wildloop publish` and `wildloop push`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option, run_now
from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened
from pipeline.errors import LabelStudioError, ModelError
from pipeline.records import RunKind
from pipeline.render.labelling import publish_report, push_report
from pipeline.render.text import lines
from pipeline.steps.labelling import push as push_step
from pipeline.steps.labelling.publish import PublishReport
from pipeline.steps.labelling.push import PushReport


@click.command()
@project_option
@json_option
def publish(project: int | None, as_json: bool) -> None:
    """Create a task for every crop that has none, and a queue if there is none yet.

    Imports and `wildloop project create` do this by themselves. Until a version is trained on labels, the
    queue covers the whole pool. The crops must be embedded (`wildloop embed`).
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    result = run_now(workspace, chosen.id, RunKind.PUBLISH, LabelStudioError).result
    pushed = result["push"]
    if pushed is None:  # the new crops wait for their order
        pushed = run_now(workspace, chosen.id, RunKind.TRAIN, ModelError).result.get("push")
    published = PublishReport(**result["publish"])
    queue = None if pushed is None else push_report(PushReport(**pushed))
    emit(
        {"publish": published, "push": pushed},
        lines(publish_report(published), queue),
        as_json=as_json,
    )


@click.command()
@project_option
@json_option
def push(project: int | None, as_json: bool) -> None:
    """Send the queue of the current version to Label Studio, unless it is there already."""
    workspace = opened()
    chosen = chosen_project(workspace, project)
    report = push_step.push(workspace, workspace.label_studio(), chosen.id)
    emit(report, push_report(report), as_json=as_json)
