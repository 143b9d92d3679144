"""Embedders trained here: `embedders/NAME/` in the data folder, each a checkpoint folder."""

from __future__ import annotations

from pathlib import Path

from pipeline.embedders.spec import KINDS, NAME
from pipeline.errors import EmbedderError

MANIFEST = "embedder.json"  # of a checkpoint folder; written last


def check_name(name: str) -> None:
    """Raises EmbedderError if no embedder can have this name."""
    if name in KINDS or not NAME.fullmatch(name):
        raise EmbedderError(
            f"{name!r} cannot name an embedder",
            remedy="at most 40 lower-case letters, digits, _ and -, and none of: " + ", ".join(KINDS),
        )


def names(data_dir: Path) -> list[str]:
    """The names of all trained embedders, sorted."""
    folders = (path.parent.name for path in (data_dir / "embedders").glob(f"*/{MANIFEST}"))
    return sorted(name for name in folders if NAME.fullmatch(name))  # the others are drafts


def folder(data_dir: Path, name: str) -> Path:
    """The folder of the embedder `name`; EmbedderError if there is none."""
    path = data_dir / "embedders" / name
    if not (path / MANIFEST).is_file():
        existing = ", ".join(names(data_dir))
        raise EmbedderError(
            f"no embedder has the name {name!r}",
            remedy=f"one of: {existing}" if existing else "train one first: `wildloop embedding train`",
        )
    return path
