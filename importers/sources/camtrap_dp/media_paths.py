"""The paths of a package's photographs: in the package, below --images, or at their URL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from importers.ingest.report import ImportReport, Note
from importers.reading.image_root import BELOW, OUTSIDE, ImageRoot, is_outside
from importers.reading.names import normal
from importers.sources.camtrap_dp.package import Package, below
from importers.sources.camtrap_dp.rows import VIDEO, Deployment, Medium
from importers.sources.camtrap_dp.scratch_tables import ScratchTables
from pipeline.files import reading
from pipeline.files.reading import is_url

REMOTE = ("http://", "https://", "s3://", "gs://", "gcs://", "az://", "abfs://", "abfss://")


@dataclass(frozen=True, kw_only=True)
class MediaPath:
    """The path of one medium."""

    name: str  # below the package or --images; for a URL, below the id of its deployment
    path: str  # a local path, or a URL
    failure: tuple[str, str] | None  # kind and detail, if it cannot be used
    not_at: str | None = None  # where it was looked for before its URL


class MediaPaths:
    """Finds the file of each medium."""

    def __init__(
        self,
        package: Package,
        tables: ScratchTables,
        images: ImageRoot | None,
        deployments: Mapping[str, Deployment],
        report: ImportReport,
    ) -> None:
        """Lists the files below `images`; without it, those of the package if some media have URLs."""
        self._package = package
        self._tables = tables
        self._images = images
        self._deployments = deployments
        self._report = report
        self._has_files = images is not None or tables.has_urls()
        if self._has_files:
            tables.add_files(_listed(images) if images is not None else package.media())

    def of(self, medium: Medium) -> MediaPath:
        """The path of a medium."""
        file_path = medium.path
        if self._images is not None:
            below = self._images.name_of(file_path)
            file_path = file_path if is_url(below) else below
        elif not is_url(file_path):
            file_path = normal(file_path.replace("\\", "/"))
        is_remote = file_path.lower().startswith(REMOTE)
        name = self._file(file_path, medium)
        if name is None and not is_remote and (is_outside(file_path) or is_url(file_path)):
            name = f"{medium.deployment}/{medium.id}"  # several media may have one such path
            failure = (OUTSIDE[0], f"{file_path} is {OUTSIDE[1]}")
            return MediaPath(name=name, path=self._package.path_of(name), failure=failure)
        if name is None:
            name = f"{medium.deployment}/{medium.name or medium.id}" if is_remote else file_path
            path = file_path if is_remote else self._package.path_of(name)
        else:
            path = self._package.path_of(name) if self._images is None else self._images.path_of(name)
        not_at = BELOW if self._images is not None and path == file_path else None
        return MediaPath(name=name, path=path, failure=VIDEO if medium.is_video else None, not_at=not_at)

    def _file(self, file_path: str, medium: Medium) -> str | None:
        """The listed file of this medium: by its path, else by its file name; None if there is none."""
        if not self._has_files:
            return None
        if self._tables.has_file(file_path):
            return file_path
        if medium.name is None:
            return None
        files = self._tables.files(medium.name)
        if len(files) == 1 and self._tables.media_named(medium.name) == 1:
            return files[0]
        folders = self._folders(medium.deployment)
        of_deployment = [name for name in files if not folders.isdisjoint(name.split("/")[:-1])]
        if len(of_deployment) == 1 and self._tables.media_named(medium.name, medium.deployment) == 1:
            return of_deployment[0]
        if files:
            self._report.notes[Note.AMBIGUOUS_NAMES] += 1
        return None

    def _folders(self, deployment_id: str) -> frozenset[str]:
        deployment = self._deployments.get(deployment_id)
        return deployment.folders if deployment else frozenset({deployment_id})


def _listed(images: ImageRoot) -> Iterable[str]:
    """The names of all files below `--images`. Raises SourceError if an object store refuses."""
    base = images.path_of("").rstrip("/")
    return reading.names(base) if images.is_url else below(Path(base))
