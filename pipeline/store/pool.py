"""The pool in memory: every vector of one embedder, mapped from a local cache of the store.

The cache is in `cache/pool/<embedder id>/` of the data folder:

    state.json             how much of the two files is complete, and which store they belong to
    vectors-<name>.f16     little-endian float16, rows x dimension, in the order of `embedding.seq`
    ids-<name>.txt         the detection ids of the rows, one a line
    lock                   held while the state is read or the files are extended

The files only grow, and their state is replaced only after the data it describes is on the disk. A killed
process leaves at most an incomplete tail, which the next process cuts off, and no process changes bytes
that another one has mapped. If the files belong to another store, new ones replace them.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from pipeline.errors import StoreError
from pipeline.files.atomic import atomic_file, sync
from pipeline.files.lock import locked
from pipeline.store import embeddings
from pipeline.store.database import Database

STATE = "state.json"


@dataclass(frozen=True, kw_only=True)
class _State:
    """How much of the cache files is complete."""

    identity: str  # of the embedder in the store that the files were read from
    name: str  # part of the names of the two files
    dimension: int
    rows: int = 0
    id_bytes: int = 0
    last_seq: int = 0
    last_id: str = ""


class Pool:
    """Every embedding of one embedder at one moment; later embeddings need another `open_pool`."""

    def __init__(self, vectors: NDArray[np.float16], id_lines: bytes) -> None:
        self.vectors = vectors  # float16 (N, D), a read-only map of the cache file
        self._id_lines = id_lines

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def ids(self) -> list[str]:
        """The detection of each row. Built at the first use: 0.1 s for a million."""
        return self._id_lines.decode().split("\n")[:-1]

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of each detection. Built at the first use: 0.2 s for a million."""
        return {detection_id: row for row, detection_id in enumerate(self.ids)}

    def rows(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of these detections, in their order: float32 (len(ids), D).

        Raises StoreError, which names the detection, if one has no embedding.
        """
        try:
            at = [self.index[detection_id] for detection_id in ids]
        except KeyError as exc:
            raise StoreError(f"detection {exc} has no embedding", remedy="run `wildloop embed`") from exc
        return self.vectors[at].astype(np.float32)


_opened: dict[Path, tuple[_State, Pool]] = {}  # the newest of each cache: its index is built once
_opened_lock = threading.Lock()


def open_pool(database: Database, data_dir: Path, embedder_id: str) -> Pool:
    """Every committed embedding of `embedder_id`, after updating the local cache.

    If nothing is new, this takes milliseconds and returns the same Pool. Several processes may call it at
    the same time. Raises StoreError if the store has no such embedder, FileError if the disk refuses.
    """
    folder = data_dir / "cache" / "pool" / embedder_id
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        with database.read() as conn:
            state = _refreshed(conn, folder, embedder_id)
        with _opened_lock:
            opened_state, pool = _opened.get(folder, (None, None))
            if pool is None or opened_state != state:
                pool = _map(folder, state)
                _opened[folder] = (state, pool)
            return pool


def _refreshed(conn: sa.Connection, folder: Path, embedder_id: str) -> _State:
    record = embeddings.get_embedder(conn, embedder_id)
    state = _read_state(folder)
    if state is None or not _belongs(conn, state, record) or not _complete(folder, state):
        _clear(folder)
        state = _State(identity=record.identity, name=secrets.token_hex(6), dimension=record.dimension)
        _paths(folder, state)[0].touch()
        _paths(folder, state)[1].touch()
        _write_state(folder, state)
    if embeddings.last_seq(conn, embedder_id) > state.last_seq:
        state = _extend(conn, folder, state, embedder_id)
    return state


def _belongs(conn: sa.Connection, state: _State, record: embeddings.EmbedderRecord) -> bool:
    """Whether the cache is of this store as it is now, not of another one or of a state before a restore."""
    if (state.identity, state.dimension) != (record.identity, record.dimension):
        return False
    return state.rows == 0 or embeddings.detection_at(conn, record.id, state.last_seq) == state.last_id


def _complete(folder: Path, state: _State) -> bool:
    vectors, ids = _paths(folder, state)
    try:
        return vectors.stat().st_size >= _vector_bytes(state) and ids.stat().st_size >= state.id_bytes
    except FileNotFoundError:
        return False


def _extend(conn: sa.Connection, folder: Path, state: _State, embedder_id: str) -> _State:
    vectors_path, ids_path = _paths(folder, state)
    with vectors_path.open("r+b") as vectors, ids_path.open("r+b") as ids:
        vectors.truncate(_vector_bytes(state))  # cut what a killed process left behind the last complete row
        ids.truncate(state.id_bytes)
        vectors.seek(0, os.SEEK_END)
        ids.seek(0, os.SEEK_END)
        for page in embeddings.pages(conn, embedder_id, state.last_seq):
            lines = "".join(f"{detection_id}\n" for detection_id in page.ids).encode()
            vectors.write(page.vectors.data)
            ids.write(lines)
            for file in (vectors, ids):
                sync(file)
            state = replace(
                state,
                rows=state.rows + len(page.ids),
                id_bytes=state.id_bytes + len(lines),
                last_seq=page.last_seq,
                last_id=page.ids[-1],
            )
            _write_state(folder, state)
    return state


def _map(folder: Path, state: _State) -> Pool:
    vectors_path, ids_path = _paths(folder, state)
    shape = (state.rows, state.dimension)
    with ids_path.open("rb") as file:
        id_lines = file.read(state.id_bytes)
    if state.rows == 0:  # an empty file cannot be mapped
        return Pool(np.empty(shape, embeddings.VECTOR), id_lines)
    return Pool(np.memmap(vectors_path, embeddings.VECTOR, "r", shape=shape), id_lines)


def _paths(folder: Path, state: _State) -> tuple[Path, Path]:
    return folder / f"vectors-{state.name}.f16", folder / f"ids-{state.name}.txt"


def _vector_bytes(state: _State) -> int:
    return state.rows * state.dimension * embeddings.VECTOR.itemsize


def _read_state(folder: Path) -> _State | None:
    try:
        return _State(**json.loads((folder / STATE).read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):  # another format, or damaged: rebuild it from the store
        return None


def _write_state(folder: Path, state: _State) -> None:
    with atomic_file(folder / STATE, fsync=True) as draft:
        draft.write_text(json.dumps(asdict(state)))


def _clear(folder: Path) -> None:
    """Remove the files. Processes that have mapped them keep them; Windows refuses to remove those."""
    for path in folder.iterdir():
        if path.name != "lock":
            with suppress(PermissionError):
                path.unlink()
