"""One root for every error that Wildloop raises on purpose; its message names the remedy."""


class WildloopError(Exception):
    """Something that the user can mend went wrong."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message if remedy is None else f"{message} ({remedy})")
        self.what = message
        self.remedy = remedy


class InstallationError(WildloopError):
    """Another package hides one of Wildloop's."""


class SettingsError(WildloopError):
    """A setting is missing or cannot be used."""


class SourceError(WildloopError):
    """A photograph folder, results file or species list cannot be read."""


class PhotoError(WildloopError):
    """One photograph cannot be used; recorded as `image.failure`, never the end of a batch."""

    def __init__(self, failure: str, detail: str) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure = failure  # a short kind: missing, unreadable, truncated, too_large, ...
        self.detail = detail


class DetectorError(WildloopError):
    """A detector cannot be loaded."""


class StoreError(WildloopError):
    """The database refused or lacks what was asked of it."""


class EmbedderError(WildloopError):
    """An embedder cannot be loaded, or was handed another one's embeddings."""


class ModelError(WildloopError):
    """A model version cannot be trained, read or activated."""


class FileError(WildloopError):
    """A file or folder cannot be written."""


class ExportError(WildloopError):
    """An export lacks what its format needs."""


class LabelStudioError(WildloopError):
    """Label Studio cannot be reached, or refused a call."""
