"""Crops -> embeddings, for every detection whose crop has no vector of an embedder yet."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tqdm import tqdm

from pipeline.embedders import Embedder
from pipeline.errors import PhotoError
from pipeline.steps.embedding.crop_vectors import BATCH, crop_vectors
from pipeline.steps.labelling.boxes import cut_drawn
from pipeline.store import embeddings
from pipeline.workspace import Workspace

PAGE = 256  # detections read at once; two processes that meet embed at most one page twice


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

    embedder: str  # id
    dimension: int
    embedded: int  # embeddings that this run added
    broken: tuple[BrokenCrop, ...]
    seconds: float
    complete: bool = True  # False: it ended at its time limit
    uncut: tuple[tuple[str, str], ...] = ()  # photographs with drawn boxes that cannot be read, and why


def embed(
    workspace: Workspace,
    embedder: Embedder,
    *,
    batch_size: int = BATCH,
    progress: bool = False,
    limit: float | None = None,
) -> EmbedReport:
    """Embed every crop that lacks this embedder's vector; each batch is committed separately.

    The crops of boxes that people drew are cut first.

    Ends early once it has worked for `limit` seconds. A killed run continues where it was, and several
    processes may run at once. A crop that is missing or broken is reported, and the next run tries it again.
    """
    started = time.monotonic()
    uncut = cut_drawn(workspace).failed
    with workspace.database.write() as conn:
        embeddings.register(conn, embedder)
        missing = embeddings.missing_count(conn, embedder.id)
    embedded, complete = 0, True
    broken: list[BrokenCrop] = []
    crops = ((crop, workspace.data_dir / crop[1]) for crop in _missing(workspace, embedder.id))
    hidden = None if progress and missing else True  # None: shown on a terminal alone
    with tqdm(total=missing, desc="embed", unit="crop", disable=hidden) as bar:
        for batch in crop_vectors(embedder, crops, batch_size=batch_size):
            broken += [_broken(*crop, error) for crop, error in batch.broken]
            if batch.keys:
                ids = [detection_id for detection_id, _ in batch.keys]
                with workspace.database.write() as conn:
                    embedded += embeddings.append(conn, embedder.id, ids, batch.vectors)
            bar.update(batch.crops)
            if limit is not None and time.monotonic() - started > limit:
                complete = False
                break
    return EmbedReport(
        embedder=embedder.id,
        dimension=embedder.dimension,
        embedded=embedded,
        broken=tuple(sorted(broken, key=lambda crop: crop.crop_path)),
        seconds=time.monotonic() - started,
        complete=complete,
        uncut=uncut,
    )


def _missing(workspace: Workspace, embedder_id: str) -> Iterator[tuple[str, str]]:
    """Every detection without its vector, as (id, crop_path), from a random id to the end and around.

    Ids are hexadecimal digests, so processes that start at random ids share the work almost without
    overlap.
    """
    begin = secrets.token_hex(12)
    for after, until in ((begin, None), ("", begin)):
        page = [(after, "")]
        while page:
            with workspace.database.read() as conn:
                page = embeddings.missing(conn, embedder_id, page[-1][0], PAGE, until=until)
            yield from page


def _broken(detection_id: str, crop_path: str, error: PhotoError) -> BrokenCrop:
    return BrokenCrop(
        detection_id=detection_id, crop_path=crop_path, failure=error.failure, detail=error.detail
    )
