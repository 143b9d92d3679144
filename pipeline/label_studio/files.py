"""The addresses of crops and frames, which Label Studio serves as files below its document root.

Browsers resolve the addresses in a task's data against the host: where Label Studio runs below a path, such
as `https://host/label`, they begin with that path. It adds nothing to them itself (1.23.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pipeline.errors import SettingsError
from pipeline.settings import Settings

# Only these: the data folder also contains the database and the secrets.
FOLDERS = ("crops", "frames", "originals")
LOCAL_FILES = "/data/local-files/"  # where Label Studio serves files, below its own path
ROOT_VARIABLE = "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"


@dataclass(frozen=True, kw_only=True)
class ServedFiles:
    """The data folder as Label Studio serves it."""

    root: Path  # document root of Label Studio
    below: str  # path of the data folder below it, with forward slashes
    path: str = ""  # below which browsers reach Label Studio, such as /label

    @classmethod
    def of(cls, settings: Settings, path: str = "") -> ServedFiles:
        """The served files of these settings, for a Label Studio below `path`.

        Raises SettingsError if the data folder is not below the document root.
        """
        root = settings.files_root or settings.data_dir.parent
        for folder in (root, root.resolve()):
            if settings.data_dir.is_relative_to(folder) and settings.data_dir != folder:
                return cls(root=root, below=settings.data_dir.relative_to(folder).as_posix(), path=path)
        raise SettingsError(
            f"the data folder {settings.data_dir} is not below Label Studio's document root {root}",
            remedy=f"set {ROOT_VARIABLE}, for Label Studio and for wildloop, to a folder that contains it",
        )

    @property
    def folders(self) -> list[str]:
        """The folders that Label Studio may serve, as paths on its machine."""
        return [str(self.root / self.below / name) for name in FOLDERS]

    @property
    def prefix(self) -> str:
        """What the address of every file begins with."""
        return f"{self.path}{LOCAL_FILES}?d={quote(self.below)}/"

    def address(self, path: str) -> str:
        """The address, without the host, of a file below the data folder."""
        return self.prefix + quote(path)


def within(address: str, path: str) -> str | None:
    """An address without a host as Label Studio below `path` knows it; None if browsers miss it there."""
    rest = address.removeprefix(path)
    return rest if address.startswith(path) and rest.startswith("/") else None
