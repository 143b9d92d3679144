"""`wildloop embed`"""

from __future__ import annotations

import click

SHOWN = 10  # broken crops named one by one


@click.command()
@click.option(
    "--embedder",
    "spec",
    metavar="SPEC",
    help="auto, descriptor, torchvision:NAME, timm:NAME, onnx:FILE or checkpoint:FOLDER. "
    "[default: WILDLOOP_EMBEDDER, else auto]",
)
def embed(spec: str | None) -> None:
    """Turn every crop that has no vector yet into one.

    An ONNX file may need to be told how it wants its images, as in
    onnx:model.onnx?channels=bgr&mean=103.9,116.8,123.7&std=1&output=embed
    (mean and std of values in 0 to 255, in the order of the channels).
    """
    from pipeline.embedders import load
    from pipeline.steps.embed import embed as embed_crops
    from pipeline.wiring import open_house

    house = open_house()
    settings = house.settings
    embedder = load(spec or settings.embedder, data_dir=settings.data_dir)
    report = embed_crops(house.database, embedder, settings.data_dir, progress=True)
    rate = f" ({report.embedded / report.seconds:.0f} a second)" if report.embedded else ""
    click.echo(f"{report.embedded} crops embedded{rate} by {report.embedder}, {report.dimension} dimensions")
    for crop in report.broken[:SHOWN]:
        click.echo(f"  {crop.failure}: {crop.crop_path} ({crop.detail})")
    if report.broken:
        click.echo(f"{len(report.broken)} crops could not be embedded; the next run tries them again")
