"""Model versions, the audit and what it permits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.render.text import (
    NOTHING,
    count,
    decimal,
    facts,
    indented,
    interval,
    lines,
    paragraphs,
    printable,
    share,
    table,
)

if TYPE_CHECKING:
    from pipeline.records import ModelRecord
    from pipeline.steps.labelling.frames import DrawnEmpties
    from pipeline.steps.learning.accept import AcceptedGroup, AcceptReport
    from pipeline.steps.learning.audit import Judgement
    from pipeline.steps.learning.confirmations import ConfirmationReport
    from pipeline.steps.learning.empties import EmptiesJudgement
    from pipeline.stopping import Estimate, Forecast
    from pipeline.stopping.confirmed import WrongShare

SPECIES_SHOWN = 3  # of a group that is accepted together
UNREADABLE_SHOWN = 5  # photographs that are named


def version_metrics(record: ModelRecord) -> str:
    """How good a version is: on held-out crops, on the audit, and for each species."""
    metrics = record.metrics
    if not record.labels:
        return f"a cold start: its queue covers {count(metrics['pool'], 'crops')}, and there is no label yet"
    species: Mapping[str, Mapping[str, Any]] = metrics["classes"]
    held_out_by = metrics.get("held_out_by")
    return paragraphs(
        facts(
            [
                ("labels", f"{record.labels:,} of {len(species)} species"),
                ("held-out accuracy", held_out_accuracy(metrics)),
                ("held-out macro-F1", decimal(metrics["macro_f1"]) if held_out_by else None),
                ("calibration error", decimal(metrics["ece"], 3) if held_out_by else None),
                ("held out", _folds(metrics) if held_out_by else None),
                ("audit", audit_accuracy(metrics)),
            ]
        ),
        "The embedder was trained on labels of this pool, so held-out figures are too high: trust the audit."
        if metrics.get("embedder_learned")
        else None,
        table(
            ("species", "labels", "recall", "precision"),
            [
                (name, f"{row['labels']:,}", share(row["recall"]), share(row["precision"]))
                for name, row in sorted(species.items(), key=lambda item: -item[1]["labels"])
            ],
            "lrrr",
        ),
    )


def versions(records: Iterable[ModelRecord], current: str | None) -> str:
    """One version a line; a star marks the current one."""
    return table(
        ("", "version", "labels", "made (UTC)", "held-out accuracy", "macro-F1", "held out by"),
        [
            (
                "*" if record.version == current else "",
                record.version,
                f"{record.labels:,}",
                NOTHING if record.created_at is None else f"{record.created_at:%Y-%m-%d %H:%M}",
                held_out_accuracy(record.metrics),
                decimal(record.metrics.get("macro_f1")),
                record.metrics.get("held_out_by") or NOTHING,
            )
            for record in records
        ],
        "llrllrl",
    )


def held_out_accuracy(metrics: Mapping[str, Any]) -> str:
    """With its 95% interval; a dash where nothing could be held out."""
    if metrics.get("accuracy") is None:
        return NOTHING
    return interval(metrics["accuracy"], metrics["accuracy_low"], metrics["accuracy_high"])


def audit_accuracy(metrics: Mapping[str, Any]) -> str | None:
    """What the audit labels said of a version when it was made; None where there were none."""
    audit = metrics.get("audit")
    if not audit or not audit["accuracy"]:
        return None
    accuracy, recall, forecast = audit["accuracy"], audit["macro_recall"], audit["forecast"]
    text = (
        f"accuracy {interval(accuracy['value'], accuracy['low'], accuracy['high'])}, macro recall "
        f"{share(recall['value'])}, from {count(audit['rows'], 'audit labels')}"
    )
    return f"{text}; more labels would change little" if forecast and forecast["stop"] else text


def confirmations(report: ConfirmationReport) -> list[tuple[str, str]]:
    """The labels that annotators made of several crops at once, and the share of wrong ones: a line a way."""
    return [(f"from {way}s", _wrong_share(found)) for way, found in report.ways.items()]


def _wrong_share(found: WrongShare) -> str:
    if not found.checked:
        return f"{count(found.labels, 'labels')}, none of them checked yet"
    wrong = interval(found.value, found.low, found.high)
    return (
        f"{count(found.labels, 'labels')}, of which {wrong} are wrong: {found.wrong:,} of {found.checked:,} "
        "that were asked again alone"
    )


def audit_report(report: Judgement) -> str:
    """How good the current version is, judged by the audit, and what more labels would bring."""
    unlabelled = f"{count(report.open, 'audit crops')} still to be labelled"
    skipped = f", {report.unanswered:,} without an answer" if report.unanswered else ""
    heading = f"{report.version}, judged by {count(report.labelled, 'audit labels')} ({unlabelled}{skipped})"
    estimates = report.estimates
    if estimates.accuracy is None:
        return lines(
            heading,
            "Nothing can be estimated before the first audit label. Label more of the queue: every tenth "
            "crop of it is an audit crop."
            if report.waiting
            else "Nothing can be estimated: every crop has a label already, so no audit can be drawn.",
        )
    pooled = report.pooled.accuracy
    by_sequence = pooled if pooled is not None and pooled.value > estimates.accuracy.value else None
    unaudited = [one for one in estimates.classes.values() if not one.labels]
    return paragraphs(
        heading,
        indented(
            facts(
                [
                    ("accuracy on randomly drawn crops", estimated(estimates.accuracy)),
                    (
                        "the same with `wildloop export --pool-sequences`",
                        None if by_sequence is None else estimated(by_sequence),
                    ),
                    ("macro recall over the species of the audit", estimated(estimates.macro_recall)),
                ]
            )
        ),
        indented(
            table(
                ("species", "audit labels", "precision", "recall"),
                [
                    (one.name, f"{one.labels:,}", estimated(one.precision), estimated(one.recall))
                    for one in sorted(estimates.classes.values(), key=lambda one: (-one.labels, one.name))
                    if one.labels
                ],
                "lrll",
            )
        ),
        lines(
            "In brackets: 95% confidence intervals.",
            "Predicted in the audit, always wrongly: "
            + ", ".join(f"{one.name} ({count(one.predictions, 'crops')})" for one in unaudited)
            if unaudited
            else None,
            f"Not labelled yet: {count(report.waiting, 'crops')}, usually easier than these, because the "
            "queue picks hard crops first."
            if report.waiting
            else None,
        ),
        "No forecast yet: it needs three trained versions, and audit labels from 20 sequences."
        if report.forecast is None
        else _forecast(report.forecast),
    )


def drawn_empties(report: DrawnEmpties) -> str:
    """What a draw of photographs called empty added, and which of them cannot be read."""
    shown = report.unreadable[:UNREADABLE_SHOWN]
    return lines(
        f"{count(report.drawn, 'photographs')} drawn of those in which the detector saw nothing",
        f"{count(len(report.unreadable), 'photographs')} cannot be read; the next draw tries again:"
        if shown
        else None,
        *(f"  {printable(each.file_name)}: {each.failure} ({each.detail})" for each in shown),
    )


def empties_report(report: EmptiesJudgement) -> str:
    """How many photographs that machines call empty show an animal, at most, and what that rests on."""
    return lines(
        f"Photographs called empty: {empties_limit(report)}",
        f"  {report.no_animal:,} of {count(report.looked_at, 'photographs')} looked at show no animal, "
        f"{report.animals:,} show one, {report.undecided:,} are undecided and count as if they did"
        if report.looked_at
        else None,
        f"  {count(report.open, 'drawn photographs')} wait for people" if report.open else None,
        f"  {count(report.unreadable, 'drawn photographs')} cannot be read; the next draw tries again"
        if report.unreadable
        else None,
        f"  {count(report.later, 'photographs')} came since and are not part of this, until `wildloop audit "
        "--empties N` draws again"
        if report.later
        else None,
    )


def empties_limit(report: EmptiesJudgement) -> str:
    """The limit in one sentence."""
    if report.at_most is None:
        return f"nothing can be said of {report.called_empty:,} before people have looked at some"
    return (
        f"at most {report.share:.1%} of {report.called_empty:,} show an animal "
        f"({report.confidence:.0%} confidence)"
    )


def accept_report(report: AcceptReport) -> str:
    """Which predictions are accepted, and under which guarantee."""
    novel = f", {report.novel:,} of them far from everything labelled" if report.novel else ""
    return paragraphs(
        lines(
            f"{report.version}, judged by {count(report.audited, 'audit labels')}",
            f"guarantee: a precision of {report.precision:.0%} at {report.confidence:.0%} confidence",
        ),
        indented(
            table(
                ("species", "accepted from probability", "correct in the audit", "crops accepted"),
                map(_accepted, report.groups),
                "lrrr",
            )
            if report.groups
            else ""
        ),
        f"{report.settled:,} of {count(report.waiting, 'unlabelled crops')} accepted; "
        f"{report.waiting - report.settled:,} left to people{novel}",
        "The guarantee holds for a single test: fix the number of audit labels in advance, then accept once."
        if report.settled
        else "Too few audit labels, or too many mistakes among them: draw more with `wildloop audit "
        "--size N`.",
    )


def estimated(estimate: Estimate | None) -> str:
    """A share with its interval; a dash where there is nothing to estimate it from."""
    return NOTHING if estimate is None else interval(estimate.value, estimate.low, estimate.high)


def _accepted(group: AcceptedGroup) -> tuple[str, str, str, str]:
    more = len(group.species) - SPECIES_SHOWN
    names = ", ".join(group.species[:SPECIES_SHOWN]) + (f" and {more} more" if more > 0 else "")
    correct = f"{group.right:,} of {group.above:,}"
    if group.threshold is None:
        return names, NOTHING, correct, NOTHING
    return names, f"{group.threshold:.3f}", correct, f"{group.settled:,}"


def _folds(metrics: Mapping[str, Any]) -> str:
    return f"each of {count(metrics['groups'], metrics['held_out_by'] + 's')} once"


def _forecast(forecast: Forecast) -> str:
    gain, needed = forecast.gain, forecast.needed
    limits = "" if gain.high is None else f" ({100 * (gain.low or 0):.1f} to {100 * gain.high:.1f})"
    return lines(
        f"Forecast: 50% more labels would add {100 * (gain.value or 0):.1f} points of accuracy{limits}.",
        f"An accuracy of {forecast.target:.0%} {_needed(needed.value, needed.low, needed.high)}.",
        "More labels would change little: you can stop labelling." if forecast.stop else None,
    )


def _needed(labels: float | None, low: float | None, high: float | None) -> str:
    if labels is None:
        return "cannot be reached by labelling alone"
    if labels == 0:
        return "is reached"
    limits = (
        f"{NOTHING if low is None else f'{low:,.0f}'} to {'no limit' if high is None else f'{high:,.0f}'}"
    )
    return f"needs {labels:,.0f} more labels ({limits})"
