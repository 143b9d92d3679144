"""`wildloop embedding list`"""

from __future__ import annotations

import click

from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened
from pipeline.render.embedding import trained_embedder
from pipeline.render.text import paragraphs
from pipeline.steps.embedding.list import trained_embedders


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the trained embedders: training data, quality, licence and users of each."""
    found = trained_embedders(opened())
    text = paragraphs(*map(trained_embedder, found))
    emit(found, text or "No trained embedder yet: `wildloop embedding train` makes one.", as_json=as_json)
