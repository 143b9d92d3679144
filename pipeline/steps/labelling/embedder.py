"""The embedder of a new project for which nobody names one."""

from __future__ import annotations

import shlex

from pipeline.embedders import Embedder, load, reload
from pipeline.errors import EmbedderError
from pipeline.store import embeddings, overview
from pipeline.workspace import Workspace

AUTO = "auto"


def default_embedder(workspace: Workspace) -> Embedder:
    """The only embedder that has embedded crops; before any crop is embedded, that of the settings.

    Raises EmbedderError, which names the choices, if several embedders have embedded crops and the settings
    choose none of them, or if the settings name yet another one.
    """
    with workspace.database.read() as conn:
        counts = overview.embedded_counts(conn)
        used = [embeddings.get_embedder(conn, embedder) for embedder in counts]
    wanted = workspace.settings.embedder
    if wanted != AUTO or not used:
        embedder = load(wanted, data_dir=workspace.data_dir)
        if not used or embedder.id in counts:
            return embedder
    elif len(used) == 1:
        return reload(used[0].id, used[0].manifest, data_dir=workspace.data_dir)
    specs = [str(record.manifest["spec"]) for record in used]
    have = " and ".join(f"{spec} ({counts[record.id]:,})" for record, spec in zip(used, specs, strict=True))
    unused = [] if wanted == AUTO else [wanted]
    choices = " or ".join(f"--embedder {shlex.quote(spec)}" for spec in [*specs, *unused])
    named = f", and WILDLOOP_EMBEDDER names {wanted}" if unused else ""
    raise EmbedderError(
        f"several embedders could be meant: crops are embedded by {have}{named}",
        remedy=f"choose with {choices}",
    )
