"""`wildloop embedding list`"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipeline.steps.embedding.list import TrainedEmbedder


@click.command("list")
def list_() -> None:
    """List the trained embedders: what each learned from, how good it is, its licence, and who uses it."""
    from pipeline.steps.embedding.list import DamagedEmbedder, trained_embedders
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    found = trained_embedders(workspace)
    if not found:
        click.echo("no embedder was trained yet: `wildloop embedding train` makes one")
    for one in found:
        if isinstance(one, DamagedEmbedder):
            click.echo(f"{one.name}  is damaged: {one.problem}")
            continue
        for line in _lines(one):
            click.echo(line)


def _lines(one: TrainedEmbedder) -> Iterator[str]:
    manifest = one.manifest
    yield f"{one.name}  {one.id}"
    yield f"  {manifest['backbone']}, {manifest['dimension']} dimensions"
    yield from _training(manifest["training"])
    used = ", ".join(f"{project.id} ({project.title})" for project in one.projects)
    yield f"  {one.crops} crops have its vectors; used by " + (f"project {used}" if used else "no project")


def _training(training: Mapping[str, Any]) -> Iterator[str]:
    """What the manifest says of what was learned, line by line."""
    data, metrics = training["data"], training["metrics"]
    yield (
        f"  learned from {data['crops']} crops of {data['species']} species at {data['locations']} locations "
        f"({', '.join(data['sources'])}) on {training['created']:.16} UTC, beginning with {training['start']}"
    )
    yield f"  validation: recall@1 {metrics['recall_at_1']:.3f}, MAP@R {metrics['map_at_r']:.3f}"
    yield f"  licence: {training['licence']}"
