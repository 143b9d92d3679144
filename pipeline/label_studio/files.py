"""Crops and frames as Label Studio serves them: files below its document root, by address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pipeline.errors import SettingsError
from pipeline.settings import Settings

# Not the data folder itself: the store and the secrets lie there too.
FOLDERS = ("crops", "frames")
ROOT_VARIABLE = "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"


@dataclass(frozen=True, kw_only=True)
class ServedFiles:
    """The data folder as Label Studio sees it."""

    root: Path  # Label Studio's document root
    below: str  # the data folder below it, with forward slashes

    @classmethod
    def of(cls, settings: Settings) -> ServedFiles:
        """Raises SettingsError where the data folder does not lie below the document root."""
        root = settings.files_root or settings.data_dir.parent
        for seen in (root, root.resolve()):
            if settings.data_dir.is_relative_to(seen) and settings.data_dir != seen:
                return cls(root=root, below=settings.data_dir.relative_to(seen).as_posix())
        raise SettingsError(
            f"the data folder {settings.data_dir} does not lie below Label Studio's document root {root}",
            remedy=f"set {ROOT_VARIABLE} for Label Studio and for wildloop to a folder that holds it",
        )

    @property
    def folders(self) -> list[str]:
        """What Label Studio may serve, by its own paths."""
        return [str(self.root / self.below / name) for name in FOLDERS]

    def address(self, path: str) -> str:
        """The address, on Label Studio's host, of a file below the data folder."""
        return f"/data/local-files/?d={quote(f'{self.below}/{path}')}"
