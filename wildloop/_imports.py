"""What all imports from Python share: what follows them, and how their detector is named."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from importers.detectors import Detector, load_detector
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions
from pipeline import jobs
from pipeline.records import Role
from pipeline.workspace import Workspace

Import = TypeVar("Import", bound=Callable[..., ImportReport])


def followed(run: Import) -> Import:
    """The import; afterwards, embedding and publishing of its crops are requested for the projects."""

    @wraps(run)
    def importing(workspace: Workspace, *arguments: Any, **options: Any) -> ImportReport:
        report = run(workspace, *arguments, **options)
        chosen: ImportOptions = options.get("options") or ImportOptions()
        if chosen.role is Role.TARGET and not chosen.rows_only:
            jobs.request_follow_up(workspace, trigger="import")
        return report

    return cast(Import, importing)


def loaded(detector: str | Detector | None) -> Detector | None:
    """The detector of a specification, or the one that is given."""
    return load_detector(detector) if isinstance(detector, str) else detector
