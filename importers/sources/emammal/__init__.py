"""Deployments of eMammal: zips or unpacked folders of photographs, each with a deployment_manifest.xml.

A bad zip or a bad deployment is refused, and the others are imported. Every manifest is read twice: first
it is checked whole, before any photograph of its deployment is imported.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from importers.detectors import Detector
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage, interpreted
from importers.reading.image_root import is_outside
from importers.reading.locations import no_location
from importers.reading.names import normal
from importers.reading.paths import PHOTO_SUFFIXES, VIDEO_SUFFIXES, as_text, natural, suffix_of
from importers.reading.walk import is_hidden
from importers.sources.emammal import archives
from importers.sources.emammal import manifest as manifests
from importers.sources.emammal.manifest import Header, ManifestSequence
from pipeline.errors import SourceError
from pipeline.records import DeploymentRecord, Level, SourceLabel
from pipeline.store import deployments
from pipeline.workspace import Workspace

ZIP = ".zip"
_OUTSIDE = ("outside", "the manifest names a file that is not in the folder of its deployment")
_VIDEO = ("video", "only photographs are imported")


@dataclass(frozen=True, kw_only=True)
class DeploymentFolder:
    """A folder with one or more deployments, and the folder that the names of photographs start from."""

    path: Path
    root: Path


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment whose manifest has been checked."""

    folder: Path
    root: Path
    project: str
    number: str  # CameraDeploymentID
    site: str
    photographs: int
    first: dt.datetime | None  # the camera's clock
    last: dt.datetime | None

    @property
    def id(self) -> str:
        """Its id in the store."""
        return f"project{self.project}.deployment{self.number}"

    @property
    def record(self) -> DeploymentRecord:
        """Its row in the store."""
        return DeploymentRecord(id=self.id, location=self.site, started_at=self.first, ended_at=self.last)


def import_emammal(
    workspace: Workspace,
    sources: Sequence[Path],
    detector: Detector | None = None,
    *,
    unpack_to: Path | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import every deployment in these folders and zips, with the species of its sequences.

    A zip is unpacked beside itself, or at the same place below `unpack_to`, unless its folder is complete.
    Raises SourceError if a source does not exist or no source has a deployment.
    """
    options = options or ImportOptions()
    if options.location_pattern is not None:
        raise SourceError("every deployment has a site", remedy="omit --location-pattern")
    report = ImportReport(source=", ".join(as_text(str(source)) for source in sources))
    folders = unpacked(sources, report, unpack_to=unpack_to, progress=progress)
    checked_deployments = checked(folders, report)
    if not checked_deployments:
        problems = "; ".join(f"{name}: {what}" for name, what in report.examples)
        raise SourceError(
            f"there is no deployment to import in {report.source}{f' ({problems})' if problems else ''}",
            remedy=f"the folder of a deployment must have its {manifests.NAME}",
        )
    with workspace.database.write() as conn:
        deployments.add(conn, [deployment.record for deployment in checked_deployments])
    total = sum(deployment.photographs for deployment in checked_deployments)
    photographs = (
        source_image
        for deployment in checked_deployments
        for source_image in source_images(deployment, report)
    )
    return Ingestor(workspace, detector, no_location, options, report).run(
        photographs, total, progress=progress
    )


def unpacked(
    sources: Iterable[Path], report: ImportReport, *, unpack_to: Path | None = None, progress: bool = False
) -> list[DeploymentFolder]:
    """The folders of deployments in the sources, after unpacking their zips; each folder once.

    A zip that cannot be unpacked whole is refused, and its folder is not searched. Raises SourceError if
    a source is neither a folder nor a zip.
    """
    aside = unpack_to.expanduser().resolve() if unpack_to is not None else None
    tops: list[DeploymentFolder] = []
    zips: dict[Path, DeploymentFolder] = {}
    for path in sources:
        source = path.expanduser().resolve()
        if source.is_dir():
            tops.append(DeploymentFolder(path=source, root=source))
            for zipped in _zips(source, aside):
                root = aside or source
                target = root / zipped.relative_to(source).with_suffix("")
                zips.setdefault(zipped, DeploymentFolder(path=target, root=root))
        elif source.is_file() and source.suffix.lower() == ZIP:
            root = aside or source.parent
            zips.setdefault(source, DeploymentFolder(path=root / source.stem, root=root))
        else:
            raise SourceError(
                f"{as_text(str(path))} is neither a folder nor a zip", remedy="name a folder of deployments"
            )
    complete: dict[Path, DeploymentFolder] = {}
    incomplete: set[Path] = set()  # folders of zips that could not be unpacked whole
    for zipped, target_folder in tqdm(
        zips.items(), desc="unpack", unit="zip", disable=None if progress else True
    ):
        try:
            folder = target_folder.path
            if folder in complete or folder in incomplete:
                raise SourceError(
                    f"another zip unpacks to {as_text(str(folder))}", remedy="rename one of the two"
                )
            report.notes[Note.UNPACKED_FILES] += archives.unpack(zipped, folder)
            complete[folder] = target_folder
        except SourceError as exc:
            if folder not in complete:
                incomplete.add(folder)
            report.refuse(as_text(zipped.name), "zips", str(exc))
    folders: list[DeploymentFolder] = []
    seen = set(incomplete)
    for top in (*tops, *complete.values()):
        folders += _deployments(top, seen, report)
    return sorted(folders, key=lambda found: natural(str(found.path)))


def checked(folders: Iterable[DeploymentFolder], report: ImportReport) -> list[Deployment]:
    """The deployments with a good manifest; of two with the same id the first."""
    by_id: dict[str, Deployment] = {}
    for folder in folders:
        name = as_text(folder.path.name)
        try:
            deployment = _check(folder)
        except SourceError as exc:
            report.refuse(name, "deployments", str(exc))
            continue
        if deployment.id in by_id:
            first = as_text(str(by_id[deployment.id].folder))
            report.refuse(name, "deployments", f"{deployment.id} was read from {first} already")
        else:
            by_id[deployment.id] = deployment
    return list(by_id.values())


def source_images(deployment: Deployment, report: ImportReport) -> Iterator[SourceImage]:
    """Every photograph of a checked deployment, sequence by sequence, in the order of frames."""
    listed = _listing(deployment.folder)
    below = deployment.folder.relative_to(deployment.root).as_posix()
    prefix = "" if below == "." else f"{below}/"
    seen: set[str] = set()
    sequences: set[str] = set()
    manifest = deployment.folder / manifests.NAME
    for sequence in manifests.sequences(manifest, Header()):
        if not sequence.id:
            report.refuse(deployment.id, "sequences", "a sequence has no ImageSequenceId")
            continue
        if sequence.id in sequences:
            report.refuse(deployment.id, "sequences", f"sequence {as_text(sequence.id)} is listed twice")
            continue
        sequences.add(sequence.id)
        yield from _frames(deployment, sequence, report, listed, prefix, seen)
    unlisted = sum(suffix_of(name) in PHOTO_SUFFIXES and name not in seen for name in set(listed.values()))
    if unlisted:
        report.notes[Note.UNLISTED_PHOTOGRAPHS] += unlisted


def _frames(
    deployment: Deployment,
    sequence: ManifestSequence,
    report: ImportReport,
    listed: dict[str, str],
    prefix: str,
    seen: set[str],
) -> Iterator[SourceImage]:
    """The photographs of a sequence. `listed` are the files of the folder, `seen` the names used so far."""
    source = f"emammal:project{deployment.project}"
    words = (SourceLabel(category=name, source=source, level=Level.SEQUENCE) for name in sequence.species)
    labels = tuple(dict.fromkeys(label for label in map(interpreted, words) if label is not None))
    named = []
    for frame in manifests.in_order(sequence.frames):
        source_name = normal(frame.file_name.replace("\\", "/")) if frame.file_name else ""
        name = listed.get(source_name) or listed.get(source_name.casefold(), source_name)
        if not name:
            report.refuse(deployment.id, "images", f"sequence {as_text(sequence.id)}: no ImageFileName")
        elif name in seen:
            report.list_again(as_text(f"{prefix}{name}"))
        else:
            seen.add(name)
            named.append((name, frame))
    seq_id = f"{deployment.id}.seq{sequence.id}"
    for number, (name, frame) in enumerate(named):
        time = manifests.parse_time(frame.time)
        if frame.time and time is None:
            report.notes[Note.UNREADABLE_TIMES] += 1
        yield SourceImage(
            file_name=f"{prefix}{name}",
            path=os.path.join(deployment.folder, name),  # noqa: PTH118 - Path is ten times slower
            failure=_failure(name),
            labels=labels,
            source_id=f"datasetemammal.{seq_id}.img{frame.id}" if frame.id else None,
            location=deployment.site,
            datetime=time,
            seq_id=seq_id,
            frame_num=number,
            seq_num_frames=len(named),
            deployment_id=deployment.id,
        )


def _check(folder: DeploymentFolder) -> Deployment:
    """Read a manifest whole. Raises SourceError if it is absent, broken or has no deployment id."""
    manifest = folder.path / manifests.NAME
    header, photographs = Header(), 0
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    for sequence in manifests.sequences(manifest, header):
        photographs += len(sequence.frames)
        for frame in sequence.frames:
            time = manifests.parse_time(frame.time)
            if time is not None:
                first, last = min(first or time, time), max(last or time, time)
    if not header.project or not header.deployment:
        raise SourceError(
            f"{as_text(str(manifest))} lacks ProjectId or CameraDeploymentID", remedy="download it again"
        )
    return Deployment(
        folder=folder.path,
        root=folder.root,
        project=header.project,
        number=header.deployment,
        site=header.site or header.deployment,
        photographs=photographs,
        first=first,
        last=last,
    )


def _zips(source: Path, aside: Path | None) -> Iterator[Path]:
    """The zips below a folder in natural order, without those in folders that a zip was unpacked to."""
    for folder, folders, names in _walk(source, set(), ImportReport(source="")):
        zips = sorted((name for name in names if suffix_of(name) == ZIP), key=natural)
        stems = {name[: -len(ZIP)] for name in zips}
        folders[:] = [name for name in folders if name not in stems and folder / name != aside]
        yield from (folder / name for name in zips)


def _deployments(top: DeploymentFolder, seen: set[Path], report: ImportReport) -> Iterator[DeploymentFolder]:
    """The folders with a manifest at and below `top`; folders of photographs without one are refused."""
    for folder, folders, names in _walk(top.path, seen, report):
        if manifests.NAME in names:
            folders.clear()  # the folders below belong to this deployment
            yield DeploymentFolder(path=folder, root=top.root)
        elif any(suffix_of(name) in PHOTO_SUFFIXES for name in names):
            what = f"it has photographs but no {manifests.NAME}"
            report.refuse(as_text(str(folder.relative_to(top.root))), "deployments", what)


def _walk(top: Path, seen: set[Path], report: ImportReport) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders with the names in them, except hidden ones. Symlinks are followed, each folder once."""

    def unreadable(error: OSError) -> None:
        report.unreadable_folders += 1
        report.complain(as_text(str(error.filename)), f"folder cannot be read: {error.strerror}")

    for path, folders, names in os.walk(top, followlinks=True, onerror=unreadable):
        folder = Path(path)
        if folder.resolve() in seen:
            folders.clear()
            continue
        seen.add(folder.resolve())
        folders[:] = sorted(
            (name for name in folders if not is_hidden(name)),
            key=natural,
        )
        yield folder, folders, names


def _listing(folder: Path) -> dict[str, str]:
    """The names in a folder by name and in lower case: manifests have .JPG for files that end in .jpg."""
    names = sorted(path.name for path in folder.iterdir())
    return {name.casefold(): name for name in names} | {name: name for name in names}


def _failure(name: str) -> tuple[str, str] | None:
    if is_outside(name):
        return _OUTSIDE
    return _VIDEO if suffix_of(name) in VIDEO_SUFFIXES else None
