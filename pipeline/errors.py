"""The errors that Wildloop raises; each message names the problem and, if there is one, the remedy."""


class WildloopError(Exception):
    """An error that the user can fix."""

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message if remedy is None else f"{message} ({remedy})")
        self.what = message  # without the remedy
        self.remedy = remedy


class InstallationError(WildloopError):
    """Another package hides one of Wildloop's."""


class SettingsError(WildloopError):
    """A setting is missing or invalid."""


class SourceError(WildloopError):
    """A photograph folder, results file or species list cannot be read."""


class PhotoError(WildloopError):
    """One photograph cannot be used. It is recorded in `image.failure`, and the import continues."""

    def __init__(self, failure: str, detail: str) -> None:
        super().__init__(f"{failure}: {detail}")
        self.failure = failure  # the kind of failure: missing, unreadable, truncated, too_large, ...
        self.detail = detail


class DetectorError(WildloopError):
    """A detector cannot be loaded."""


class StoreError(WildloopError):
    """The database failed, or has no row for the given id."""


class EmbedderError(WildloopError):
    """An embedder cannot be loaded, or its embeddings do not match it."""


class ModelError(WildloopError):
    """A model version cannot be trained, read or activated."""


class FileError(WildloopError):
    """A file or folder cannot be written."""


class ExportError(WildloopError):
    """Data that an export format requires is missing."""


class LabelStudioError(WildloopError):
    """Label Studio cannot be reached, or answered a call with an error."""
