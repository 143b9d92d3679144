"""Embedders: computing vectors, and comparing and switching embedders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.embedders import Embedder
from pipeline.embedders import load as load_spec
from pipeline.steps.embedding import embed as embed_step
from pipeline.steps.embedding import evaluate as evaluate_step
from pipeline.steps.embedding import use as use_step
from pipeline.steps.embedding.embed import EmbedReport
from pipeline.steps.embedding.evaluate import EvaluationResult
from pipeline.steps.embedding.use import EmbedderChange
from pipeline.workspace import Workspace
from wildloop._default_project import chosen

__all__ = [
    "EmbedReport",
    "Embedder",
    "EmbedderChange",
    "EvaluationResult",
    "embed",
    "evaluate",
    "load_embedder",
    "use_embedder",
]


def load_embedder(workspace: Workspace, spec: str = "auto") -> Embedder:
    """Load an embedder by its specification, as `wildloop embed --embedder` takes it.

    `auto`, `descriptor`, `torchvision:NAME`, `timm:NAME`, `onnx:FILE`, `checkpoint:FOLDER` or the name of an
    embedder that was trained in the workspace. `embedder.embed(images)` takes a list of N PIL images and
    returns float32 (N, D). Raises EmbedderError.
    """
    return load_spec(spec, data_dir=workspace.data_dir)


def embed(workspace: Workspace, embedder: str | Embedder = "auto", *, progress: bool = False) -> EmbedReport:
    """Compute the embedding of every crop that has none by this embedder yet.

    A killed run continues where it stopped. The report has the embedder's id, for `open_pool`. Raises
    EmbedderError.
    """
    loaded = load_embedder(workspace, embedder) if isinstance(embedder, str) else embedder
    return embed_step.embed(workspace, loaded, progress=progress)


def evaluate(
    workspace: Workspace,
    dataset: str | Path,
    embedders: Sequence[str],
    *,
    out: str | Path | None = None,
    against_baselines: bool = True,
    progress: bool = False,
) -> EvaluationResult:
    """Measure how well each embedder separates the species of a dataset that `make_dataset` wrote.

    `out` is a folder for evaluation.csv, maps and vectors. Raises SourceError and EmbedderError.
    """
    return evaluate_step.evaluate(
        Path(dataset),
        embedders,
        data_dir=workspace.data_dir,
        out=None if out is None else Path(out),
        against_baselines=against_baselines,
        progress=progress,
    )


def use_embedder(
    workspace: Workspace, embedder: str | Embedder, *, project: int | None = None, progress: bool = False
) -> EmbedderChange | None:
    """Switch a project to another embedder; None if it uses it already.

    Every crop is embedded and a version trained on the new vectors before the project switches. `project`
    is the id; needed only if there are several. Raises EmbedderError and ModelError.
    """
    loaded = load_embedder(workspace, embedder) if isinstance(embedder, str) else embedder
    return use_step.use_embedder(workspace, loaded, chosen(workspace, project), progress=progress)
