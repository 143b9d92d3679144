"""Photographs that reached Label Studio without us: fetched, cropped and embedded once, when asked about.

Such a task's photograph becomes an image with one detection, the whole frame, and joins the pool.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from pipeline.crops import content_hash, cut_crops
from pipeline.errors import PhotoError, WildloopError
from pipeline.identity import detection_id, image_id
from pipeline.images import Photo, read_file
from pipeline.label_studio.client import LabelStudio
from pipeline.records import (
    WHOLE_FRAME,
    WHOLE_FRAME_DETECTOR,
    DetectionRecord,
    ImageRecord,
    TaskRecord,
)
from pipeline.steps.embedding.crop_vectors import prepared_crop
from pipeline.store import detections, embeddings, images, projects, tasks
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.embedders import Embedder

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024
FETCH_SECONDS = 10.0  # without a byte
LOCAL_FILES = "/data/local-files/"


class ExternalTasks:
    """Admits photographs that the store has never seen."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._embedder: Embedder | None = None
        self._lock = threading.Lock()  # one network in memory, and one photograph through it at a time

    def ingest(self, project_id: int, task: Mapping[str, Any], deadline: float) -> str | None:
        """The detection made of the task's photograph; None, with a line in the log, where none can be.

        `deadline` is a moment of `time.monotonic()`: after it nothing is fetched any more.
        """
        number, data = task.get("id"), task.get("data")
        url = data.get("crop") if isinstance(data, Mapping) else None
        if not isinstance(number, int) or not isinstance(url, str):
            return None
        if time.monotonic() > deadline:
            log.warning("task %d is left for the next request: this one has lasted long enough", number)
            return None
        try:
            return self._ingest(project_id, number, url)
        except WildloopError as exc:
            log.warning("task %d cannot be answered: %s: %s", number, url, exc)
            return None

    def _ingest(self, project_id: int, task_id: int, url: str) -> str:
        settings = self._workspace.settings
        with self._workspace.database.read() as conn:
            embedder_id = projects.get(conn, project_id).embedder
            registered = embeddings.get_embedder(conn, embedder_id)
        content, path = self._fetch(url)
        image, detection = _cut(content, path, url, settings.data_dir)
        with self._lock:
            if self._embedder is None or self._embedder.id != embedder_id:
                from pipeline.embedders import reload

                self._embedder = reload(embedder_id, registered.manifest, data_dir=settings.data_dir)
            crop = prepared_crop(self._embedder, settings.data_dir / str(detection.crop_path))
            vectors = self._embedder.embed_prepared([crop])
        with self._workspace.database.write() as conn:
            images.add(conn, [image])
            detections.add(conn, [detection])
            embeddings.append(conn, embedder_id, [detection.id], vectors)
            shown = TaskRecord(project_id=project_id, detection_id=detection.id, task_id=task_id)
            tasks.add(conn, [shown])
        return detection.id

    def _fetch(self, url: str) -> tuple[bytes, str]:
        """The photograph behind a task's URL, and where it lies. Raises PhotoError, LabelStudioError."""
        settings = self._workspace.settings
        local = _below(settings.data_dir, url)
        if local is not None:
            return read_file(local), str(local)
        split = urlsplit(url)
        own = urlsplit(settings.label_studio_url)
        if not split.scheme or (split.scheme, split.netloc) == (own.scheme, own.netloc):
            path = split._replace(scheme="", netloc="").geturl()
            client = LabelStudio(
                settings.label_studio_url, settings.label_studio_api_key, timeout=FETCH_SECONDS
            )
            return client.content(path, limit=MAX_BYTES), url
        if split.scheme in ("http", "https"):
            return _download(url), url
        raise PhotoError("unreadable", f"{split.scheme}: is no address that the backend can read")


def _below(data_dir: Path, url: str) -> Path | None:
    """The file of a local-files URL, where it lies in the data folder.

    Such a URL counts from Label Studio's document root, which is the data folder or one above it.
    """
    split = urlsplit(url)
    if split.path != LOCAL_FILES:
        return None
    named = parse_qs(split.query).get("d", [""])[0].lstrip("/")
    if not named or "\0" in named:
        return None
    inside = data_dir.resolve()
    for root in (inside, *inside.parents):
        candidate = (root / named).resolve()
        if candidate.is_relative_to(inside) and candidate.is_file():
            return candidate
    return None


def _download(url: str) -> bytes:
    """A photograph of any web server, without credentials; limited in size and time. Raises PhotoError."""
    import httpx

    until = time.monotonic() + 2 * FETCH_SECONDS
    content = bytearray()
    try:
        with httpx.stream("GET", url, timeout=FETCH_SECONDS, follow_redirects=True) as response:
            response.raise_for_status()
            for part in response.iter_bytes():
                content += part
                if len(content) > MAX_BYTES:
                    raise PhotoError("too_large", f"more than {MAX_BYTES} bytes")
                if time.monotonic() > until:
                    raise PhotoError("unreadable", f"not there after {2 * FETCH_SECONDS:.0f} s")
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise PhotoError("unreadable", str(exc)) from exc
    return bytes(content)


def _cut(content: bytes, path: str, url: str, data_dir: Path) -> tuple[ImageRecord, DetectionRecord]:
    """The records of a photograph that is one detection, its crop and thumbnail written."""
    photo = Photo(content)
    identity = content_hash(content)
    image = ImageRecord(
        id=image_id(url, identity),
        file_name=url,
        path=path,
        width=photo.width,
        height=photo.height,
        datetime=photo.taken_at,
        content_hash=identity,
        size=len(content),
    )
    detection = DetectionRecord(
        id=detection_id(image.id, WHOLE_FRAME_DETECTOR, WHOLE_FRAME),
        image_id=image.id,
        box=WHOLE_FRAME,
        bbox_confidence=None,
        detector=WHOLE_FRAME_DETECTOR,
    )
    (detection,) = cut_crops(photo, [detection], data_dir)
    return image, detection
