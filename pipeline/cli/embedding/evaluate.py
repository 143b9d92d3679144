"""`wildloop embedding evaluate`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli.output import emit, json_option
from pipeline.render.embedding import evaluation_result
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.evaluation.results import EvaluationRow
    from pipeline.steps.embedding.evaluate import EvaluationResult


@click.command()
@click.option(
    "--dataset",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Folder that `wildloop dataset make` wrote.",
)
@click.option(
    "--embedder",
    "specs",
    multiple=True,
    required=True,
    metavar="SPEC",
    help="Embedder to evaluate, as for `wildloop embed`. Can be given several times.",
)
@click.option(
    "--baselines/--no-baselines",
    default=True,
    show_default=True,
    help="Compare each checkpoint with the descriptor, with the same architecture at random weights, and "
    "with its backbone at torchvision's published weights, if these can be loaded.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write evaluation.csv to this folder and, for each embedder, a map of the crops (map-EMBEDDER.png) "
    "and its vectors (vectors-EMBEDDER.npz), which `wildloop simulate` can replay.",
)
@json_option
def evaluate(dataset: Path, specs: tuple[str, ...], baselines: bool, out: Path | None, as_json: bool) -> None:
    """Measure how well each embedder separates the species of a dataset.

    Held-out locations: queries from test.json, gallery from train.json. Held-out species: species that no
    embedder was trained on, or else a third of all, among themselves; a star marks embedders that were
    trained on some of them. Neighbours from a crop's own sequence never count. In brackets: 95% intervals
    from a bootstrap of locations, or of sequences if there is one location. Probes are means over three
    draws of 10, 100 and 1,000 labels.
    """
    from pipeline.steps.embedding import evaluate as step

    result = step.evaluate(
        dataset,
        specs,
        data_dir=Settings.from_environ().data_dir,
        out=out,
        against_baselines=baselines,
        progress=True,
    )
    emit(_outline(result), evaluation_result(result), as_json=as_json)


def _outline(result: EvaluationResult) -> dict[str, Any]:
    """The result without its arrays."""
    parts = result.parts
    return {
        "dataset": result.dataset,
        "crops": len(parts.species),
        "species": parts.names,
        "held_out_species": [parts.names[number] for number in parts.few_species] if parts.few else [],
        "test_crops": len(parts.places.queries),
        "split_by": parts.by,
        "left_out": result.left_out,
        "rows": [_row(row) for row in result.rows],
        "unavailable": result.unavailable,
        "unfair": result.unfair,
        "broken": result.broken,
        "files": result.files,
    }


def _row(row: EvaluationRow) -> dict[str, Any]:
    from pipeline.evaluation.probe import LABELS
    from pipeline.evaluation.results import RETRIEVED

    outline = {name: getattr(row, name) for name in ("embedder", "spec", "dimension", "held_out", "judged")}
    outline["queries"] = row.retrieval.queries
    for name, value, limits in zip(RETRIEVED, row.metrics, row.limits, strict=True):
        low, high = limits or (None, None)
        outline[name] = {"value": value, "low": low, "high": high}
    outline["probes"] = dict(zip(LABELS, row.probes, strict=True))
    names = ("interval_by", "interval_over", "species_learned")
    return outline | {name: getattr(row, name) for name in names}
