"""The figures of a model version in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.records import ModelRecord


def figures(record: ModelRecord) -> Iterator[str]:
    """What there is to say of a version: its labels, its held-out figures, and each species."""
    metrics = record.metrics
    if not record.labels:
        yield f"  an order that covers {metrics['pool']} crops; there is no label yet"
        return
    species = metrics["classes"]
    yield f"  {record.labels} labels of {len(species)} species"
    if metrics.get("held_out_by"):
        yield (
            f"  accuracy {accuracy(record)}, macro-F1 {metrics['macro_f1']:.3f}, calibration error "
            f"{metrics['ece']:.3f}; each {metrics['held_out_by']} of {metrics['groups']} held out once"
        )
    if metrics.get("embedder_learned"):
        yield "  that is too high, for the embedder itself has learned labels of this pool: trust the audit"
    if audit(metrics):
        yield f"  {audit(metrics)}"
    width = max(map(len, species))
    for name, row in sorted(species.items(), key=lambda item: -item[1]["labels"]):
        recall = "     -" if row["recall"] is None else f"{row['recall']:6.2f}"
        precision = "     -" if row["precision"] is None else f"{row['precision']:6.2f}"
        yield f"  {name:{width}}  {row['labels']:5} labels  recall {recall}  precision {precision}"


def audit(metrics: Mapping[str, Any]) -> str:
    """What the audit labels said of a version when it was made; empty where there were none."""
    told = metrics.get("audit")
    if not told:
        return ""
    accuracy, recall, forecast = told["accuracy"], told["macro_recall"], told["forecast"]
    text = (
        f"right on {accuracy['value']:.0%} ({accuracy['low']:.0%} to {accuracy['high']:.0%}) of crops that "
        f"nobody chose, macro recall {recall['value']:.2f}, judged by {told['rows']} audit labels"
    )
    return f"{text}; more labels would change little" if forecast and forecast["stop"] else text


def accuracy(record: ModelRecord) -> str:
    """Held-out accuracy with its 95% interval; a dash where nothing could be held out."""
    metrics = record.metrics
    if metrics.get("accuracy") is None:
        return "-"
    return f"{metrics['accuracy']:.3f} ({metrics['accuracy_low']:.3f} to {metrics['accuracy_high']:.3f})"
