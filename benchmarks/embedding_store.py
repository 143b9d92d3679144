"""Where to store a million embeddings: rows in the database with a local cache, segments, or plain files.

Every layout is filled by the same loader, appended to by the same writers, and killed and read in separate
processes. Prints a table; `--json FILE` writes the measurements.
"""

from __future__ import annotations

import argparse
import datetime as dt
import fcntl
import json
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from pipeline.store import embeddings
from pipeline.store.bulk_read import read_rows
from pipeline.store.database import Database, insert_new, lock
from pipeline.store.pool import open_pool
from pipeline.store.schema import BigId, detection, image

EMBEDDER = "benchmark-000000000000"
SEGMENT = 1_000  # vectors per segment
COMMIT = 64  # vectors per append, as `wildloop embed` makes them
LOAD = 10_000  # vectors per append while the store is filled
NAMES = {
    "rows sqlite": "float16 rows in SQLite + local cache",
    "rows postgresql": "float16 rows in PostgreSQL + local cache",
    "segments sqlite": f"segments of {SEGMENT} in SQLite",
    "segments postgresql": f"segments of {SEGMENT} in PostgreSQL",
    "file": ".npy-like memory map, no database",
}

Vectors = NDArray[np.float16]


class Layout(Protocol):
    """One way to store vectors. Every process creates it from the same arguments."""

    def create(self, ids: Iterator[list[str]]) -> None:
        """Create an empty store with these detections."""

    def append(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Append vectors. They survive a kill after it returns; several processes may call it at once."""

    def pool(self) -> tuple[list[str], Vectors]:
        """All committed ids and vectors."""

    def forget(self) -> None:
        """Remove what `pool` caches on this machine."""

    def size(self) -> dict[str, int]:
        """Bytes on disk."""


class Rows:
    """The layout of `pipeline.store`, by its own code."""

    def __init__(self, url: str, folder: Path, dimension: int) -> None:
        self.database = Database(url)
        self.folder = folder
        self.id, self.dimension, self.manifest = EMBEDDER, dimension, {"kind": "benchmark"}

    def embed(self, images: Sequence[Any]) -> NDArray[np.float32]:
        return np.empty((len(images), self.dimension), np.float32)

    def create(self, ids: Iterator[list[str]]) -> None:
        self.database.migrate()
        with self.database.write() as conn:
            row = {"id": "i", "file_name": "f", "path": "p", "imported_at": dt.datetime.now(dt.UTC)}
            insert_new(conn, image, [row])
            embeddings.register(conn, self)
        box = {"bbox_X1": 0.0, "bbox_Y1": 0.0, "bbox_X2": 1.0, "bbox_Y2": 1.0}
        common = {"image_id": "i", "kind": 0, "detector": "d", "detector_category": "animal", **box}
        for part in ids:
            with self.database.write() as conn:
                insert_new(conn, detection, ({"id": new, **common} for new in part))

    def append(self, ids: Sequence[str], vectors: Vectors) -> None:
        with self.database.write() as conn:
            embeddings.append(conn, EMBEDDER, ids, vectors)

    def pool(self) -> tuple[list[str], Vectors]:
        pool = open_pool(self.database, self.folder, EMBEDDER)
        return pool.ids, pool.vectors

    def forget(self) -> None:
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def size(self) -> dict[str, int]:
        cache = sum(path.stat().st_size for path in (self.folder / "cache").rglob("*") if path.is_file())
        return {"store": relation_size(self.database, "embedding"), "cache": cache}


class Segments:
    """Rows with a blob of many vectors and a text of their ids; no local copy."""

    TABLE = sa.Table(
        "segment",
        sa.MetaData(),
        sa.Column("seq", BigId, primary_key=True, autoincrement=True),
        sa.Column("ids", sa.Text, nullable=False),
        sa.Column("vectors", sa.LargeBinary, nullable=False),
    )

    def __init__(self, url: str, folder: Path, dimension: int) -> None:
        self.database = Database(url)
        self.dimension = dimension

    def create(self, ids: Iterator[list[str]]) -> None:
        with self.database.write() as conn:
            self.TABLE.create(conn)

    def append(self, ids: Sequence[str], vectors: Vectors) -> None:
        rows = [
            {
                "ids": "\n".join(ids[start : start + SEGMENT]),
                "vectors": vectors[start : start + SEGMENT].tobytes(),
            }
            for start in range(0, len(ids), SEGMENT)
        ]
        with self.database.write() as conn:
            lock(conn, "embedding")
            conn.execute(self.TABLE.insert(), rows)

    def pool(self) -> tuple[list[str], Vectors]:
        ids: list[str] = []
        parts: list[Vectors] = []
        with self.database.read() as conn:
            last = conn.execute(sa.select(sa.func.max(self.TABLE.c.seq))).scalar_one() or 0
            for begin in range(0, last + 1, 16):
                query = sa.select(self.TABLE).where(self.TABLE.c.seq >= begin, self.TABLE.c.seq < begin + 16)
                for _, names, blob in read_rows(conn, query.order_by(self.TABLE.c.seq)):
                    ids += names.split("\n")
                    parts.append(np.frombuffer(blob, embeddings.VECTOR).reshape(-1, self.dimension))
        return ids, np.concatenate(parts)

    def forget(self) -> None:
        pass

    def size(self) -> dict[str, int]:
        return {"store": relation_size(self.database, "segment"), "cache": 0}


class File:
    """Vectors in one file, their ids in another, and their number in a third."""

    def __init__(self, url: str, folder: Path, dimension: int) -> None:
        self.folder = folder
        self.vectors, self.ids, self.count = (folder / name for name in ("v.f16", "ids.txt", "count"))
        self.dimension = dimension

    def create(self, ids: Iterator[list[str]]) -> None:
        self.folder.mkdir(parents=True)
        self.vectors.touch()
        self.ids.touch()
        self.count.write_text("0 0")

    def append(self, ids: Sequence[str], vectors: Vectors) -> None:
        with (self.folder / "lock").open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            rows, id_bytes = map(int, self.count.read_text().split())
            lines = "".join(f"{detection}\n" for detection in ids).encode()
            for path, keep, data in (
                (self.vectors, rows * self.dimension * 2, vectors.tobytes()),
                (self.ids, id_bytes, lines),
            ):
                with path.open("r+b") as file:
                    file.truncate(keep)
                    file.seek(keep)
                    file.write(data)
                    file.flush()
                    os.fdatasync(file.fileno())
            draft = self.folder / "count.draft"
            draft.write_text(f"{rows + len(ids)} {id_bytes + len(lines)}")
            draft.replace(self.count)

    def pool(self) -> tuple[list[str], Vectors]:
        rows, id_bytes = map(int, self.count.read_text().split())
        with self.ids.open("rb") as file:
            ids = file.read(id_bytes).decode().split("\n")[:-1]
        shape = (rows, self.dimension)
        return ids, np.memmap(self.vectors, embeddings.VECTOR, "r", shape=shape)

    def forget(self) -> None:
        pass

    def size(self) -> dict[str, int]:
        return {"store": sum(path.stat().st_size for path in self.folder.iterdir()), "cache": 0}


def relation_size(database: Database, table: str) -> int:
    """Bytes of the table with its indexes."""
    if database.is_sqlite:
        with database.read() as conn:
            names = [
                name
                for (name,) in conn.exec_driver_sql(
                    "SELECT name FROM sqlite_master WHERE tbl_name = ?", (table,)
                )
            ]
            marks = ", ".join("?" * len(names))
            query = f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({marks})"
            return int(conn.exec_driver_sql(query, tuple(names)).scalar_one())
    with database.read() as conn:
        return int(conn.execute(sa.select(sa.func.pg_total_relation_size(table))).scalar_one())


LAYOUTS: dict[str, Callable[[str, Path, int], Layout]] = {"rows": Rows, "segments": Segments, "file": File}


def opened(name: str, url: str, folder: Path, dimension: int) -> Layout:
    return LAYOUTS[name.split()[0]](url, folder, dimension)


def detection_ids(first: int, count: int) -> list[str]:
    """Ids like those of detections: 24 hexadecimal digits in no order."""
    return [f"{(number * 0x9E3779B97F4A7C15F39CC060) % 2**96:024x}" for number in range(first, first + count)]


def vectors_of(ids: Sequence[str], dimension: int) -> Vectors:
    """The vectors that belong to these ids, by which a reader recognises incomplete ones."""
    seeds = np.array([int(text[:8], 16) for text in ids], np.uint64)[:, np.newaxis]
    columns = np.arange(dimension, dtype=np.uint64)
    mixed = (seeds * np.uint64(2654435761) + columns * np.uint64(40503)) % np.uint64(4093)
    return (mixed.astype(np.float32) / 2048 - 1).astype(embeddings.VECTOR)


def write(args: tuple[Any, ...], first: int, count: int, batch: int, pipe: Any) -> None:
    """Append `count` vectors in batches; sends the number so far after each, and the seconds at the end."""
    layout = opened(*args)
    dimension = args[3]
    ids = detection_ids(first, count)
    vectors = vectors_of(ids, dimension)
    started = time.monotonic()
    for start in range(0, count, batch):
        layout.append(ids[start : start + batch], vectors[start : start + batch])
        pipe.send(min(count, start + batch))
    pipe.send(time.monotonic() - started)
    pipe.close()


def read(args: tuple[Any, ...], pipe: Any) -> None:
    """Open the pool; sends its length, and the seconds until it is open and until one product over it."""
    dimension = args[3]
    layout = opened(*args)
    started = time.monotonic()
    ids, vectors = layout.pool()
    opening = time.monotonic() - started
    weights = np.ones((dimension, 50), np.float32)
    for start in range(0, len(vectors), 16_384):
        vectors[start : start + 16_384].astype(np.float32) @ weights
    pipe.send((len(ids), opening, time.monotonic() - started))
    pipe.close()


def in_process(work: Callable[..., None], *args: Any) -> tuple[Any, Any]:
    """Start `work` in a new process; returns the process and the receiving end of its pipe."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*args, sender))
    process.start()
    sender.close()
    return process, receiver


def timed_read(args: tuple[Any, ...]) -> tuple[int, float, float]:
    process, receiver = in_process(read, args)
    measured: tuple[int, float, float] = receiver.recv()
    process.join()
    return measured


def received(receiver: Any) -> tuple[int, float | None]:
    """The last number of vectors that a writer sent, and its time if it finished."""
    count, seconds = 0, None
    try:
        while True:
            message = receiver.recv()
            if isinstance(message, float):
                seconds = message
            else:
                count = message
    except EOFError:
        return count, seconds


def measure(name: str, url: str, folder: Path, rows: int, dimension: int) -> dict[str, Any]:
    args = (name, url, folder, dimension)
    layout = opened(*args)
    spare = 40_000  # appended by the measurements beyond `rows`
    layout.create(detection_ids(at, min(LOAD, rows + spare - at)) for at in range(0, rows + spare, LOAD))
    result: dict[str, Any] = {}

    started = time.monotonic()
    for at in range(0, rows, LOAD):
        ids = detection_ids(at, min(LOAD, rows - at))
        layout.append(ids, vectors_of(ids, dimension))
    result["fill_rows_s"] = rows / (time.monotonic() - started)

    layout.forget()
    count, result["cold_s"], result["cold_matmul_s"] = timed_read(args)
    assert count == rows, (count, rows)
    _, result["warm_s"], result["warm_matmul_s"] = timed_read(args)

    # Segments of 64 would be rows, so a commit fills a segment.
    batch = SEGMENT if name.startswith("segments") else COMMIT
    process, receiver = in_process(write, args, rows, 5_000, batch)
    count, seconds = received(receiver)
    process.join()
    assert count == 5_000
    assert seconds is not None
    result["append_rows_s"] = 5_000 / seconds
    _, result["refresh_s"], _ = timed_read(args)

    writers = [in_process(write, args, rows + 5_000 + 5_000 * half, 5_000, batch) for half in (0, 1)]
    ends = [received(receiver) for _, receiver in writers]
    for process, _ in writers:
        process.join()
    assert all(count == 5_000 for count, _ in ends), ends
    result["two_writers_rows_s"] = 10_000 / max(seconds or 0.0 for _, seconds in ends)

    result["kill"] = killed(args, rows + 15_000, batch)
    if name.startswith("rows"):
        result["cache_kill"] = killed_reader(args, layout)
    result["size"] = layout.size()
    return result


def killed(args: tuple[Any, ...], first: int, batch: int) -> str:
    """Kill a writer by SIGKILL, reopen the store, and check every vector that it may have written."""
    process, receiver = in_process(write, args, first, 25_000, batch)
    while receiver.recv() < 10_000:
        pass
    os.kill(process.pid, signal.SIGKILL)
    reported, seconds = received(receiver)
    process.join()
    layout = opened(*args)
    ids, vectors = layout.pool()
    index = {detection: row for row, detection in enumerate(ids)}
    written = detection_ids(first, 25_000)
    present = [detection for detection in written if detection in index]
    rows = [index[detection] for detection in present]
    whole = np.array_equal(vectors[rows], vectors_of(present, args[3]))
    lost = sum(detection not in index for detection in written[: max(reported, 10_000)])
    state = "finished before" if seconds is not None else "killed"
    torn = "none" if whole else "SOME"
    return f"{state}; {max(reported, 10_000)} reported, {lost} lost, {torn} incomplete"


def killed_reader(args: tuple[Any, ...], layout: Layout) -> str:
    """Kill a process while it builds the local cache; the next one must continue and have everything."""
    layout.forget()
    process, _ = in_process(read, args)
    state = args[2] / "cache" / "pool" / EMBEDDER / "state.json"
    while not (state.exists() and json.loads(state.read_text())["rows"]):
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    before = json.loads(state.read_text())["rows"]
    ids, vectors = layout.pool()
    step = max(1, len(ids) // 20_000)
    whole = np.array_equal(vectors[::step], vectors_of(ids[::step], args[3]))
    torn = "none" if whole and len(set(ids)) == len(ids) else "SOME"
    return f"killed at {before} of {len(ids)} rows; {torn} incomplete"


def hexadecimal_fetch(url: str) -> float:
    """Seconds to read every row by psycopg2's fetching instead of COPY."""
    database = Database(url)
    started = time.monotonic()
    after = 0
    with database.read() as conn:
        while True:
            query = sa.text("SELECT seq, detection_id, vector FROM embedding WHERE seq > :a AND seq <= :b")
            rows = conn.execute(query, {"a": after, "b": after + embeddings.READ_ROWS}).all()
            if not rows:
                return time.monotonic() - started
            np.frombuffer(b"".join(vector for _, _, vector in rows), embeddings.VECTOR)
            after = max(seq for seq, _, _ in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--postgres", default="postgresql+psycopg2://postgres@127.0.0.1:5432/postgres")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    parser.add_argument("--only", choices=sorted(NAMES), action="append", help="measure these layouts only")
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    options = parser.parse_args()
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="embedding-store-") as scratch:
        for name in options.only or NAMES:
            folder = Path(scratch) / name.replace(" ", "-")
            with store_url(name, folder, options.postgres) as url:
                results[name] = measure(name, url, folder, options.rows, options.dimension)
                if name == "rows postgresql":
                    results[name]["hexadecimal_s"] = hexadecimal_fetch(url)
            print(name, json.dumps(results[name]), flush=True)
            shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    print_table(results, options.rows, options.dimension)


@contextmanager
def store_url(name: str, folder: Path, postgres: str) -> Iterator[str]:
    """The URL of an empty database, dropped at the end."""
    if not name.endswith("postgresql"):
        yield f"sqlite:///{folder / 'store.db'}"
        return
    own = f"wildloop_benchmark_{uuid.uuid4().hex[:8]}"
    admin = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(sa.text(f'CREATE DATABASE "{own}"'))
    try:
        yield sa.make_url(postgres).set(database=own).render_as_string(hide_password=False)
    finally:
        with admin.connect() as conn:
            conn.execute(sa.text(f'DROP DATABASE "{own}" WITH (FORCE)'))
        admin.dispose()


def print_table(results: dict[str, dict[str, Any]], rows: int, dimension: int) -> None:
    print(f"\n{rows:,} x {dimension} float16\n")
    print(
        "| layout | append, rows/s (2 writers) | pool, no cache | pool, cached | after 5,000 new "
        "| + one float32 product | killed writer | on disk, GB (cache) |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, r in results.items():
        print(
            f"| {NAMES[name]} | {r['append_rows_s']:,.0f} ({r['two_writers_rows_s']:,.0f}) "
            f"| {r['cold_s']:.1f} s | {r['warm_s']:.2f} s | {r['refresh_s']:.2f} s "
            f"| {r['warm_matmul_s']:.1f} s | {r['kill']} "
            f"| {r['size']['store'] / 1e9:.2f} ({r['size']['cache'] / 1e9:.2f}) |"
        )
    for name, other in (("rows sqlite", "segments sqlite"), ("rows postgresql", "segments postgresql")):
        if name in results and other in results:
            rows_layout, segments = results[name], results[other]
            print(
                f"\n{NAMES[name]} against {NAMES[other]}: pool without a cache "
                f"{segments['cold_s'] / rows_layout['cold_s']:.2f} times as fast, with it "
                f"{segments['warm_s'] / rows_layout['warm_s']:.1f} times; cache {rows_layout['cache_kill']}"
            )
    if "hexadecimal_s" in results.get("rows postgresql", {}):
        postgresql = results["rows postgresql"]
        print(
            f"\nReading PostgreSQL's rows by psycopg2's fetch takes {postgresql['hexadecimal_s']:.1f} s; "
            f"COPY and writing the cache take {postgresql['cold_s']:.1f} s together."
        )


if __name__ == "__main__":
    main()
