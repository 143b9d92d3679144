"""`wildloop embedding export`"""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("name")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.onnx")
def export(name: str, out: Path) -> None:
    """Write a trained embedder, or checkpoint:FOLDER, as an ONNX file and check that it gives the same.

    The file takes RGB values in 0 to 255, float32 N x 3 x S x S, for any N: normalisation is inside.
    """
    from pipeline.embedders.graph import OPSET
    from pipeline.settings import Settings
    from pipeline.steps.embedding.export import export_embedder

    done = export_embedder(name, out, data_dir=Settings.from_environ().data_dir)
    side, resize = done.preprocessing.crop, done.preprocessing.resize
    size = done.path.stat().st_size / 1e6
    click.echo(f"{done.embedder} written to {done.path}: {size:.1f} MB, opset {OPSET}")
    click.echo(f"takes float32 N x 3 x {side} x {side}, RGB in 0 to 255; gives N x {done.dimension}")
    click.echo(
        f"onnxruntime and torch agree on {done.images} images: cosine at least {done.cosine:.7f}, "
        f"largest difference {done.difference:.1g}"
    )
    click.echo(f"use it with --embedder {done.spec}")
    if resize != side or done.preprocessing.interpolation != "bilinear":
        click.echo(
            f"a crop is scaled to {side} pixels, bilinear; {name} scales it to {resize}, "
            f"{done.preprocessing.interpolation}, and cuts {side} from the middle: so the vectors differ"
        )
    else:
        click.echo(f"square crops, as Wildloop keeps them, are scaled as for {name}; others are squeezed")
