"""`wildloop combine-json`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("combine-json")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT")
@click.argument("files", type=click.Path(path_type=Path), metavar="FILE...", nargs=-1, required=True)
def combine_json(out: Path, files: tuple[Path, ...]) -> None:
    """Write one COCO Camera Traps file OUT of several.

    Ids, sequences and locations of the first FILE get the prefix ds000_, of the second ds001_, and so on.
    Categories merge by name, `empty` is 0, and each file's info is kept in info.original_info. A photograph
    listed twice, or a broken record, is an error, and nothing is written.
    """
    from importers.sources.coco.combine import combine

    found = combine(out, files)
    click.echo(
        f"{out}: {found.images} images, {found.annotations} annotations, {found.categories} categories "
        f"of {len(files)} files"
    )
    for note, number in found.notes.items():
        click.echo(f"  {number} {note.sentence}")
