"""`wildloop combine-json`"""

from __future__ import annotations

from pathlib import Path

import click

from importers.sources.coco.combine import combine
from pipeline.cli.output import emit, json_option
from pipeline.render.importing import combined


@click.command("combine-json")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.argument("files", type=click.Path(path_type=Path), metavar="FILE...", nargs=-1, required=True)
@json_option
def combine_json(out: Path, files: tuple[Path, ...], as_json: bool) -> None:
    """Combine several COCO Camera Traps files into OUT.

    Ids, sequences and locations of the first FILE get the prefix ds000_, of the second ds001_, and so on.
    Categories merge by name, `empty` is 0, and the info of each file is kept in info.original_info. If a
    photograph is listed twice or a record is invalid, the command fails and writes nothing.
    """
    report = combine(out, files)
    emit(report, combined(report, str(out), len(files)), as_json=as_json)
