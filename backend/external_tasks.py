"""Tasks that were created in Label Studio outside Wildloop.

At the first request for a prediction, the photograph of such a task is fetched, cropped and embedded. It
becomes an image with one detection, the whole frame, and joins the pool.
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
from pipeline.label_studio.files import LOCAL_FILES
from pipeline.records import (
    WHOLE_FRAME,
    WHOLE_FRAME_DETECTOR,
    DetectionRecord,
    ImageRecord,
    TaskRecord,
)
from pipeline.steps.embedding.crop_vectors import prepared_crop
from pipeline.steps.labelling.stock_plan import EXTERNAL
from pipeline.store import detections, embeddings, images, projects, tasks
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.embedders import Embedder

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024  # of one photograph
FETCH_SECONDS = 10.0  # longest wait for the next bytes


class ExternalTasks:
    """Ingests the photographs of tasks that the store does not have."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._embedder: Embedder | None = None
        self._lock = threading.Lock()  # one network in memory, which embeds one photograph at a time

    def ingest(self, project_id: int, task: Mapping[str, Any], deadline: float) -> TaskRecord | None:
        """The task, which asks about the new detection of its photograph; None, and logged, if that fails.

        Its photograph is the `url` of the one item of its list `single`, or of earlier releases `crop`.
        `deadline` is a time of `time.monotonic()` after which nothing is fetched.
        """
        task_id, data = task.get("id"), task.get("data")
        url = _url(data)
        if not isinstance(task_id, int) or not isinstance(url, str):
            return None
        if time.monotonic() > deadline:
            log.warning("task %d waits for the next request: this one has taken too long", task_id)
            return None
        try:
            return self._ingest(project_id, task_id, url)
        except WildloopError as exc:
            log.warning("task %d gets no prediction: %s: %s", task_id, url, exc)
            return None

    def _ingest(self, project_id: int, task_id: int, url: str) -> TaskRecord:
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
            task = TaskRecord(
                project_id=project_id,
                detections=(detection.id,),
                task_id=task_id,
                details={EXTERNAL: True},
            )
            tasks.add(conn, [task])
        return task

    def _fetch(self, url: str) -> tuple[bytes, str]:
        """The bytes of the photograph at a task's URL, and its path. Raises PhotoError, LabelStudioError."""
        settings = self._workspace.settings
        local = _below(settings.data_dir, url)
        if local is not None:
            return read_file(local), str(local)
        address = urlsplit(url)
        label_studio = urlsplit(settings.label_studio_url)
        if not address.scheme or address[:2] == label_studio[:2]:  # scheme and host
            path = address._replace(scheme="", netloc="").geturl().removeprefix(label_studio.path)
            client = LabelStudio(
                settings.label_studio_url, settings.label_studio_api_key, timeout=FETCH_SECONDS
            )
            return client.content(path, limit=MAX_BYTES), url
        if address.scheme in ("http", "https"):
            return _download(url), url
        raise PhotoError("unreadable", f"the backend cannot read {address.scheme}: URLs")


def _url(data: Any) -> Any:
    """The address of the photograph in a task's data, as it came."""
    if not isinstance(data, Mapping):
        return None
    single = data.get("single")
    if isinstance(single, list) and len(single) == 1 and isinstance(single[0], Mapping):
        return single[0].get("url")
    return data.get("crop")


def _below(data_dir: Path, url: str) -> Path | None:
    """The file of a local-files URL if it is in the data folder, else None.

    Such URLs are relative to Label Studio's document root, which is the data folder or a folder above it.
    """
    address = urlsplit(url)
    if not address.path.endswith(LOCAL_FILES):
        return None
    name = parse_qs(address.query).get("d", [""])[0].lstrip("/")
    if not name or "\0" in name:
        return None
    data_folder = data_dir.resolve()
    for root in (data_folder, *data_folder.parents):
        candidate = (root / name).resolve()
        if candidate.is_relative_to(data_folder) and candidate.is_file():
            return candidate
    return None


def _download(url: str) -> bytes:
    """A photograph from any web server, without credentials; limited in size and time. Raises PhotoError."""
    import httpx

    deadline = time.monotonic() + 2 * FETCH_SECONDS
    content = bytearray()
    try:
        with httpx.stream("GET", url, timeout=FETCH_SECONDS, follow_redirects=True) as response:
            response.raise_for_status()
            for part in response.iter_bytes():
                content += part
                if len(content) > MAX_BYTES:
                    raise PhotoError("too_large", f"more than {MAX_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise PhotoError("unreadable", f"not complete after {2 * FETCH_SECONDS:.0f} s")
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        raise PhotoError("unreadable", str(exc)) from exc
    return bytes(content)


def _cut(content: bytes, path: str, url: str, data_dir: Path) -> tuple[ImageRecord, DetectionRecord]:
    """The image and its one detection, the whole frame, with its crop and thumbnail. Raises PhotoError."""
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
