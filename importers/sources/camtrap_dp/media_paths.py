"""Where the photographs of a package lie: in it, below --images, or at their URL."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from importers.ingest.report import ImportReport
from importers.reading.image_root import OUTSIDE, ImageRoot, is_outside
from importers.sources.camtrap_dp.package import Package, below
from importers.sources.camtrap_dp.rows import VIDEO, Deployment, Medium
from importers.sources.camtrap_dp.scratch_tables import ScratchTables
from pipeline.files import reading
from pipeline.files.reading import is_url

AMBIGUOUS = "photographs whose file name several files have: put them into folders named after deployments"
REMOTE = ("http://", "https://", "s3://", "gs://", "gcs://", "az://", "abfs://", "abfss://")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a medium is."""

    name: str  # below the package or --images; of one that is elsewhere, below its deployment
    path: str  # a local path, or a URL
    failure: tuple[str, str] | None  # kind and detail of what rules it out


class Places:
    """Finds the file of each medium."""

    def __init__(
        self,
        package: Package,
        stage: ScratchTables,
        images: ImageRoot | None,
        deployments: Mapping[str, Deployment],
        report: ImportReport,
    ) -> None:
        """Lists the files below `images`, else the package's own where media lie elsewhere."""
        self._package = package
        self._stage = stage
        self._images = images
        self._deployments = deployments
        self._report = report
        self._has_files = images is not None or stage.has_urls()
        if self._has_files:
            stage.add_files(_listed(images) if images is not None else package.media())

    def of(self, medium: Medium) -> Place:
        """Where a medium is."""
        given = medium.path if is_url(medium.path) else posixpath.normpath(medium.path.replace("\\", "/"))
        elsewhere = given.lower().startswith(REMOTE)
        name = self._found(given, medium)
        if name is None:
            name = f"{medium.deployment}/{medium.name or medium.id}" if elsewhere else given
            path = given if elsewhere else self._package.path_of(name)
        else:
            path = self._package.path_of(name) if self._images is None else self._images.path_of(name)
        if not elsewhere and (is_outside(given) or is_url(given)):
            return Place(name=name, path=path, failure=OUTSIDE)
        return Place(name=name, path=path, failure=VIDEO if medium.is_video else None)

    def _found(self, given: str, medium: Medium) -> str | None:
        """The file that is this medium among those listed: by its path, else by its file name."""
        if not self._has_files:
            return None
        if self._stage.has_file(given):
            return given
        if medium.name is None:
            return None
        found = self._stage.files(medium.name)
        if len(found) == 1 and self._stage.named(medium.name) == 1:
            return found[0]
        folders = self._folders(medium.deployment)
        own = [name for name in found if not folders.isdisjoint(name.split("/")[:-1])]
        if len(own) == 1:
            return own[0]
        if found:
            self._report.notes[AMBIGUOUS] += 1
        return None

    def _folders(self, deployment: str) -> frozenset[str]:
        known = self._deployments.get(deployment)
        return known.folders if known else frozenset({deployment})


def _listed(images: ImageRoot) -> Iterable[str]:
    """Every file below `--images`, by name. Raises SourceError where an object store refuses."""
    base = images.path_of("").rstrip("/")
    return reading.names(base) if images.is_url else below(Path(base))
