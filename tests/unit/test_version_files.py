"""A version on disk is whole, is the one that was saved, or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import version_files
from pipeline.errors import ModelError
from pipeline.heads import LinearHead
from pipeline.records import ModelRecord, utc_now

NAMES = {3: "red fox", 7: "badger", 9: "Łoś"}


@pytest.fixture
def head() -> LinearHead:
    rng = np.random.default_rng(0)
    return LinearHead(
        embedder="descriptor",
        classes=[3, 7, 9],
        weights=rng.normal(size=(3, 5)).astype(np.float32),
        bias=rng.normal(size=3).astype(np.float32),
        temperature=1.25,
        penalty=0.01,
        shrinkage=0.3,
        logistic_weight=0.75,
    )


@pytest.fixture
def record() -> ModelRecord:
    return ModelRecord(
        version="v3-1a2b3c4d",
        project_id=5,
        embedder="descriptor",
        digest="1a2b3c4d" * 3,
        labels=40,
        path="models/5/v3-1a2b3c4d",
        metrics={"accuracy": 0.8, "log_loss": None},
        created_at=utc_now(),
    )


def test_a_version_knows_what_it_was_fitted_on(tmp_path: Path, head: LinearHead, record: ModelRecord) -> None:
    version_files.save(tmp_path, record, head, names=NAMES, learned=["a", "łoś"])
    assert version_files.learned(tmp_path, record) == ["a", "łoś"]


def test_a_saved_head_gives_the_same_answers_when_it_is_read(
    tmp_path: Path, head: LinearHead, record: ModelRecord
) -> None:
    version_files.save(tmp_path, record, head, names=NAMES)
    read = version_files.load_head(tmp_path, record)
    embeddings = np.random.default_rng(1).normal(size=(20, 5))
    assert np.array_equal(read.probabilities(embeddings), head.probabilities(embeddings))
    chosen = [
        (one.classes, one.embedder, one.penalty, one.shrinkage, one.logistic_weight) for one in (read, head)
    ]
    assert chosen[0] == chosen[1]


def test_the_manifest_names_everything_that_a_reader_needs(
    tmp_path: Path, head: LinearHead, record: ModelRecord
) -> None:
    version_files.save(tmp_path, record, head, names=NAMES)
    manifest = json.loads((tmp_path / "models/5/v3-1a2b3c4d/manifest.json").read_text())
    assert manifest["classes"] == [
        {"id": 3, "name": "red fox"},
        {"id": 7, "name": "badger"},
        {"id": 9, "name": "Łoś"},
    ]
    assert manifest["embedder"] == "descriptor"
    assert manifest["metrics"] == {"accuracy": 0.8, "log_loss": None}
    assert manifest["digest"] == record.digest
    assert set(manifest["libraries"]) == {"wildloop", "python", "numpy"}


def test_the_folder_holds_weights_without_pickle_and_nothing_else(
    tmp_path: Path, head: LinearHead, record: ModelRecord
) -> None:
    version_files.save(tmp_path, record, head, names=NAMES)
    folder = tmp_path / "models/5"
    assert sorted(path.name for path in folder.rglob("*")) == ["head.npz", "manifest.json", "v3-1a2b3c4d"]
    with np.load(folder / "v3-1a2b3c4d/head.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"weights", "bias", "classes", "temperature", "learned"}


@pytest.mark.parametrize("name", ["head.npz", "manifest.json"])
def test_a_file_that_was_tampered_with_is_refused(
    tmp_path: Path, head: LinearHead, record: ModelRecord, name: str
) -> None:
    version_files.save(tmp_path, record, head, names=NAMES)
    path = tmp_path / str(record.path) / name
    content = path.read_bytes()
    path.write_bytes(
        content.replace(b"badger", b"ferret") if name.endswith("json") else content[:-9] + b"tampered!"
    )
    with pytest.raises(ModelError, match=f"{name} was changed after it was saved"):
        version_files.load_head(tmp_path, record)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1}'])
def test_a_damaged_manifest_is_refused(
    tmp_path: Path, head: LinearHead, record: ModelRecord, damage: str
) -> None:
    version_files.save(tmp_path, record, head, names=NAMES)
    (tmp_path / str(record.path) / "manifest.json").write_text(damage)
    with pytest.raises(ModelError, match="not a valid manifest"):
        version_files.load_head(tmp_path, record)


def test_a_version_whose_files_are_gone_names_the_remedy(tmp_path: Path, record: ModelRecord) -> None:
    with pytest.raises(ModelError, match="restore the folder"):
        version_files.load_head(tmp_path, record)


def test_the_files_of_another_version_are_refused(
    tmp_path: Path, head: LinearHead, record: ModelRecord
) -> None:
    version_files.save(tmp_path, record, head, names=NAMES)
    folder = tmp_path / str(record.path)
    folder.rename(folder.with_name("v4-ffffffff"))
    other = ModelRecord(
        version="v4-ffffffff",
        project_id=5,
        embedder="descriptor",
        digest="f" * 24,
        labels=41,
        path="models/5/v4-ffffffff",
    )
    with pytest.raises(ModelError, match="holds version v3-1a2b3c4d, not v4-ffffffff"):
        version_files.load_head(tmp_path, other)


def test_what_a_killed_process_left_is_kept_when_whole_and_replaced_when_not(
    tmp_path: Path, head: LinearHead, record: ModelRecord
) -> None:
    version_files.save(tmp_path, record, head, names=NAMES)
    manifest = tmp_path / str(record.path) / "manifest.json"
    before = manifest.stat().st_ino
    version_files.save(tmp_path, record, head, names=NAMES)
    assert manifest.stat().st_ino == before
    (tmp_path / str(record.path) / "head.npz").unlink()
    version_files.save(tmp_path, record, head, names=NAMES)
    assert version_files.load_head(tmp_path, record).classes == head.classes


def test_an_order_without_a_head_has_nothing_to_load(tmp_path: Path) -> None:
    cover = ModelRecord(
        version="v0-00000000", project_id=5, embedder="descriptor", digest="0" * 24, labels=0, path=None
    )
    with pytest.raises(ModelError, match="has no head"):
        version_files.load_head(tmp_path, cover)
