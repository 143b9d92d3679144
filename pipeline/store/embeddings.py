"""Embeddings: one float16 vector per detection and embedder. Rows are added, never changed."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from pipeline.errors import EmbedderError, StoreError
from pipeline.records import Role, utc_now
from pipeline.store.bulk_read import read_rows
from pipeline.store.database import IN_ROWS, chunks, insert_new, lock
from pipeline.store.schema import detection, embedder, embedding, image

VECTOR = np.dtype("<f2")  # the numbers in the `vector` column
READ_ROWS = 16_384  # rows read at once: about 16 MB


class EmbedderDescription(Protocol):
    """The stored properties of an embedder."""

    @property
    def id(self) -> str:
        """See `pipeline.embedders.Embedder`."""

    @property
    def dimension(self) -> int:
        """The length of its vectors."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """A JSON object that describes it, from which `pipeline.embedders.load` can load it."""


@dataclass(frozen=True, kw_only=True)
class EmbedderRecord:
    """A registered embedder."""

    id: str
    dimension: int
    manifest: Mapping[str, Any]
    identity: str  # differs between databases: separates their embeddings by an embedder with the same id


@dataclass(frozen=True, kw_only=True)
class Page:
    """Consecutive embeddings of one embedder."""

    last_seq: int
    ids: list[str]  # of detections
    vectors: NDArray[np.float16]  # (N, D)


def register(conn: sa.Connection, new: EmbedderDescription) -> None:
    """Store the embedder, unless it is stored already.

    Raises StoreError if the stored embedder with this id has another dimension.
    """
    row = {
        "id": new.id,
        "dimension": new.dimension,
        "manifest": dict(new.manifest),
        "created_at": utc_now(),
    }
    insert_new(conn, embedder, [row])
    stored = get_embedder(conn, new.id).dimension
    if stored != new.dimension:
        raise StoreError(
            f"embedder {new.id} is stored with {stored} dimensions, not {new.dimension}",
            remedy="give the two embedders different ids",
        )


def get_embedder(conn: sa.Connection, embedder_id: str) -> EmbedderRecord:
    """The registered embedder with this id. Raises StoreError if there is none."""
    row = conn.execute(sa.select(embedder).where(embedder.c.id == embedder_id)).mappings().one_or_none()
    if row is None:
        raise StoreError(f"no embedder {embedder_id!r} in the database", remedy="run `wildloop embed`")
    return EmbedderRecord(
        id=row["id"],
        dimension=row["dimension"],
        manifest=row["manifest"],
        identity=row["created_at"].isoformat(),
    )


def append(
    conn: sa.Connection, embedder_id: str, detection_ids: Sequence[str], vectors: NDArray[np.floating[Any]]
) -> int:
    """Store the vectors (N, D) of N detections by a registered embedder; returns the number of new ones.

    A detection that already has a vector keeps it. Raises EmbedderError if the shape does not match or a
    number is NaN, infinite or beyond the range of float16.
    """
    dimension = get_embedder(conn, embedder_id).dimension
    expected = (len(detection_ids), dimension)
    if vectors.shape != expected:
        raise EmbedderError(f"vectors by {embedder_id} must have shape {expected}, not {vectors.shape}")
    with np.errstate(over="ignore"):
        packed = np.ascontiguousarray(vectors, dtype=VECTOR)
    finite = np.isfinite(packed).all(axis=1)
    if not finite.all():
        raise EmbedderError(
            f"the vector of detection {detection_ids[int(np.argmin(finite))]} by {embedder_id} contains NaN "
            "or a number beyond the range of float16 (65504)",
            remedy="check the embedder's preprocessing, such as mean and std",
        )
    rows = (
        {"detection_id": detection_id, "embedder": embedder_id, "vector": vector.tobytes()}
        for detection_id, vector in zip(detection_ids, packed, strict=True)
    )
    # Without this lock PostgreSQL could commit seq 8 before seq 7, and a reader at 8 would never see 7.
    lock(conn, "embedding")
    return insert_new(conn, embedding, rows)


def missing(
    conn: sa.Connection, embedder_id: str, after: str, limit: int, *, until: str | None = None
) -> list[tuple[str, str]]:
    """Up to `limit` detections of the target pool with a crop but no vector by this embedder.

    Returns (id, crop_path) pairs sorted by id, with `after` < id, and id <= `until` if it is given.
    """
    query = (
        sa.select(detection.c.id, detection.c.crop_path)
        .where(_is_missing(embedder_id), detection.c.id > after)
        .order_by(detection.c.id)
        .limit(limit)
    )
    if until is not None:
        query = query.where(detection.c.id <= until)
    return [(row.id, row.crop_path) for row in conn.execute(query)]


def missing_count(conn: sa.Connection, embedder_id: str, *, embedded_by: str | None = None) -> int:
    """The number of detections of the target pool with a crop but no vector by this embedder.

    With `embedded_by`, only detections that have a vector by that embedder.
    """
    query = sa.select(sa.func.count()).select_from(detection).where(_is_missing(embedder_id))
    if embedded_by is not None:
        query = query.where(_has_vector(embedded_by))
    return int(conn.execute(query).scalar_one())


def is_complete(conn: sa.Connection, embedder_id: str, *, unreadable: Collection[str]) -> bool:
    """Whether all detections with a crop have a vector by this embedder, except those in `unreadable`."""
    found = missing(conn, embedder_id, "", len(unreadable) + 1)
    return all(detection_id in unreadable for detection_id, _ in found)


def use_command(conn: sa.Connection, embedder_id: str, project_id: int) -> str:
    """The shell command that switches the project to this registered embedder."""
    spec = shlex.quote(str(get_embedder(conn, embedder_id).manifest["spec"]))
    return f"wildloop embedding use {spec} --project {project_id}"


def count(conn: sa.Connection, embedder_id: str) -> int:
    """The number of vectors by this embedder."""
    query = sa.select(sa.func.count()).select_from(embedding).where(embedding.c.embedder == embedder_id)
    return int(conn.execute(query).scalar_one())


def last_seq(conn: sa.Connection, embedder_id: str) -> int:
    """The highest `seq` of this embedder's vectors; 0 if there are none."""
    query = sa.select(sa.func.max(embedding.c.seq)).where(embedding.c.embedder == embedder_id)
    return int(conn.execute(query).scalar_one() or 0)


def detection_at(conn: sa.Connection, embedder_id: str, seq: int) -> str | None:
    """The id of the detection whose vector by this embedder has `seq`, if there is one."""
    query = sa.select(embedding.c.detection_id).where(
        embedding.c.seq == seq, embedding.c.embedder == embedder_id
    )
    detection_id: str | None = conn.execute(query).scalar_one_or_none()
    return detection_id


def vectors(
    conn: sa.Connection, embedder_id: str, detection_ids: Iterable[str]
) -> dict[str, NDArray[np.float32]]:
    """The vector of each of these detections, float32 (D,); a detection without one has no entry.

    Use `pipeline.store.pool` to read all vectors.
    """
    vector_of: dict[str, NDArray[np.float32]] = {}
    for batch in chunks(detection_ids, IN_ROWS):
        query = sa.select(embedding.c.detection_id, embedding.c.vector).where(
            embedding.c.embedder == embedder_id, embedding.c.detection_id.in_(batch)
        )
        for detection_id, vector in conn.execute(query):
            vector_of[detection_id] = np.frombuffer(vector, VECTOR).astype(np.float32)
    return vector_of


def pages(conn: sa.Connection, embedder_id: str, after: int) -> Iterator[Page]:
    """All vectors by this embedder with `seq` > `after`, in pages sorted by `seq`."""
    dimension = get_embedder(conn, embedder_id).dimension
    own = embedding.c.embedder == embedder_id
    while True:
        # A range with two ends uses the index even if the planner has no statistics of the table yet; with
        # LIMIT it may sort the rest of the table for each page.
        first = conn.execute(sa.select(sa.func.min(embedding.c.seq)).where(own, embedding.c.seq > after))
        begin = first.scalar_one()
        if begin is None:
            return
        rows = read_rows(
            conn,
            sa.select(embedding.c.seq, embedding.c.detection_id, embedding.c.vector)
            .where(own, embedding.c.seq >= begin, embedding.c.seq < begin + READ_ROWS)
            .order_by(embedding.c.seq),
        )
        after = rows[-1][0]
        packed = np.frombuffer(b"".join(vector for _, _, vector in rows), VECTOR).reshape(-1, dimension)
        yield Page(last_seq=after, ids=[detection_id for _, detection_id, _ in rows], vectors=packed)


def _is_missing(embedder_id: str) -> sa.ColumnElement[bool]:
    """Whether a detection of the target pool has a crop but no vector (the other pool trains embedders)."""
    is_target = sa.exists().where(image.c.id == detection.c.image_id, image.c.role == Role.TARGET)
    is_cut = sa.and_(detection.c.crop_path.is_not(None), detection.c.replaced_by.is_(None))
    return sa.and_(is_cut, is_target, ~_has_vector(embedder_id))


def _has_vector(embedder_id: str) -> sa.ColumnElement[bool]:
    return sa.exists().where(embedding.c.detection_id == detection.c.id, embedding.c.embedder == embedder_id)
