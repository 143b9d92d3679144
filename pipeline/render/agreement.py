"""How far annotators agree, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.render.text import NOTHING, count, decimal, interval, lines, paragraphs, share, table

if TYPE_CHECKING:
    from pipeline.agreement import Alpha, Consensus
    from pipeline.steps.labelling.agreement import AgreementReport, Annotator


def agreement_report(report: AgreementReport) -> str:
    """Alpha in all and by species, the annotators, and what waits for a decision."""
    return paragraphs(
        _headline(report.all),
        table(
            ("species", "crops asked twice", "Krippendorff's alpha", "95%"),
            [
                (name, f"{found.crops:,}", decimal(found.alpha), _limits(found))
                for name, found in report.species.items()
            ],
            "lrrr",
        )
        if report.species
        else None,
        table(
            ("annotator", "labels", "as the others", "crops", "as before", "crops"),
            [
                (
                    one.name,
                    f"{one.labels:,}",
                    *_shared(one.consensus),
                    *_shared(one.repeats),
                )
                for one in report.annotators
            ],
            "lrrrrr",
        )
        if report.annotators
        else None,
        table(
            ("annotator", "way", "labels", "seconds each", "suggestions kept"),
            [row for one in report.annotators for row in _ways(one)],
            "llrrr",
        )
        if report.annotators
        else None,
        lines(
            f"{count(report.disputed, 'disputed crops')}: see `wildloop review --disputed`"
            if report.disputed
            else None,
            f"{count(report.experts, 'crops')} for an expert: see `wildloop review --expert`"
            if report.experts
            else None,
        ),
    )


def _headline(found: Alpha) -> str:
    if not found.crops:
        return "No crop was named by two annotators yet."
    asked = f"{count(found.crops, 'crops')} named by two annotators or more"
    if found.alpha is None:
        return f"{asked}, all alike and of one species: alpha needs two"
    return f"Krippendorff's alpha {found.alpha:.2f} ({_limits(found)}), from {asked}"


def _limits(found: Alpha) -> str:
    return NOTHING if found.low is None else f"{decimal(found.low)} to {decimal(found.high)}"


def _shared(found: Consensus) -> tuple[str, str]:
    return interval(found.share, found.low, found.high), f"{found.crops:,}"


def _ways(one: Annotator) -> list[tuple[str, ...]]:
    return [
        (one.name, way.value, f"{done.labels:,}", decimal(done.seconds, 1), share(done.kept))
        for way, done in one.ways.items()
    ]
