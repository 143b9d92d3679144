"""`wildloop import`: photographs into the store, each detection with its crop. A command for each source."""

from __future__ import annotations

import click

from pipeline.cli.lazy import LazyGroup

SOURCES = {  # name: module:attribute
    "folder": "pipeline.cli.imports.folder:folder_command",
    "coco": "pipeline.cli.imports.coco:coco_command",
    "megadetector": "pipeline.cli.imports.megadetector:megadetector_command",
    "detections-csv": "pipeline.cli.imports.detections_csv:detections_csv_command",
    "emammal": "pipeline.cli.imports.emammal:emammal_command",
    "camtrap-dp": "pipeline.cli.imports.camtrap_dp:camtrap_dp_command",
    "deployments": "pipeline.cli.imports.deployments:deployments_command",
    "crops": "pipeline.cli.imports.crops:crops_command",
}


@click.group("import", cls=LazyGroup, commands_at=SOURCES)
def import_group() -> None:
    """Take photographs in: find the animals, cut their crops, keep the labels that come with them.

    An import may be stopped at any time and run again: it goes on where it was, reads nothing twice
    that has not changed, and tries again what failed.
    """
