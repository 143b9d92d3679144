"""Deployments of eMammal: zips or unpacked folders of photographs, each with a deployment_manifest.xml.

What is wrong with one zip or one deployment costs that one alone. Every manifest is read twice: the
whole of it is checked before any photograph of its deployment is taken in.
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
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions, SourceImage, understood
from importers.reading.image_root import is_outside
from importers.reading.locations import no_location
from importers.reading.paths import PHOTO_SUFFIXES, VIDEO_SUFFIXES, as_text, natural, suffix_of
from importers.reading.walk import HIDDEN
from importers.sources.emammal import archives
from importers.sources.emammal import manifest as manifests
from importers.sources.emammal.manifest import Burst, Header
from pipeline.errors import SourceError
from pipeline.records import DeploymentRecord, Level, SourceLabel
from pipeline.store import deployments
from pipeline.workspace import Workspace

ZIP = ".zip"
_OUTSIDE = ("outside", "the manifest names a file that is not in the folder of its deployment")
_VIDEO = ("video", "only photographs are imported")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder that may hold deployments, and where the names of its photographs begin."""

    folder: Path
    root: Path


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A deployment whose manifest was read to its end."""

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
        return f"project{self.project}.deployment{self.number}"

    @property
    def record(self) -> DeploymentRecord:
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

    A zip is unpacked beside itself, or at the same place below `unpack_to`; an unpacked folder that is
    whole is not unpacked again. Raises SourceError where a source is not there or none holds a deployment.
    """
    options = options or ImportOptions()
    if options.location_pattern is not None:
        raise SourceError("every deployment names its site", remedy="leave --location-pattern away")
    report = ImportReport(source=", ".join(as_text(str(source)) for source in sources))
    places = unpacked(sources, report, unpack_to=unpack_to, progress=progress)
    found = checked(places, report)
    if not found:
        why = "; ".join(f"{name}: {what}" for name, what in report.examples)
        raise SourceError(
            f"there is no deployment to import in {report.source}{f' ({why})' if why else ''}",
            remedy=f"every deployment has its {manifests.NAME}",
        )
    with workspace.database.write() as conn:
        deployments.add(conn, [one.record for one in found])
    total = sum(one.photographs for one in found)
    taken = (entry for one in found for entry in entries(one, report))
    return Ingestor(workspace, detector, no_location, options, report).run(taken, total, progress=progress)


def unpacked(
    sources: Iterable[Path], report: ImportReport, *, unpack_to: Path | None = None, progress: bool = False
) -> list[Place]:
    """The folders of deployments below the sources, zips among them unpacked first; each folder once.

    A zip that cannot be unpacked whole is refused, and its folder is not looked into. Raises
    SourceError where a source is neither a folder nor a zip.
    """
    aside = unpack_to.expanduser().resolve() if unpack_to is not None else None
    tops: list[Place] = []
    zips: dict[Path, Place] = {}
    for given in sources:
        source = given.expanduser().resolve()
        if source.is_dir():
            tops.append(Place(folder=source, root=source))
            for zipped in _zips(source, aside):
                root = aside or source
                target = root / zipped.relative_to(source).with_suffix("")
                zips.setdefault(zipped, Place(folder=target, root=root))
        elif source.is_file() and source.suffix.lower() == ZIP:
            root = aside or source.parent
            zips.setdefault(source, Place(folder=root / source.stem, root=root))
        else:
            raise SourceError(
                f"{as_text(str(given))} is neither a folder nor a zip", remedy="name where deployments lie"
            )
    whole: dict[Path, Place] = {}
    passed_over: set[Path] = set()  # what was unpacked of a zip in part only
    for zipped, place in tqdm(
        zips.items(), desc="unpack", unit="zip", disable=None if progress and zips else True
    ):
        try:
            if place.folder in whole or place.folder in passed_over:
                raise SourceError(
                    f"another zip unpacks to {as_text(str(place.folder))}", remedy="rename one of the two"
                )
            report.notes["files unpacked from zips"] += archives.unpack(zipped, place.folder)
            whole[place.folder] = place
        except SourceError as exc:
            if place.folder not in whole:
                passed_over.add(place.folder)
            report.refuse(as_text(zipped.name), "zips", str(exc))
    found: list[Place] = []
    seen = set(passed_over)
    for place in (*tops, *whole.values()):
        found += _deployments(place, seen, report)
    return sorted(found, key=lambda one: natural(str(one.folder)))


def checked(places: Iterable[Place], report: ImportReport) -> list[Deployment]:
    """The deployments whose manifests are sound; of two with the same ids the first."""
    found: dict[str, Deployment] = {}
    for place in places:
        name = as_text(place.folder.name)
        try:
            one = _check(place)
        except SourceError as exc:
            report.refuse(name, "deployments", str(exc))
            continue
        if one.id in found:
            same = as_text(str(found[one.id].folder))
            report.refuse(name, "deployments", f"{one.id} was read from {same} already")
        else:
            found[one.id] = one
    return list(found.values())


def entries(deployment: Deployment, report: ImportReport) -> Iterator[SourceImage]:
    """An entry for each image of a checked deployment, sequence by sequence, frames in their order."""
    listed = _listing(deployment.folder)
    below = deployment.folder.relative_to(deployment.root).as_posix()
    prefix = "" if below == "." else f"{below}/"
    seen: set[str] = set()
    sequences: set[str] = set()
    manifest = deployment.folder / manifests.NAME
    for burst in manifests.bursts(manifest, Header()):
        if not burst.id:
            report.refuse(deployment.id, "sequences", "a sequence without ImageSequenceId")
            continue
        if burst.id in sequences:
            report.refuse(deployment.id, "sequences", f"sequence {as_text(burst.id)} stands there twice")
            continue
        sequences.add(burst.id)
        yield from _frames(deployment, burst, report, listed, prefix, seen)
    strangers = sum(suffix_of(name) in PHOTO_SUFFIXES and name not in seen for name in set(listed.values()))
    if strangers:
        report.notes["photographs that no manifest names, not imported"] += strangers


def _frames(
    deployment: Deployment,
    burst: Burst,
    report: ImportReport,
    listed: dict[str, str],
    prefix: str,
    seen: set[str],
) -> Iterator[SourceImage]:
    source = f"emammal:project{deployment.project}"
    words = (SourceLabel(category=name, source=source, level=Level.SEQUENCE) for name in burst.species)
    labels = tuple(dict.fromkeys(label for label in map(understood, words) if label is not None))
    named = []
    for frame in manifests.in_order(burst.frames):
        given = frame.file_name.replace("\\", "/")
        name = listed.get(given) or listed.get(given.casefold(), given)
        if not name:
            report.refuse(deployment.id, "images", f"sequence {as_text(burst.id)}: no ImageFileName")
        elif name in seen:
            report.duplicates += 1
            report.complain(as_text(f"{prefix}{name}"), "named a second time; the first entry is used")
        else:
            seen.add(name)
            named.append((name, frame))
    seq_id = f"{deployment.id}.seq{burst.id}"
    for number, (name, frame) in enumerate(named):
        time = manifests.moment(frame.time)
        if frame.time and time is None:
            report.notes["times that cannot be read"] += 1
        yield SourceImage(
            file_name=f"{prefix}{name}",
            path=os.path.join(deployment.folder, name),  # noqa: PTH118 - a tenth of Path's cost
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


def _check(place: Place) -> Deployment:
    """Read a manifest to its end. Raises SourceError where it is absent, broken or names no deployment."""
    manifest = place.folder / manifests.NAME
    header, photographs = Header(), 0
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    for burst in manifests.bursts(manifest, header):
        photographs += len(burst.frames)
        for frame in burst.frames:
            time = manifests.moment(frame.time)
            if time is not None:
                first, last = min(first or time, time), max(last or time, time)
    if not header.project or not header.deployment:
        raise SourceError(
            f"{as_text(str(manifest))} lacks ProjectId or CameraDeploymentID", remedy="fetch it again"
        )
    return Deployment(
        folder=place.folder,
        root=place.root,
        project=header.project,
        number=header.deployment,
        site=header.site or header.deployment,
        photographs=photographs,
        first=first,
        last=last,
    )


def _zips(source: Path, aside: Path | None) -> Iterator[Path]:
    """The zips below a folder in natural order; not those that lie in what a zip was unpacked to."""
    for folder, folders, names in _walk(source, set(), ImportReport(source="")):
        zips = sorted((name for name in names if suffix_of(name) == ZIP), key=natural)
        stems = {name[: -len(ZIP)] for name in zips}
        folders[:] = [name for name in folders if name not in stems and folder / name != aside]
        yield from (folder / name for name in zips)


def _deployments(place: Place, seen: set[Path], report: ImportReport) -> Iterator[Place]:
    """The folders with a manifest at and below `place`; those of photographs without one are refused."""
    for folder, folders, names in _walk(place.folder, seen, report):
        if manifests.NAME in names:
            folders.clear()  # what lies below belongs to this deployment
            yield Place(folder=folder, root=place.root)
        elif any(suffix_of(name) in PHOTO_SUFFIXES for name in names):
            what = f"it has photographs, but no {manifests.NAME}"
            report.refuse(as_text(str(folder.relative_to(place.root))), "deployments", what)


def _walk(top: Path, seen: set[Path], report: ImportReport) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders with the names in them, hidden ones passed over; none twice, whatever links say."""

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
            (name for name in folders if not name.startswith(".") and name.casefold() not in HIDDEN),
            key=natural,
        )
        yield folder, folders, names


def _listing(folder: Path) -> dict[str, str]:
    """The names in a folder by themselves and without capitals: manifests say .JPG where disks say .jpg."""
    names = sorted(path.name for path in folder.iterdir())
    return {name.casefold(): name for name in names} | {name: name for name in names}


def _failure(name: str) -> tuple[str, str] | None:
    if is_outside(name):
        return _OUTSIDE
    return _VIDEO if suffix_of(name) in VIDEO_SUFFIXES else None
