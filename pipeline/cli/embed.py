"""`wildloop embed`"""

from __future__ import annotations

from collections.abc import Iterator

import click

from pipeline.cli.output import emit, json_option, note
from pipeline.cli.store import opened
from pipeline.embedders import Embedder, load, reload
from pipeline.render.embedding import embed_report
from pipeline.steps.embedding import embed as step
from pipeline.steps.labelling.embedder import default_embedder
from pipeline.store import embeddings, projects
from pipeline.workspace import Workspace


@click.command()
@click.option(
    "--embedder",
    "spec",
    metavar="SPEC",
    help="auto, descriptor, efficientnet-lite0, torchvision:NAME, timm:NAME, onnx:FILE, checkpoint:FOLDER or "
    "the name of an embedder that `wildloop embedding train` made. [default: the embedders of all projects; "
    "before the first project the one that has embedded crops, WILDLOOP_EMBEDDER, else auto]",
)
@json_option
def embed(spec: str | None, as_json: bool) -> None:
    """Compute the embedding of every crop that has none yet; imports into a project do so by themselves.

    If an ONNX file needs its images in a certain form, append that to the file name. Mean and std are of
    values from 0 to 255, in channel order:

    \b
      onnx:model.onnx?channels=bgr&mean=103.9,116.8,123.7&std=1&output=embed
    """
    workspace = opened()
    reports = []
    for embedder in _embedders(workspace, spec):
        reports.append(step.embed(workspace, embedder, progress=True))
        note(embed_report(reports[-1]), as_json=as_json)
    if as_json:
        emit(reports, "", as_json=True)


def _embedders(workspace: Workspace, spec: str | None) -> Iterator[Embedder]:
    """The embedder that `spec` names; without it those of the projects, or that of the first project."""
    data_dir = workspace.data_dir
    with workspace.database.read() as conn:
        used = sorted({project.embedder for project in projects.all(conn)}) if spec is None else []
        registered = [embeddings.get_embedder(conn, embedder) for embedder in used]
    for record in registered:
        yield reload(record.id, record.manifest, data_dir=data_dir)
    if spec is not None:
        yield load(spec, data_dir=data_dir)
    elif not registered:
        yield default_embedder(workspace)
