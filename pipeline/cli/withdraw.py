"""`wildloop withdraw`"""

from __future__ import annotations

import datetime as dt
import sys

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, plain
from pipeline.cli.store import opened
from pipeline.records import Way
from pipeline.render.labelling import withdrawal
from pipeline.render.text import lines
from pipeline.steps.labelling import withdraw as step
from pipeline.store.selections import Selection

MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command()
@click.option("--task", "tasks", type=int, multiple=True, metavar="N", help="Of this task. May be repeated.")
@click.option("--annotator", metavar="WHO", help="Of this annotator: the e-mail address, or the user's id.")
@click.option("--since", type=MOMENT, metavar="T", help='Made at this time or later: "2026-05-02 14:30".')
@click.option("--until", type=MOMENT, metavar="T", help="Made before this time, by this machine's clock.")
@click.option(
    "--kind",
    "ways",
    type=click.Choice([way.value for way in Way]),
    multiple=True,
    help="Made this way. May be repeated.",
)
@click.option("--yes", is_flag=True, help="Take them back without asking.")
@project_option
@json_option
def withdraw(
    tasks: tuple[int, ...],
    annotator: str | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
    ways: tuple[str, ...],
    yes: bool,
    project: int | None,
    as_json: bool,
) -> None:
    """Take annotations back: whole boards and sequences, or all that somebody answered in some time.

    Shows first what that is. The annotations are deleted in Label Studio and count no more; the oracle keeps
    them. Their crops wait again. Whoever made one can also reopen the task in Label Studio and correct it.
    """
    if not (tasks or annotator or since or until):
        raise click.UsageError("say which annotations: --task, --annotator, --since or --until")
    workspace = opened()
    chosen = chosen_project(workspace, project)
    client = workspace.label_studio()
    selection = Selection(
        task_ids=frozenset(tasks),
        annotator=step.annotator_id(client, annotator) if annotator else None,
        since=since and since.astimezone(),
        until=until and until.astimezone(),
        ways=frozenset(map(Way, ways)),
    )
    report, found = step.find(workspace, client, chosen.id, selection)
    text = withdrawal(report)
    if found and not yes and sys.stdin.isatty() and not as_json:
        click.echo(text)
        click.confirm("Take them back?", abort=True)
        text, yes = "", True
    if found and yes:
        step.withdraw(workspace, client, chosen.id, found)
    outcome = "Taken back: the crops wait again." if yes else "Nothing was taken back: --yes does so."
    emit(
        {**plain(report), "withdrawn": bool(found and yes)},
        lines(text, outcome if found else None),
        as_json=as_json,
    )
