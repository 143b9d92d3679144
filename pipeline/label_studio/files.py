"""The addresses of crops and frames, which Label Studio serves as files below its document root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pipeline.errors import SettingsError
from pipeline.settings import Settings

# Only these: the data folder also contains the database and the secrets.
FOLDERS = ("crops", "frames")
ROOT_VARIABLE = "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"


@dataclass(frozen=True, kw_only=True)
class ServedFiles:
    """The data folder as Label Studio serves it."""

    root: Path  # document root of Label Studio
    below: str  # path of the data folder below it, with forward slashes

    @classmethod
    def of(cls, settings: Settings) -> ServedFiles:
        """The served files of these settings.

        Raises SettingsError if the data folder is not below the document root.
        """
        root = settings.files_root or settings.data_dir.parent
        for folder in (root, root.resolve()):
            if settings.data_dir.is_relative_to(folder) and settings.data_dir != folder:
                return cls(root=root, below=settings.data_dir.relative_to(folder).as_posix())
        raise SettingsError(
            f"the data folder {settings.data_dir} is not below Label Studio's document root {root}",
            remedy=f"set {ROOT_VARIABLE}, for Label Studio and for wildloop, to a folder that contains it",
        )

    @property
    def folders(self) -> list[str]:
        """The folders that Label Studio may serve, as paths on its machine."""
        return [str(self.root / self.below / name) for name in FOLDERS]

    def address(self, path: str) -> str:
        """The address, without the host, of a file below the data folder."""
        return f"/data/local-files/?d={quote(f'{self.below}/{path}')}"
