"""Embedders: how they were trained, how good they are, and who uses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.evaluation.probe import LABELS
from pipeline.evaluation.retrieval import NEIGHBOURS
from pipeline.render.learning import held_out_accuracy, version_metrics
from pipeline.render.text import (
    count,
    decimal,
    facts,
    indented,
    lines,
    paragraphs,
    printable,
    share,
    table,
)

if TYPE_CHECKING:
    from pipeline.evaluation.results import EvaluationRow
    from pipeline.steps.embedding.embed import BrokenCrop, EmbedReport
    from pipeline.steps.embedding.evaluate import EvaluationResult
    from pipeline.steps.embedding.export import ExportedEmbedder
    from pipeline.steps.embedding.finetune import Finetuning
    from pipeline.steps.embedding.list import DamagedEmbedder, TrainedEmbedder
    from pipeline.steps.embedding.train import EmbedderTraining
    from pipeline.steps.embedding.use import EmbedderChange

SHOWN = 10  # broken crops named one by one


def embed_report(report: EmbedReport) -> str:
    """How many vectors were added, and which crops cannot be read."""
    rate = f" ({report.embedded / report.seconds:,.0f} a second)" if report.embedded else ""
    return lines(
        f"{count(report.embedded, 'crops')} embedded{rate} by {report.embedder}, "
        f"{report.dimension} dimensions",
        broken_crops(report.broken, "the next run tries again"),
        f"{count(len(report.uncut), 'photographs')} with boxes that people drew cannot be read; the next run "
        "tries again:"
        if report.uncut
        else None,
        *(f"  {printable(name)}: {why}" for name, why in report.uncut[:SHOWN]),
    )


def broken_crops(broken: Sequence[BrokenCrop], then: str) -> str:
    """The first crops that cannot be read, and why; empty where there are none."""
    if not broken:
        return ""
    return lines(
        f"{count(len(broken), 'crops')} cannot be read; {then}:",
        *(f"  {crop.crop_path}: {crop.failure} ({crop.detail})" for crop in broken[:SHOWN]),
    )


def training_report(report: EmbedderTraining) -> str:
    """What a new embedder learned from, and how well it retrieves species at held-out locations."""
    described = report.description
    data, metrics = described["data"], described["metrics"]
    return lines(
        f"{report.name} {'was trained before on the same crops' if report.existed else 'is trained'}",
        indented(
            facts(
                [
                    (
                        "trained on",
                        f"{count(data['learned'], 'crops')} of {count(len(described['classes']), 'species')}",
                    ),
                    ("starting weights", described["start"]),
                    ("best epoch", f"{metrics['epoch']} of {metrics['epochs']}"),
                    (
                        "validation",
                        f"recall@1 {decimal(metrics['recall_at_1'], 3)}, MAP@R "
                        f"{decimal(metrics['map_at_r'], 3)}, held out by {data['held_out_by']}",
                    ),
                    ("folder", report.folder),
                ]
            )
        ),
        _unread(report.broken, "skipped in training"),
    )


def finetuning_report(report: Finetuning, project_id: int) -> str:
    """The finetuned embedder beside the project's, on labels that it has not seen."""
    described = report.training.description
    first = (
        f"{report.training.name} {'was trained before' if report.training.existed else 'is trained'} on "
        f"{count(described['data']['crops'], 'crops')}, {described['target']['labels']:,} of them labelled "
        "in the project"
    )
    if report.judged is None:
        return lines(first, f"project {project_id} already uses it; nothing changed")
    comparison, by = report.judged.comparison, report.judged.by
    return lines(
        first,
        f"compared on {count(comparison.crops, 'labelled crops')} from "
        f"{count(comparison.clusters, by + 's')} that it has not seen:",
        "",
        indented(
            table(
                ("embedder", "accuracy", "macro-F1"),
                [
                    (
                        report.former,
                        f"{comparison.old_accuracy:.1%}",
                        decimal(comparison.old_macro_f1, 3),
                    ),
                    (
                        report.training.name,
                        f"{comparison.new_accuracy:.1%}",
                        decimal(comparison.new_macro_f1, 3),
                    ),
                ],
                "lrr",
            )
        ),
        "",
        f"macro-F1 is higher in {share(comparison.surer)} of bootstrap samples of {by}s",
        None
        if report.is_better
        else f"not reliably better: the project stays with {report.former}; to switch anyway, run "
        f"`wildloop embedding use {report.training.name}`",
    )


def change(report: EmbedderChange, project: str) -> str:
    """What came of a change of embedder in the project, named as in `project 4 (Forest)`."""
    first = lines(
        f"{count(report.embedded, 'crops')} embedded by {report.embedder}",
        broken_crops(report.broken, "left out until a later `wildloop embed` reads them"),
        f"{project} uses {report.embedder} instead of {report.former}",
    )
    if report.record is None:
        return lines(first, "it has no tasks yet: run `wildloop publish` next")
    left = report.former_record
    return lines(
        first,
        f"{report.record.version} is current",
        indented(version_metrics(report.record)),
        f"previous version {left.version}: held-out accuracy {held_out_accuracy(left.metrics)}; to revert, "
        f"run `wildloop activate {left.version}`"
        if left is not None and not report.record.metrics.get("embedder_learned")
        else None,
    )


def exported_embedder(report: ExportedEmbedder, name: str, opset: int) -> str:
    """The ONNX file, its input and output, and how near it is to the network."""
    side, resize = report.preprocessing.crop, report.preprocessing.resize
    if resize != side or report.preprocessing.interpolation != "bilinear":
        note = (
            f"The file expects crops scaled to {side} pixels (bilinear), while {name} scales to {resize} "
            f"({report.preprocessing.interpolation}) and cuts out the middle {side}: vectors differ."
        )
    else:
        note = f"Square crops, which Wildloop stores, are scaled as {name} does; others are distorted."
    return lines(
        f"{report.embedder} written to {report.path}",
        indented(
            facts(
                [
                    ("size", f"{report.path.stat().st_size / 1e6:.1f} MB, opset {opset}"),
                    ("input", f"float32 N x 3 x {side} x {side}, RGB from 0 to 255"),
                    ("output", f"float32 N x {report.dimension}"),
                    (
                        "check",
                        f"onnxruntime and torch on {count(report.images, 'images')}: cosine at least "
                        f"{report.cosine:.7f}, difference at most {report.difference:.1g}",
                    ),
                    ("use with", f"--embedder {report.spec}"),
                ]
            )
        ),
        note,
    )


def trained_embedder(embedder: TrainedEmbedder | DamagedEmbedder) -> str:
    """One entry of `wildloop embedding list`."""
    from pipeline.steps.embedding.list import DamagedEmbedder

    if isinstance(embedder, DamagedEmbedder):
        return f"{embedder.name}: damaged, {embedder.problem}"
    return f"{embedder.name}\n{indented(facts(_facts_of(embedder)))}"


def _facts_of(embedder: TrainedEmbedder) -> Iterator[tuple[str, str]]:
    manifest = embedder.manifest
    training: Mapping[str, Any] = manifest["training"]
    data, metrics = training["data"], training["metrics"]
    yield "id", embedder.id
    yield "network", f"{manifest['backbone']}, {manifest['dimension']} dimensions"
    yield (
        "trained on",
        f"{count(data['crops'], 'crops')} of {count(data['species'], 'species')} at "
        f"{count(data['locations'], 'locations')} ({', '.join(data['sources'])})",
    )
    created = f"{training['created']:.16}".replace("T", " ")
    yield "trained at", f"{created} UTC, starting from {training['start']}"
    yield (
        "validation",
        f"recall@1 {decimal(metrics['recall_at_1'], 3)}, MAP@R {decimal(metrics['map_at_r'], 3)}",
    )
    yield "licence", training["licence"]
    used = ", ".join(f"{project.id} ({project.title})" for project in embedder.projects)
    yield "crops embedded", f"{embedder.crops:,}"
    yield "used by", f"project {used}" if used else "no project"


def _unread(broken: Mapping[str, str], then: str) -> str:
    if not broken:
        return ""
    return lines(
        f"{count(len(broken), 'crops')} cannot be read, {then}:",
        *(f"  {name}: {broken[name]}" for name in sorted(broken)[:SHOWN]),
    )


def evaluation_result(result: EvaluationResult) -> str:
    """The embedders side by side on each part, what limits the comparison, and the files written."""
    parts = result.parts
    few = f"; {len(parts.few_species):,} species held out" if parts.few else ""
    rest = f"; {count(result.left_out, 'images')} without one species left out" if result.left_out else ""
    return paragraphs(
        f"{result.dataset}: {count(len(parts.species), 'crops')} of {count(len(parts.names), 'species')}, "
        f"{len(parts.places.queries):,} in the test part (by {parts.by}){few}{rest}",
        *(
            _evaluated([row for row in result.rows if row.held_out == held_out])
            for held_out in dict.fromkeys(row.held_out for row in result.rows)
        ),
        lines(
            *(
                f"* {row.embedder} was trained on {row.species_learned} of the {len(parts.few_species)} "
                "held-out species: its figures for these are no fair test"
                for row in result.rows
                if row.species_learned
            )
        ),
        None if parts.few else f"{count(len(parts.names), 'species')} are too few to hold some out",
        lines(*result.unavailable),
        lines(
            f"{', '.join(result.unfair)} may have learned from the test part: train with "
            "`wildloop embedding train --dataset`",
            "on a folder with both train.json and test.json to be sure",
        )
        if result.unfair
        else None,
        _unread(result.broken, "left out"),
        lines(*map(str, result.files)),
    )


def _evaluated(rows: Sequence[EvaluationRow]) -> str:
    """The table of one part."""
    first = rows[0]
    over = f"95% intervals over {count(first.interval_over, first.interval_by + 's')}"
    return lines(
        f"held-out {first.held_out}: {count(first.retrieval.queries, 'queries')}, "
        f"{over if first.limits[0] else 'no intervals'}; probes judged on {count(first.judged, 'crops')}",
        "",
        table(
            (
                *("embedder", "recall@1", "MAP@R", f"k-NN\nk = {NEIGHBOURS}"),
                *(f"probe\n{labels:,} labels" for labels in LABELS),
            ),
            [
                (
                    row.embedder + " *" * bool(row.species_learned),
                    *(_metric(*pair) for pair in zip(row.metrics, row.limits, strict=True)),
                    *(decimal(accuracy, 3) for accuracy in row.probes),
                )
                for row in rows
            ],
            "l" + "r" * (3 + len(LABELS)),
        ),
    )


def _metric(value: float | None, limits: tuple[float, float] | None) -> str:
    return decimal(value, 3) + (f" ({limits[0]:.2f}-{limits[1]:.2f})" if value is not None and limits else "")
