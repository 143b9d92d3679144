"""The state of a workspace and of its installation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from pipeline.records import RunKind, RunRecord
from pipeline.render.labelling import stock_report
from pipeline.render.learning import audit_accuracy, confirmations, empties_limit, held_out_accuracy
from pipeline.render.text import (
    by_kind,
    columns,
    count,
    decimal,
    facts,
    indented,
    lines,
    moment,
    paragraphs,
    printable,
    share,
    table,
    tally,
)
from pipeline.steps.labelling.stock import StockReport
from pipeline.store import choices

if TYPE_CHECKING:
    from pipeline.label_studio.checks import CheckResult
    from pipeline.steps.operations.simulate import SimulationResult
    from pipeline.steps.operations.status import ModelStatus, ProjectStatus, RunProgress, Status

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def status(report: Status) -> str:
    """Photographs, crops and embeddings, each project, and what went wrong lately."""
    return paragraphs(
        facts(_installation(report)),
        lines(
            columns(_pool(report), "lrl"),
            None if report.empties is None else f"called empty: {empties_limit(report.empties)}",
        ),
        *(f"Project {each.id}: {each.title}\n{indented(facts(_project(each)))}" for each in report.projects),
        None if report.projects else "No project yet: create one with `wildloop project create`.",
        _errors(report),
    )


def follow_up_run(run: RunRecord) -> str:
    """What a run after an import did; empty if there was nothing to do, or if it failed."""
    result = run.result or {}
    if run.kind is RunKind.EMBED and (result.get("embedded") or result.get("broken")):
        return lines(
            f"{count(result['embedded'], 'crops')} embedded by {result['embedder']}",
            indented(tally([(result["broken"], "crops cannot be read: `wildloop embed` names them")])),
        )
    if run.kind is RunKind.PUBLISH and result.get("stock"):
        return stock_report(StockReport(**result["stock"]))
    if run.kind is RunKind.TRAIN and result.get("version"):
        made = f"trained on {count(result['labels'], 'labels')}" if result["labels"] else "a cold start"
        return lines(
            f"the queue is that of {result['version']}, {made}", stock_report(StockReport(**result["stock"]))
        )
    return ""


def check_result(result: CheckResult) -> str:
    """One check, with its remedy on a line below."""
    mark = click.style(f"{result.state:<4}", fg=COLOURS[result.state])
    where = "" if result.project is None else f"project {result.project}: "
    return lines(
        f"{mark}  {where}{result.check}: {result.what}",
        f"      -> {result.remedy}" if result.remedy else None,
    )


def _installation(report: Status) -> Iterator[tuple[str, str]]:
    yield "store", report.store
    if report.projects:
        nobody = "none runs: nothing is trained or synced (start `wildloop worker`)"
        yield "worker", f"{report.workers:,} running" if report.workers else nobody


def _pool(report: Status) -> Iterator[tuple[str, str, str]]:
    failed, damaged = sum(report.failed.values()), sum(report.damaged.values())
    aside = [
        f"{damaged:,} of them damaged ({by_kind(report.damaged)})" if damaged else "",
        f"{failed:,} more failed ({by_kind(report.failed)})" if failed else "",
    ]
    yield "photographs", f"{report.photographs:,}", ", ".join(filter(None, aside))
    yield "detections", f"{report.detections:,}", ""
    uncut = "boxes that people drew have no crop yet: an embed run cuts them from the photographs"
    yield "crops", f"{report.crops:,}", count(report.uncut, uncut) if report.uncut else ""
    embedded = [(f"{number:,}", f"by {embedder}") for embedder, number in report.embedded.items()]
    for row, (number, embedder) in enumerate(embedded or [("0", "")]):
        yield "" if row else "embedded", number, embedder


def _project(project: ProjectStatus) -> Iterator[tuple[str, str]]:
    aside = [
        f"{number:,} {name}"
        for name, number in (
            ("unsure", project.unsure),
            ("skipped", project.skipped),
            ("disputed", project.disputed),
        )
        if number
    ]
    labelled = f"{project.labelled:,}"
    if project.crops:
        labelled += f" ({share(project.labelled / project.crops)})"
    yield "crops", f"{project.crops:,}"
    yield "labelled", ", ".join([labelled, *aside])
    if project.done:
        yield "waiting", "nothing: labelling is done"
    else:
        yield (
            "waiting",
            f"{count(project.waiting, 'crops')}; Label Studio asks {count(project.stock, 'tasks')} now",
        )
    others = {name: number for name, number in project.unoffered.items() if name not in project.proposed}
    for what, missing in (("proposed by annotators", project.proposed), ("not offered", others)):
        if missing:
            named = ", ".join(f"{name} ({number:,})" for name, number in missing.items())
            yield what, f"{named}: {choices.remedy(missing)}"
    yield from _version(project.model)
    yield "audit", f"{project.audit_labels:,} labelled, {project.audit_waiting:,} waiting"
    audited = audit_accuracy(project.model.metrics) if project.model is not None else None
    if audited is not None:
        yield "audit result", audited
    yield from confirmations(project.confirmations)
    if project.accepted is not None:
        yield (
            "accepted",
            f"predictions with a precision of {project.accepted.precision:.0%}, at "
            f"{project.accepted.confidence:.0%} confidence",
        )
    yield "versions trained", f"{project.versions:,}"
    yield "next training", _next_training(project, project.labels_until_training)
    yield "runs", ", ".join(map(_run, project.runs)) or "none queued or running"
    yield "last sync", moment(project.synced_at)


def _next_training(project: ProjectStatus, missing: int) -> str:
    if project.done and not project.training_due:
        return "none: no more labels will come"
    return f"after {count(missing, 'more labels')}" if missing else "is due: a worker runs it"


def _run(run: RunProgress) -> str:
    left = "" if run.left is None else f" ({count(run.left, 'crops')} left)"
    return f"{run.kind} {run.state}{left}"


def _version(model: ModelStatus | None) -> Iterator[tuple[str, str]]:
    if model is None:
        yield "version", "none yet"
        return
    if model.labels == 0:
        yield "version", f"{model.version}, a cold start: its queue covers the pool before any label"
        return
    yield "version", f"{model.version}, {count(model.labels, 'labels')}"
    if model.metrics.get("accuracy") is None:
        return
    yield (
        "held out",
        f"accuracy {held_out_accuracy(model.metrics)}, macro-F1 {decimal(model.metrics['macro_f1'])}, by "
        f"{model.metrics['held_out_by']}",
    )


def _errors(report: Status) -> str:
    rows = [
        (f"run {run.run}", f"{run.kind} of project {run.project}, {moment(run.at)}: {run.error}")
        for run in report.failed_runs
    ]
    rows += [
        (photo.failure, printable(photo.file_name) + (f" ({photo.detail})" if photo.detail else ""))
        for photo in report.failed_photographs
    ]
    return f"Last errors\n{indented(columns(rows, 'll'))}" if rows else ""


def simulation_result(result: SimulationResult) -> str:
    """The strategies side by side, the ways to ask, and the files written."""
    pool, splits = result.study.pool, result.study.splits
    seeds = f"means over {len(splits)} seeds [95% interval]" if len(splits) > 1 else "one seed: no interval"
    return paragraphs(
        f"{pool.source}: {count(len(pool), 'crops')} of {count(len(pool.names), 'species')}, tested by "
        f"{splits[0].by}; {seeds}",
        *(_side_by_side(each.header(), each.cells()) for each in (result.summary, result.asking)),
        lines(*map(str, result.files)),
    )


def _side_by_side(header: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    return table([title.replace("|", "\n") for title in header], cells, "l" + "r" * (len(header) - 1))
