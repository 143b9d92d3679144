"""The errors that Wildloop raises on purpose. `WildloopError` is the root; each message names the remedy."""

from pipeline.errors import (
    DetectorError,
    EmbedderError,
    ExportError,
    LabelStudioError,
    ModelError,
    SettingsError,
    SourceError,
    StoreError,
    WildloopError,
)

__all__ = [
    "DetectorError",
    "EmbedderError",
    "ExportError",
    "LabelStudioError",
    "ModelError",
    "SettingsError",
    "SourceError",
    "StoreError",
    "WildloopError",
]
