"""Embeddings in the store: one row of float16 for each detection and embedder, appended, never changed."""

from __future__ import annotations

import io
import shlex
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from pipeline.errors import EmbedderError, StoreError
from pipeline.records import Role, utc_now
from pipeline.store.database import IN_ROWS, chunks, insert_new, lock
from pipeline.store.schema import detection, embedder, embedding, image

VECTOR = np.dtype("<f2")  # as the `vector` column keeps each number
READ_ROWS = 16_384  # rows fetched at once: some 16 MB


class Description(Protocol):
    """What the store keeps of an embedder."""

    @property
    def id(self) -> str:
        """See `pipeline.embedders.Embedder`."""

    @property
    def dimension(self) -> int:
        """Length of its vectors."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """JSON: what it is, and how `pipeline.embedders.load` makes it again."""


@dataclass(frozen=True, kw_only=True)
class Registered:
    """An embedder as the store knows it."""

    id: str
    dimension: int
    manifest: Mapping[str, Any]
    identity: str  # tells this store's embeddings from those of another store's embedder of this id


@dataclass(frozen=True, kw_only=True)
class Page:
    """Consecutive embeddings of one embedder."""

    last_seq: int
    ids: list[str]  # of detections
    vectors: NDArray[np.float16]  # (N, D)


def register(conn: sa.Connection, new: Description) -> None:
    """Make the embedder known; a second time changes nothing. StoreError where its dimension changed."""
    row = {
        "id": new.id,
        "dimension": new.dimension,
        "manifest": dict(new.manifest),
        "created_at": utc_now(),
    }
    insert_new(conn, embedder, [row])
    known = registered(conn, new.id).dimension
    if known != new.dimension:
        raise StoreError(
            f"the store knows embedder {new.id} with {known} dimensions, not {new.dimension}",
            remedy="two embedders must not share an id",
        )


def registered(conn: sa.Connection, embedder_id: str) -> Registered:
    """The embedder of this id; StoreError where nothing was ever embedded with it."""
    row = conn.execute(sa.select(embedder).where(embedder.c.id == embedder_id)).mappings().one_or_none()
    if row is None:
        raise StoreError(f"the store knows no embedder {embedder_id!r}", remedy="run `wildloop embed`")
    return Registered(
        id=row["id"],
        dimension=row["dimension"],
        manifest=row["manifest"],
        identity=row["created_at"].isoformat(),
    )


def append(
    conn: sa.Connection, embedder_id: str, detection_ids: Sequence[str], vectors: NDArray[np.floating[Any]]
) -> int:
    """Add vectors (N, D) of registered `embedder_id`; returns how many were new.

    A detection that has its vector keeps it. EmbedderError where the vectors do not fit the embedder or
    hold a number that float16 cannot.
    """
    dimension = registered(conn, embedder_id).dimension
    if vectors.shape != (len(detection_ids), dimension):
        raise EmbedderError(
            f"{embedder_id} has {dimension} dimensions; vectors {vectors.shape} were handed over "
            f"for {len(detection_ids)} detections"
        )
    with np.errstate(over="ignore"):
        packed = np.ascontiguousarray(vectors, dtype=VECTOR)
    finite = np.isfinite(packed).all(axis=1)
    if not finite.all():
        raise EmbedderError(
            f"{embedder_id} gave detection {detection_ids[int(np.argmin(finite))]} a vector with a number "
            "that is none, or is beyond float16's 65504",
            remedy="is it fed as its makers meant it? See its mean and std",
        )
    rows = (
        {"detection_id": detection_id, "embedder": embedder_id, "vector": vector.tobytes()}
        for detection_id, vector in zip(detection_ids, packed, strict=True)
    )
    # Without it PostgreSQL could commit seq 8 before seq 7, and who reads on after 8 would miss 7 for ever.
    lock(conn, "embedding")
    return insert_new(conn, embedding, rows)


def missing(
    conn: sa.Connection, embedder_id: str, after: str, limit: int, *, until: str | None = None
) -> list[tuple[str, str]]:
    """The next detections that have a crop but no vector, as (id, crop_path), in the order of their ids.

    Ids are above `after`, and not above `until` where that is given.
    """
    query = (
        sa.select(detection.c.id, detection.c.crop_path)
        .where(_lacks(embedder_id), detection.c.id > after)
        .order_by(detection.c.id)
        .limit(limit)
    )
    if until is not None:
        query = query.where(detection.c.id <= until)
    return [(row.id, row.crop_path) for row in conn.execute(query)]


def missing_count(conn: sa.Connection, embedder_id: str) -> int:
    """How many detections have a crop but no vector of this embedder."""
    query = sa.select(sa.func.count()).select_from(detection).where(_lacks(embedder_id))
    return int(conn.execute(query).scalar_one())


def is_complete(conn: sa.Connection, embedder_id: str, *, unreadable: Collection[str]) -> bool:
    """Whether no detection lacks the vector of this embedder, but for those that are known `unreadable`."""
    found = missing(conn, embedder_id, "", len(unreadable) + 1)
    return all(detection_id in unreadable for detection_id, _ in found)


def behind(conn: sa.Connection, embedder_id: str, other: str) -> int:
    """How many detections have a crop and a vector of `other`, but none of this embedder."""
    theirs = sa.exists().where(embedding.c.detection_id == detection.c.id, embedding.c.embedder == other)
    query = sa.select(sa.func.count()).select_from(detection).where(_lacks(embedder_id), theirs)
    return int(conn.execute(query).scalar_one())


def way_to(conn: sa.Connection, embedder_id: str, project_id: int) -> str:
    """The command that makes the project work with this registered embedder, ready for a shell."""
    spec = shlex.quote(str(registered(conn, embedder_id).manifest["spec"]))
    return f"wildloop embedding use {spec} --project {project_id}"


def count(conn: sa.Connection, embedder_id: str) -> int:
    """How many vectors of this embedder there are."""
    query = sa.select(sa.func.count()).select_from(embedding).where(embedding.c.embedder == embedder_id)
    return int(conn.execute(query).scalar_one())


def last_seq(conn: sa.Connection, embedder_id: str) -> int:
    """The newest `seq` of this embedder; 0 where it has none."""
    query = sa.select(sa.func.max(embedding.c.seq)).where(embedding.c.embedder == embedder_id)
    return int(conn.execute(query).scalar_one() or 0)


def detection_at(conn: sa.Connection, embedder_id: str, seq: int) -> str | None:
    """The detection whose vector of this embedder has `seq`."""
    query = sa.select(embedding.c.detection_id).where(
        embedding.c.seq == seq, embedding.c.embedder == embedder_id
    )
    found: str | None = conn.execute(query).scalar_one_or_none()
    return found


def vectors(
    conn: sa.Connection, embedder_id: str, detection_ids: Iterable[str]
) -> dict[str, NDArray[np.float32]]:
    """The vectors of these detections, float32 (D,); one without a vector has no entry.

    For a few detections: the whole pool comes from `pipeline.store.pool`.
    """
    found: dict[str, NDArray[np.float32]] = {}
    for batch in chunks(detection_ids, IN_ROWS):
        query = sa.select(embedding.c.detection_id, embedding.c.vector).where(
            embedding.c.embedder == embedder_id, embedding.c.detection_id.in_(batch)
        )
        for detection_id, vector in conn.execute(query):
            found[detection_id] = np.frombuffer(vector, VECTOR).astype(np.float32)
    return found


def pages(conn: sa.Connection, embedder_id: str, after: int) -> Iterator[Page]:
    """Every vector with a `seq` above `after`, in order of `seq`."""
    dimension = registered(conn, embedder_id).dimension
    own = embedding.c.embedder == embedder_id
    while True:
        # A range with both its ends is read through an index even where the planner knows nothing of the
        # table yet; a LIMIT may make it sort all the rest of the table for each page.
        first = conn.execute(sa.select(sa.func.min(embedding.c.seq)).where(own, embedding.c.seq > after))
        begin = first.scalar_one()
        if begin is None:
            return
        rows = fetched(
            conn,
            sa.select(embedding.c.seq, embedding.c.detection_id, embedding.c.vector)
            .where(own, embedding.c.seq >= begin, embedding.c.seq < begin + READ_ROWS)
            .order_by(embedding.c.seq),
        )
        after = rows[-1][0]
        packed = np.frombuffer(b"".join(vector for _, _, vector in rows), VECTOR).reshape(-1, dimension)
        yield Page(last_seq=after, ids=[detection_id for _, detection_id, _ in rows], vectors=packed)


Row = tuple[int, str, bytes | memoryview]


def fetched(conn: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    """The rows of a query for a 64-bit number, a text and bytes, none of them null."""
    if conn.dialect.driver == "psycopg2":
        # By its own fetching bytes travel as hexadecimal, at a quarter of the speed.
        return _copied(conn, query)
    return [(number, text, data) for number, text, data in conn.execute(query)]


_COPY_HEADER = struct.Struct(">11sii")  # signature, flags, length of what follows before the first row
_COPY_COUNT = struct.Struct(">h")  # fields in the row; -1 after the last one
_COPY_ROW = struct.Struct(">hiqi")  # that again, length of the number, the number, length of the text
_COPY_LENGTH = struct.Struct(">i")


def _copied(conn: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    """The same through COPY in PostgreSQL's binary format (described with its COPY command)."""
    compiled = query.compile(dialect=conn.dialect)
    buffer = io.BytesIO()
    cursor: Any = conn.connection.cursor()
    try:
        text = cursor.mogrify(compiled.string, compiled.params).decode()
        cursor.copy_expert(f"COPY ({text}) TO STDOUT (FORMAT BINARY)", buffer)
    finally:
        cursor.close()
    data = buffer.getbuffer()
    rows: list[Row] = []
    at = _COPY_HEADER.size + _COPY_HEADER.unpack_from(data)[2]
    while _COPY_COUNT.unpack_from(data, at)[0] >= 0:
        _, _, number, text_length = _COPY_ROW.unpack_from(data, at)
        text_end = at + _COPY_ROW.size + text_length
        bytes_at = text_end + _COPY_LENGTH.size
        end = bytes_at + _COPY_LENGTH.unpack_from(data, text_end)[0]
        rows.append((number, str(data[text_end - text_length : text_end], "utf-8"), data[bytes_at:end]))
        at = end
    return rows


def _lacks(embedder_id: str) -> sa.ColumnElement[bool]:
    """Of the target pool alone: the other is for training embedders."""
    has = sa.exists().where(embedding.c.detection_id == detection.c.id, embedding.c.embedder == embedder_id)
    target = sa.exists().where(image.c.id == detection.c.image_id, image.c.role == Role.TARGET)
    return sa.and_(detection.c.crop_path.is_not(None), target, ~has)
