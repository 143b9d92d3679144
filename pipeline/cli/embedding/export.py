"""`wildloop embedding export`"""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.output import emit, json_option, plain
from pipeline.render.embedding import exported_embedder
from pipeline.settings import Settings


@click.command()
@click.argument("name")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.onnx")
@json_option
def export(name: str, out: Path, as_json: bool) -> None:
    """Export a trained embedder, or checkpoint:FOLDER, as an ONNX file, and check that the vectors agree.

    The file takes RGB values from 0 to 255, float32 N x 3 x S x S for any N, and normalises them itself.
    """
    from pipeline.embedders.graph import OPSET
    from pipeline.steps.embedding.export import export_embedder

    report = export_embedder(name, out, data_dir=Settings.from_environ().data_dir)
    emit(
        {**plain(report), "spec": report.spec, "opset": OPSET},
        exported_embedder(report, name, OPSET),
        as_json=as_json,
    )
