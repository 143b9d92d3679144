"""`wildloop demo`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

_folder = click.Path(path_type=Path, exists=True, file_okay=False)
_file = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("wildloop-demo"),
    show_default=True,
    help="Folder for everything the demo makes. Starting again in the same folder continues.",
)
@click.option(
    "--photos", type=_folder, metavar="DIR", help="Your photographs. [default: rendered camera-trap scenes]"
)
@click.option(
    "--detections", type=_file, metavar="RESULTS.json", help="MegaDetector results for your photographs."
)
@click.option(
    "--detector", metavar="SPEC", help="Detector, as for `wildloop import folder`. [default: whole-frame]"
)
@click.option(
    "--species",
    type=_file,
    metavar="FILE",
    help="Species list, one per line. [default: the species of the truth]",
)
@click.option(
    "--truth",
    type=_file,
    metavar="CSV",
    help="Known labels of your photographs: columns file_name, label and, if known, x1, y1, x2, y2.",
)
@click.option("--embedder", metavar="SPEC", help="Embedder, as for `wildloop embed`. [default: auto]")
@click.option("--annotator", type=click.Choice(["truth"]), help="Simulate an annotator who knows the truth.")
@click.option(
    "--labels",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="Number of labels that the simulated annotator gives.",
)
@click.option(
    "--exit",
    "leave",
    is_flag=True,
    help="Exit once a version is trained on these labels and the queue is refreshed; status 0 only then.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Port of Label Studio. [default: any free port]")
def demo(annotator: str | None, labels: int, **options: Any) -> None:
    """Run Label Studio, backend and worker on this machine, until Ctrl-C."""
    if options["leave"] and annotator is None:
        raise click.UsageError("--exit needs --annotator truth, because somebody must label")
    if options["photos"] is None and (options["detections"] or options["detector"]):
        raise click.UsageError("--detections and --detector need --photos")
    if options["detections"] and options["detector"]:
        raise click.UsageError("give --detections or --detector, not both")
    from pipeline.demo.run import DemoOptions, run
    from pipeline.servers import interrupt

    interrupt.listen()
    try:
        run(DemoOptions(labels=labels if annotator else None, **options), say=click.echo)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        if options["leave"]:
            sys.exit(130)  # interrupted before the labels were trained on
