"""Embed: crop -> embedding, for every detection whose crop has no vector of this embedder yet."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from pipeline.embedders import Embedder
from pipeline.errors import PhotoError
from pipeline.images import Photo, read_file
from pipeline.store import embeddings
from pipeline.store.database import Database, chunks

PAGE = 1024  # detections asked for at once; two processes that meet repeat at most one page
DECODERS = 4  # threads; Pillow decodes without holding the interpreter
LOOKAHEAD = 2  # batches decoded while another is embedded


@dataclass(frozen=True, kw_only=True)
class BrokenCrop:
    """A crop that could not be embedded."""

    detection_id: str
    crop_path: str  # below the data folder
    failure: str  # the kind of PhotoError: missing, truncated, ...
    detail: str


@dataclass(frozen=True, kw_only=True)
class EmbedReport:
    """What one run of the step did."""

    embedder: str
    dimension: int
    embedded: int  # rows that this run added
    broken: tuple[BrokenCrop, ...]
    seconds: float


def embed(
    database: Database, embedder: Embedder, data_dir: Path, *, batch_size: int = 64, progress: bool = False
) -> EmbedReport:
    """Embed every crop that lacks this embedder's vector; each batch is committed by itself.

    A killed run is taken up where it ended, and several processes may run at once. A crop that is
    missing or broken is reported, and tried again by the next run.
    """
    started = time.monotonic()
    with database.write() as conn:
        embeddings.register(conn, embedder)
        waiting = embeddings.missing_count(conn, embedder.id)
    embedded = 0
    broken: list[BrokenCrop] = []
    with (
        tqdm(total=waiting, desc="embed", unit="crop", disable=None if progress else True) as bar,
        ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as threads,
    ):
        work = _missing(database, embedder.id)
        decoded = _prefetched(threads, work, data_dir, ahead=LOOKAHEAD * batch_size)
        for batch in chunks(decoded, batch_size):
            broken += [crop for crop in batch if isinstance(crop, BrokenCrop)]
            good = [crop for crop in batch if not isinstance(crop, BrokenCrop)]
            if good:
                vectors = embedder.embed([image for _, image in good])
                with database.write() as conn:
                    embedded += embeddings.append(conn, embedder.id, [name for name, _ in good], vectors)
            bar.update(len(batch))
    return EmbedReport(
        embedder=embedder.id,
        dimension=embedder.dimension,
        embedded=embedded,
        broken=tuple(sorted(broken, key=lambda crop: crop.crop_path)),
        seconds=time.monotonic() - started,
    )


def _missing(database: Database, embedder_id: str) -> Iterator[tuple[str, str]]:
    """Every detection without its vector, as (id, crop_path), from a random id on, and round to it.

    Ids are hexadecimal digests, so processes that begin at random share the work nearly without overlap.
    """
    begin = secrets.token_hex(12)
    for after, until in ((begin, None), ("", begin)):
        page = [(after, "")]
        while page:
            with database.read() as conn:
                page = embeddings.missing(conn, embedder_id, page[-1][0], PAGE, until=until)
            yield from page


def _prefetched(
    threads: ThreadPoolExecutor, work: Iterable[tuple[str, str]], data_dir: Path, *, ahead: int
) -> Iterator[tuple[str, Image.Image] | BrokenCrop]:
    """The crops in order, decoded by `threads` up to `ahead` of who takes them."""
    queue: deque[Future[tuple[str, Image.Image] | BrokenCrop]] = deque()
    for detection_id, crop_path in work:
        queue.append(threads.submit(_decode, data_dir, detection_id, crop_path))
        if len(queue) > ahead:
            yield queue.popleft().result()
    while queue:
        yield queue.popleft().result()


def _decode(data_dir: Path, detection_id: str, crop_path: str) -> tuple[str, Image.Image] | BrokenCrop:
    try:
        return detection_id, Photo(read_file(data_dir / crop_path)).pixels()
    except PhotoError as exc:
        return BrokenCrop(
            detection_id=detection_id, crop_path=crop_path, failure=exc.failure, detail=exc.detail
        )
