"""Stored embeddings, the pool in memory and the step that embeds crops, on both databases."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from pipeline.cli.embed import embed as embed_command
from pipeline.embedders.embedder import TwoStepEmbedder
from pipeline.errors import EmbedderError, StoreError
from pipeline.identity import detection_id, image_id
from pipeline.records import WHOLE_FRAME, DetectionRecord, ImageRecord
from pipeline.steps.embedding.embed import embed
from pipeline.store import detections, embeddings, images
from pipeline.store.database import Database
from pipeline.store.pool import open_pool
from tests.helpers.labelled_workspace import make_workspace

DIMENSION = 16
ID = "mean_colour-0123456789ab"


class MeanColour(TwoStepEmbedder):
    """An embedder without weights: the mean colour, and thirteen zeros."""

    id = ID
    dimension = DIMENSION
    side = 24
    manifest = {"kind": "test", "spec": "descriptor"}  # noqa: RUF012

    def __init__(self, fails_after: int | None = None) -> None:
        self.seen = 0
        self.fails_after = fails_after

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(image)

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        if self.fails_after is not None and self.seen + len(rows) > self.fails_after:
            raise KeyboardInterrupt
        self.seen += len(rows)
        vectors = np.zeros((len(rows), DIMENSION), np.float32)
        for vector, pixels in zip(vectors, rows, strict=True):
            vector[:3] = pixels.reshape(-1, 3).mean(axis=0)
        return vectors


def known_vectors(ids: Sequence[str]) -> NDArray[np.float32]:
    """A vector for each id that follows from the id, so that a reader can check it."""
    rows = [[int(one[at : at + 2], 16) for at in range(0, 2 * DIMENSION, 2)] for one in (i * 2 for i in ids)]
    return np.array(rows, np.float32).reshape(-1, DIMENSION)


def add_detections(
    database: Database, count: int, *, crop: str = "crops/{0:.2}/{0}.jpg", prefix: str = ""
) -> list[str]:
    """Detections of as many photographs; their ids."""
    names = [f"{prefix}{number}.jpg" for number in range(count)]
    records = [ImageRecord(id=image_id(name, "x"), file_name=name, path=f"/photos/{name}") for name in names]
    ids = [detection_id(record.id, "test", WHOLE_FRAME) for record in records]
    boxes = [
        DetectionRecord(
            id=one,
            image_id=record.id,
            box=WHOLE_FRAME,
            bbox_confidence=0.9,
            detector="test",
            crop_path=crop.format(one),
        )
        for one, record in zip(ids, records, strict=True)
    ]
    with database.write() as conn:
        images.add(conn, records)
        detections.add(conn, boxes)
    return ids


def write_crops(data_dir: Path, ids: Sequence[str]) -> None:
    for number, id_ in enumerate(ids):
        path = data_dir / "crops" / id_[:2] / f"{id_}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (24, 24), (number % 256, 100, 200)).save(path, quality=95)


def append(database: Database, ids: Sequence[str]) -> int:
    with database.write() as conn:
        embeddings.register(conn, MeanColour())
        return embeddings.append(conn, ID, ids, known_vectors(ids))


# --- the store


def test_a_detection_keeps_its_first_vector(database: Database) -> None:
    ids = add_detections(database, 3)
    assert append(database, ids[:2]) == 2
    with database.write() as conn:
        assert embeddings.append(conn, ID, ids, np.zeros((3, DIMENSION))) == 1
        kept = embeddings.vectors(conn, ID, [*ids, "unknown"])
        assert embeddings.count(conn, ID) == 3
    np.testing.assert_array_equal(kept[ids[0]], known_vectors(ids[:1])[0])
    np.testing.assert_array_equal(kept[ids[2]], np.zeros(DIMENSION))
    assert set(kept) == set(ids)


def test_only_detections_with_a_crop_and_without_a_vector_are_missing(database: Database) -> None:
    ids = sorted(add_detections(database, 5))
    with database.write() as conn:
        lone = ImageRecord(id="lone", file_name="lone.jpg", path="/lone.jpg")
        images.add(conn, [lone])
        detections.add(
            conn,
            [
                DetectionRecord(
                    id="f" * 24, image_id="lone", box=WHOLE_FRAME, bbox_confidence=None, detector="test"
                )
            ],
        )
    append(database, ids[1:2])
    with database.read() as conn:
        assert embeddings.missing_count(conn, ID) == 4
        page = embeddings.missing(conn, ID, "", 2)
        assert [id_ for id_, _ in page] == [ids[0], ids[2]]
        assert page[0][1] == f"crops/{ids[0][:2]}/{ids[0]}.jpg"
        assert [id_ for id_, _ in embeddings.missing(conn, ID, ids[2], 9, until=ids[3])] == [ids[3]]
        assert embeddings.missing_count(conn, "another") == 5


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.zeros((1, DIMENSION + 1)), r"shape \(1, 16\), not \(1, 17\)"),
        (np.zeros((2, DIMENSION)), r"shape \(1, 16\), not \(2, 16\)"),
        (np.full((1, DIMENSION), 70_000.0), r"beyond the range of float16 \(65504\)"),
        (np.full((1, DIMENSION), np.nan), "contains NaN"),
    ],
)
def test_invalid_vectors_are_an_error(sqlite_database: Database, vectors: NDArray[Any], message: str) -> None:
    ids = add_detections(sqlite_database, 1)
    append(sqlite_database, [])
    with pytest.raises(EmbedderError, match=message), sqlite_database.write() as conn:
        embeddings.append(conn, ID, ids, vectors)


def test_an_unknown_embedder_is_an_error_with_the_remedy(database: Database, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no embedder 'nobody'.*wildloop embed"):
        open_pool(database, tmp_path, "nobody")


def test_another_dimension_of_an_embedder_is_an_error(sqlite_database: Database) -> None:
    append(sqlite_database, [])
    other = MeanColour()
    other.dimension = 17
    with pytest.raises(StoreError, match="16 dimensions, not 17"), sqlite_database.write() as conn:
        embeddings.register(conn, other)


# --- the pool


def check_pool(database: Database, data_dir: Path, ids: Sequence[str]) -> None:
    """The pool has exactly these detections, in this order, each with its vector."""
    pool = open_pool(database, data_dir, ID)
    assert pool.ids == list(ids)
    assert len(pool) == len(ids)
    assert pool.vectors.dtype == np.float16
    assert pool.vectors.shape == (len(ids), DIMENSION)
    if ids:
        np.testing.assert_array_equal(pool.vectors, known_vectors(ids))


def test_an_empty_pool_has_a_shape(database: Database, tmp_path: Path) -> None:
    append(database, [])
    check_pool(database, tmp_path, [])
    assert open_pool(database, tmp_path, ID).rows([]).shape == (0, DIMENSION)


def test_the_pool_grows_by_new_vectors(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "READ_ROWS", 7)  # several pages
    ids = add_detections(database, 40)
    append(database, ids[:25])
    check_pool(database, tmp_path, ids[:25])
    before = open_pool(database, tmp_path, ID)
    append(database, ids[25:])
    check_pool(database, tmp_path, ids)
    np.testing.assert_array_equal(before.vectors, known_vectors(ids[:25]))  # an open pool does not change


def test_an_unchanged_pool_is_reused(database: Database, tmp_path: Path) -> None:
    append(database, add_detections(database, 4))
    pool = open_pool(database, tmp_path, ID)
    assert open_pool(database, tmp_path, ID) is pool


def test_rows_come_in_the_requested_order(database: Database, tmp_path: Path) -> None:
    ids = add_detections(database, 6)
    append(database, ids)
    pool = open_pool(database, tmp_path, ID)
    wanted = [ids[4], ids[0], ids[4]]
    rows = pool.rows(wanted)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, known_vectors(wanted))
    assert pool.index[ids[3]] == 3
    with pytest.raises(StoreError, match="'0000' has no embedding"):
        pool.rows(["0000"])


def test_each_embedder_has_its_own_pool(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "READ_ROWS", 3)  # the other embedder leaves gaps longer than a page
    ids = add_detections(database, 12)
    other = MeanColour()
    other.id = "other-0123456789ab"
    append(database, ids[:2])
    with database.write() as conn:
        embeddings.register(conn, other)
        embeddings.append(conn, other.id, ids, np.ones((12, DIMENSION)))
    append(database, ids[2:])
    check_pool(database, tmp_path, ids)
    assert open_pool(database, tmp_path, other.id).ids == ids


def cache_files(data_dir: Path) -> dict[str, Path]:
    """The cache's files by their kind: state, vectors, ids, lock."""
    folder = data_dir / "cache" / "pool" / ID
    return {path.name.partition(".")[0].partition("-")[0]: path for path in folder.iterdir()}


def test_an_incomplete_end_left_by_a_killed_process_is_removed(database: Database, tmp_path: Path) -> None:
    ids = add_detections(database, 10)
    append(database, ids[:6])
    check_pool(database, tmp_path, ids[:6])
    files = cache_files(tmp_path)
    with files["vectors"].open("ab") as vectors, files["ids"].open("ab") as names:
        vectors.write(b"\xff" * (DIMENSION * 2 + 5))  # a row and a part of one, not counted in the state
        names.write(b"half an id")
    check_pool(database, tmp_path, ids[:6])
    append(database, ids[6:])
    check_pool(database, tmp_path, ids)


@pytest.mark.parametrize("damage", ["state", "vectors", "ids"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_damaged_cache_is_rebuilt(sqlite_database: Database, tmp_path: Path, damage: str, how: str) -> None:
    ids = add_detections(sqlite_database, 10)
    append(sqlite_database, ids)
    check_pool(sqlite_database, tmp_path, ids)
    file = cache_files(tmp_path)[damage]
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:20])
    check_pool(sqlite_database, tmp_path, ids)


def test_the_cache_of_another_database_is_replaced(database: Database, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.migrate()
    other_ids = add_detections(other, 9, prefix="other")
    append(other, other_ids)
    check_pool(other, tmp_path, other_ids)
    still_open = open_pool(other, tmp_path, ID)
    ids = add_detections(database, 5)
    append(database, ids)
    check_pool(database, tmp_path, ids)
    np.testing.assert_array_equal(still_open.vectors, known_vectors(other_ids))
    other.dispose()


def test_rows_that_a_restored_backup_removed_leave_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "wildloop.db"
    store = Database(f"sqlite:///{path}")
    store.migrate()
    ids = add_detections(store, 12)
    append(store, ids[:4])
    store.dispose()
    backup = path.read_bytes()
    append(store, ids[4:8])
    check_pool(store, tmp_path, ids[:8])
    store.dispose()
    path.write_bytes(backup)
    append(store, ids[8:])
    check_pool(store, tmp_path, [*ids[:4], *ids[8:]])
    store.dispose()


# --- several processes


def spawned(work: Callable[..., None], *args: Any) -> Any:
    process = multiprocessing.get_context("spawn").Process(target=work, args=args)
    process.start()
    return process


def append_slowly(url: str, ids: list[str]) -> None:
    database = Database(url)
    for start in range(0, len(ids), 5):
        append(database, ids[start : start + 5])


def embed_here(url: str, data_dir: Path) -> None:
    embed(make_workspace(Database(url), data_dir), MeanColour(), batch_size=4)


def open_often(url: str, data_dir: Path) -> None:
    database = Database(url)
    while True:
        open_pool(database, data_dir, ID)


def test_a_reader_of_two_writers_misses_nothing(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    ids = add_detections(database, 200)
    append(database, [])
    writers = [spawned(append_slowly, database_url, half) for half in (ids[:100], ids[100:])]
    while any(writer.is_alive() for writer in writers):
        pool = open_pool(database, tmp_path, ID)
        np.testing.assert_array_equal(pool.vectors, known_vectors(pool.ids))
        time.sleep(0.02)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert sorted(open_pool(database, tmp_path, ID).ids) == sorted(ids)


def test_readers_that_update_one_cache_at_once_agree(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    ids = add_detections(database, 300)
    append(database, ids[:10])
    readers = [spawned(open_often, database_url, tmp_path) for _ in range(2)]
    try:
        for start in range(10, 300, 10):
            append(database, ids[start : start + 10])
            check_pool(database, tmp_path, ids[: start + 10])
    finally:
        for reader in readers:
            assert reader.is_alive()
            os.kill(reader.pid, signal.SIGKILL)
            reader.join()
    check_pool(database, tmp_path, ids)


def test_a_killed_writer_leaves_only_complete_transactions(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    ids = add_detections(database, 3000)
    append(database, [])
    writer = spawned(append_slowly, database_url, ids)
    while len(open_pool(database, tmp_path, ID)) < 20:
        time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    pool = open_pool(database, tmp_path, ID)
    assert len(pool) % 5 == 0  # transactions of five
    check_pool(database, tmp_path, ids[: len(pool)])
    append(database, ids)
    check_pool(database, tmp_path, ids)


# --- the step


def test_every_crop_gets_a_vector(database: Database, tmp_path: Path) -> None:
    ids = add_detections(database, 30)
    write_crops(tmp_path, ids)
    report = embed(make_workspace(database, tmp_path), MeanColour(), batch_size=7)
    assert (report.embedded, report.broken) == (30, ())
    reds = open_pool(database, tmp_path, ID).rows(ids)[:, 0]
    np.testing.assert_allclose(reds, np.arange(30), atol=3)  # JPEG changes colours a little
    assert embed(make_workspace(database, tmp_path), MeanColour()).embedded == 0


def test_an_interrupted_run_is_continued(database: Database, tmp_path: Path) -> None:
    ids = add_detections(database, 30)
    write_crops(tmp_path, ids)
    with pytest.raises(KeyboardInterrupt):
        embed(make_workspace(database, tmp_path), MeanColour(fails_after=14), batch_size=7)
    rest = MeanColour()
    assert embed(make_workspace(database, tmp_path), rest, batch_size=7).embedded == 16
    assert rest.seen == 16
    assert sorted(open_pool(database, tmp_path, ID).ids) == sorted(ids)


def test_missing_and_broken_crops_are_reported_and_all_others_embedded(
    database: Database, tmp_path: Path
) -> None:
    ids = add_detections(database, 12)
    write_crops(tmp_path, ids)
    crops = {id_: tmp_path / "crops" / id_[:2] / f"{id_}.jpg" for id_ in ids}
    crops[ids[3]].unlink()
    crops[ids[5]].write_text("not a photograph")
    crops[ids[8]].write_bytes(crops[ids[8]].read_bytes()[:300])
    report = embed(make_workspace(database, tmp_path), MeanColour(), batch_size=4)
    assert report.embedded == 9
    by_id = {crop.detection_id: crop for crop in report.broken}
    assert by_id.keys() == {ids[3], ids[5], ids[8]}
    assert by_id[ids[3]].failure == "missing"
    assert by_id[ids[5]].failure == "not_an_image"
    assert by_id[ids[3]].crop_path == f"crops/{ids[3][:2]}/{ids[3]}.jpg"
    write_crops(tmp_path, ids)
    assert embed(make_workspace(database, tmp_path), MeanColour()).embedded == 3


def test_a_batch_with_only_broken_crops_does_not_end_the_run(
    sqlite_database: Database, tmp_path: Path
) -> None:
    add_detections(sqlite_database, 5)
    report = embed(make_workspace(sqlite_database, tmp_path), MeanColour(), batch_size=2)
    assert (report.embedded, len(report.broken)) == (0, 5)


def test_processes_that_embed_at_once_share_the_crops(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    ids = add_detections(database, 150)
    write_crops(tmp_path, ids)
    processes = [spawned(embed_here, database_url, tmp_path) for _ in range(2)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    pool = open_pool(database, tmp_path, ID)
    assert sorted(pool.ids) == sorted(ids)


def test_the_command_reports_what_it_did(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = add_detections(sqlite_database, 4)
    write_crops(tmp_path, ids[:3])
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path))
    first = CliRunner().invoke(embed_command, ["--embedder", "descriptor"])
    assert first.exit_code == 0, first.output
    assert "3 crops embedded" in first.output
    assert f"crops/{ids[3][:2]}/{ids[3]}.jpg: missing" in first.output
    assert "1 crop cannot be read; the next run tries again" in first.output
    with sqlite_database.read() as conn:
        name = first.output.split(" by ")[1].split(",")[0]
        assert embeddings.get_embedder(conn, name).manifest["spec"] == "descriptor"
