"""`wildloop import`: one command for each kind of source."""

from __future__ import annotations

import click

from pipeline.cli.lazy import LazyCommand, LazyGroup

COMMANDS = {
    name: LazyCommand(f"pipeline.cli.imports.{module}:{module}_command", summary)
    for name, module, summary in (
        ("folder", "folder", "A folder of photographs: a detector finds the animals."),
        ("megadetector", "megadetector", "A MegaDetector results file and its photographs."),
        ("speciesnet", "speciesnet", "A SpeciesNet results file and its photographs."),
        ("coco", "coco", "COCO Camera Traps files and their photographs."),
        ("camtrap-dp", "camtrap_dp", "A Camtrap DP package."),
        ("emammal", "emammal", "Deployments from eMammal."),
        ("wildlife-insights", "wildlife_insights", "A download from Wildlife Insights."),
        ("timelapse", "timelapse", "A CSV of Timelapse and its photographs."),
        ("camtrapr", "camtrapr", "A record table of camtrapR and its photographs."),
        ("detections-csv", "detections_csv", "A CSV of boxes and its photographs."),
        ("crops", "crops", "Crops that are cut already, one folder for each class."),
        ("deployments", "deployments", "A table of coordinates and time zones of cameras."),
    )
}


@click.group("import", cls=LazyGroup, lazy_commands=COMMANDS)
def import_group() -> None:
    """Import photographs: find the animals, cut their crops and keep the labels that come with them.

    You can stop an import at any time and run it again: it continues where it stopped, skips photographs
    that have not changed, and retries those that failed.
    """
