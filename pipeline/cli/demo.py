"""`wildloop demo`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("wildloop-demo"),
    show_default=True,
    help="Where everything is kept; a second start in the same folder goes on.",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Your photographs. Without it, camera-trap-like scenes are rendered.",
)
@click.option(
    "--detections",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="RESULTS.json",
    help="MegaDetector results for these photographs.",
)
@click.option("--detector", metavar="SPEC", help="As of `wildloop import folder`. [default: whole-frame]")
@click.option(
    "--species",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The species to choose from, one a line. [default: those of the truth]",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="CSV",
    help="What is on your photographs: the columns file_name, label, and x1, y1, x2, y2 where known.",
)
@click.option("--embedder", metavar="SPEC", help="As of `wildloop embed`. [default: auto]")
@click.option("--annotator", type=click.Choice(["truth"]), help="Play an annotator who knows the truth.")
@click.option(
    "--labels",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="How many labels the played annotator gives.",
)
@click.option(
    "--exit",
    "leave",
    is_flag=True,
    help="End once these labels are trained on and the queue is refreshed; status 0 only then.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Of Label Studio. [default: any free one]")
def demo(annotator: str | None, labels: int, **options: Any) -> None:
    """Run the whole loop on this machine: Label Studio, backend and worker, until Ctrl-C."""
    if options["leave"] and annotator is None:
        raise click.UsageError("--exit needs --annotator truth: who else would label?")
    if options["photos"] is None and (options["detections"] or options["detector"]):
        raise click.UsageError("--detections and --detector are about photographs: name them with --photos")
    if options["detections"] and options["detector"]:
        raise click.UsageError("--detections and --detector exclude each other")
    from pipeline.demo import interrupt
    from pipeline.demo.run import DemoOptions, run

    interrupt.listen()
    try:
        run(DemoOptions(labels=labels if annotator else None, **options), say=click.echo)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        if options["leave"]:
            sys.exit(130)  # what was asked for did not come about
