"""`wildloop agreement`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, note
from pipeline.cli.store import opened
from pipeline.errors import WildloopError
from pipeline.render.agreement import agreement_report
from pipeline.steps.labelling import agreement as step


@click.command()
@project_option
@json_option
def agreement(project: int | None, as_json: bool) -> None:
    """Tell how far annotators agree, by species, and each beside the consensus of the others.

    Measured on crops that two or more of them named. Projects ask a share of their crops twice (5% unless set
    otherwise), once a second annotator works.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    names = None
    try:
        names = workspace.label_studio().user_names()
    except WildloopError as exc:
        note(f"Annotators are shown by their ids in Label Studio: {exc}", as_json=True)
    report = step.agreement(workspace, chosen.id, names)
    emit(report, agreement_report(report), as_json=as_json)
