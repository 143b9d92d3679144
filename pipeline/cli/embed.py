"""`wildloop embed`"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pipeline.embedders import Embedder
    from pipeline.steps.embedding.embed import BrokenCrop
    from pipeline.workspace import Workspace

SHOWN = 10  # broken crops named one by one


@click.command()
@click.option(
    "--embedder",
    "spec",
    metavar="SPEC",
    help="auto, descriptor, torchvision:NAME, timm:NAME, onnx:FILE, checkpoint:FOLDER or the name of one "
    "that `wildloop embedding train` made. [default: those that projects work with; before the first "
    "project WILDLOOP_EMBEDDER, else auto]",
)
def embed(spec: str | None) -> None:
    """Turn every crop that has no vector yet into one.

    An ONNX file may need to be told how it wants its images, as in
    onnx:model.onnx?channels=bgr&mean=103.9,116.8,123.7&std=1&output=embed
    (mean and std of values in 0 to 255, in the order of the channels).
    """
    from pipeline.steps.embedding.embed import embed as embed_crops
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    for embedder in _embedders(workspace, spec):
        report = embed_crops(workspace.database, embedder, workspace.data_dir, progress=True)
        rate = f" ({report.embedded / report.seconds:.0f} a second)" if report.embedded else ""
        click.echo(
            f"{report.embedded} crops embedded{rate} by {report.embedder}, {report.dimension} dimensions"
        )
        tell_broken(report.broken)
        if report.broken:
            click.echo(f"{len(report.broken)} crops could not be embedded; the next run tries them again")


def tell_broken(broken: Sequence[BrokenCrop]) -> None:
    """Name the first crops that could not be read, and why."""
    for crop in broken[:SHOWN]:
        click.echo(f"  {crop.failure}: {crop.crop_path} ({crop.detail})")


def _embedders(workspace: Workspace, spec: str | None) -> Iterator[Embedder]:
    """The one that `spec` names; without it those of the projects, else the setting's."""
    from pipeline.embedders import load, reload
    from pipeline.store import embeddings, projects

    data_dir = workspace.data_dir
    with workspace.database.read() as conn:
        used = sorted({one.embedder for one in projects.all(conn)}) if spec is None else []
        known = [embeddings.get_embedder(conn, one) for one in used]
    for one in known:
        yield reload(one.id, one.manifest, data_dir=data_dir)
    if not known:
        yield load(spec or workspace.settings.embedder, data_dir=data_dir)
