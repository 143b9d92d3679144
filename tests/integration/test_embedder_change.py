"""A project that changes its embedder, on both databases: whole or not at all, and never a mixture."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from pipeline import heads, jobs, version_files
from pipeline.cli import wildloop
from pipeline.embedders import load
from pipeline.embedders.embedder import TwoStepEmbedder
from pipeline.errors import EmbedderError, ModelError
from pipeline.jobs.enqueue import is_due
from pipeline.records import ModelRecord, ProjectRecord, RunKind, RunState
from pipeline.steps.datasets.export import StoreExport
from pipeline.steps.embedding import use as step
from pipeline.steps.embedding.embed import embed
from pipeline.steps.embedding.use import EmbedderChange, use_embedder
from pipeline.steps.labelling.project import create_project
from pipeline.steps.learning.accept import accept
from pipeline.steps.learning.activate import activate, refill
from pipeline.steps.learning.audit import judge
from pipeline.steps.learning.cold_start import cold_start
from pipeline.steps.learning.train import prepare_version, train
from pipeline.steps.operations.status import status
from pipeline.store import candidates, embeddings, models, predictions, projects
from pipeline.store.database import Database
from pipeline.store.projects import EmbedderChangedError
from pipeline.store.schema import detection as detection_table
from pipeline.workspace import Workspace
from tests.helpers.labelled_workspace import (
    PROJECT,
    SPECIES,
    detection,
    forest,
    label,
    make_workspace,
    populate,
    species,
)
from tests.helpers.stored import Embedder

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

OLD = Embedder().id
CROPS = 60


class Coloured(TwoStepEmbedder):
    """The mean colour of a crop, in vectors as long as those of the embedder that it replaces."""

    dimension = Embedder().dimension
    side = 16

    def __init__(self, name: str = "coloured", *, fails_after: int | None = None) -> None:
        self.id = name
        self.manifest = {"spec": name}
        self.seen = 0
        self._fails_after = fails_after

    def prepared(self, image: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(image)

    def embed_prepared(self, rows: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.seen += len(rows)
        if self._fails_after is not None and self.seen > self._fails_after:
            raise KeyboardInterrupt
        vectors = np.zeros((len(rows), self.dimension), np.float32)
        for vector, pixels in zip(vectors, rows, strict=True):
            vector[:3] = pixels.reshape(-1, 3).mean(axis=0) / 255
        return vectors


def cut(database: Database, data_dir: Path, numbers: Iterable[int]) -> None:
    """Give detections of the labelled workspace crops, in the colour of their species."""
    for one in numbers:
        path = data_dir / "crops" / f"{one}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        colour = [20 + one % 40] * 3
        colour[SPECIES.index(species(one))] = 220
        Image.new("RGB", (16, 16), tuple(colour)).save(path)
        with database.write() as conn:
            mine = detection_table.c.id == detection(one)
            conn.execute(sa.update(detection_table).where(mine).values(crop_path=f"crops/{one}.jpg"))


def arrive(database: Database, data_dir: Path, first: int, crops: int) -> None:
    """Further crops, published and embedded by the former embedder alone."""
    populate(database, crops, first=first)
    cut(database, data_dir, range(first, crops))


@pytest.fixture
def pool(database: Database, tmp_path: Path) -> Database:
    populate(database, CROPS)
    cut(database, tmp_path, range(CROPS))
    return database


@pytest.fixture
def learned(pool: Database, tmp_path: Path) -> ModelRecord:
    """The version of the former embedder."""
    label(pool, range(24))
    record = train(make_workspace(pool, tmp_path, top_k=10, retrain_every=1), PROJECT)
    assert record is not None
    return record


def project(database: Database) -> ProjectRecord:
    with database.read() as conn:
        return projects.get(conn, PROJECT)


def count(database: Database, embedder: str) -> int:
    with database.read() as conn:
        return embeddings.count(conn, embedder)


def change(database: Database, data_dir: Path, embedder: Any = None) -> EmbedderChange:
    made = use_embedder(
        make_workspace(database, data_dir, top_k=10, retrain_every=1), embedder or Coloured(), PROJECT
    )
    assert made is not None
    return made


def meanwhile(monkeypatch: pytest.MonkeyPatch, what: Callable[[], object], times: int = 1) -> None:
    """Do `what` while a change of embedder learns its version, that often."""
    learn, left = prepare_version, [what] * times

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        ready = learn(*args, **kwargs)
        if left:
            left.pop()()
        return ready

    monkeypatch.setattr(step, "prepare_version", interrupted)


@pytest.mark.both_databases
def test_labels_are_learned_in_the_new_vectors_before_the_project_changes(
    pool: Database, tmp_path: Path, learned: ModelRecord
) -> None:
    made = change(pool, tmp_path)
    assert (made.former, made.embedder, made.embedded, made.broken) == (OLD, "coloured", CROPS, ())
    assert made.record is not None
    assert (made.record.embedder, made.record.labels) == ("coloured", learned.labels)
    assert made.former_record == learned
    assert made.record.parent == learned.version
    assert made.record.metrics["accuracy"] > 0.9
    assert version_files.load_head(tmp_path, made.record).embedder == "coloured"
    now = project(pool)
    assert (now.embedder, now.current_model) == ("coloured", made.record.version)
    with pool.read() as conn:
        assert len(predictions.unpushed(conn, made.record.version)) == 10
    assert count(pool, OLD) == CROPS  # kept, so that going back is quick


@pytest.mark.usefixtures("learned")
def test_the_embedder_in_use_changes_nothing(pool: Database, tmp_path: Path) -> None:
    change(pool, tmp_path)
    before = project(pool)
    assert (
        use_embedder(
            make_workspace(pool, tmp_path, top_k=10, retrain_every=1), Coloured(fails_after=0), PROJECT
        )
        is None
    )
    assert project(pool) == before


def test_a_killed_change_leaves_the_former_embedder_at_work_and_goes_on_where_it_ended(
    pool: Database, tmp_path: Path, learned: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "embed", functools.partial(embed, batch_size=8))
    with pytest.raises(KeyboardInterrupt):
        use_embedder(
            make_workspace(pool, tmp_path, top_k=10, retrain_every=1), Coloured(fails_after=20), PROJECT
        )
    assert 0 < count(pool, "coloured") < CROPS
    now = project(pool)
    assert (now.embedder, now.current_model) == (OLD, learned.version)
    label(pool, range(24, 48))
    further = train(make_workspace(pool, tmp_path, top_k=10, retrain_every=1), PROJECT)
    assert further is not None
    assert further.embedder == OLD
    had = count(pool, "coloured")
    again = Coloured()
    made = change(pool, tmp_path, again)
    assert again.seen == made.embedded == CROPS - had
    assert made.record is not None
    assert made.record.labels == further.labels


def test_before_any_label_the_new_vectors_order_the_queue(pool: Database, tmp_path: Path) -> None:
    first = cold_start(make_workspace(pool, tmp_path, top_k=10, retrain_every=1), PROJECT)
    made = change(pool, tmp_path)
    assert made.record is not None
    assert (made.record.labels, made.record.path, made.record.embedder) == (0, None, "coloured")
    assert project(pool).current_model == made.record.version != first.version


def test_a_project_without_a_crop_changes_its_embedder_alone(pool: Database, tmp_path: Path) -> None:
    with pool.write() as conn:
        conn.execute(sa.update(detection_table).values(crop_path=None))
    assert change(pool, tmp_path).record is None
    assert (project(pool).embedder, project(pool).current_model) == ("coloured", None)


@pytest.mark.both_databases
def test_a_first_order_that_comes_in_meanwhile_is_made_anew(
    pool: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pool.write() as conn:
        conn.execute(sa.update(detection_table).values(crop_path=None))

    def cut() -> None:
        with pool.write() as conn:
            conn.execute(sa.update(detection_table).values(crop_path="crops/" + detection_table.c.id))
        cold_start(make_workspace(pool, tmp_path, top_k=10, retrain_every=1), PROJECT)

    count = candidates.count

    def late(conn: sa.Connection) -> int:
        counted = count(conn)
        if counted == 0:
            cut()
        return counted

    monkeypatch.setattr(candidates, "count", late)
    made = change(pool, tmp_path)
    assert made.record is not None
    assert project(pool).current_model == made.record.version


@pytest.mark.usefixtures("learned")
def test_a_crop_that_is_imported_meanwhile_is_embedded_before_the_change(
    pool: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: arrive(pool, tmp_path, CROPS, CROPS + 3))
    assert change(pool, tmp_path).embedded == CROPS + 3
    assert count(pool, "coloured") == CROPS + 3


def test_while_crops_keep_coming_in_the_project_stays_as_it_is(
    pool: Database, tmp_path: Path, learned: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    arriving = iter(range(CROPS, CROPS + 100))

    def one_more() -> None:
        number = next(arriving)
        arrive(pool, tmp_path, number, number + 1)

    meanwhile(monkeypatch, one_more, times=100)
    with pytest.raises(EmbedderError, match=r"crops kept coming in.*run it again"):
        use_embedder(make_workspace(pool, tmp_path, top_k=10, retrain_every=1), Coloured(), PROJECT)
    assert (project(pool).embedder, project(pool).current_model) == (OLD, learned.version)


@pytest.mark.usefixtures("learned")
def test_a_crop_that_cannot_be_read_is_told_and_holds_nothing_up(pool: Database, tmp_path: Path) -> None:
    (tmp_path / "crops" / "50.jpg").write_bytes(b"no photograph")
    made = change(pool, tmp_path)
    assert [one.crop_path for one in made.broken] == ["crops/50.jpg"]
    assert made.embedded == CROPS - 1
    assert project(pool).embedder == "coloured"


@pytest.mark.both_databases
def test_a_training_that_ends_after_the_change_does_not_undo_it(
    pool: Database, tmp_path: Path, learned: ModelRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = heads.fit
    changes: list[ModelRecord] = []

    def slow(*args: Any, embedder: str, seed: int) -> heads.Fitted:
        fitted = fit(*args, embedder=embedder, seed=seed)
        if embedder == OLD and not changes:
            made = change(pool, tmp_path).record
            assert made is not None
            changes.append(made)
        return fitted

    monkeypatch.setattr(heads, "fit", slow)
    label(pool, range(24, 48))
    monkeypatch.setattr(Workspace, "label_studio", lambda _: forest())
    workspace = make_workspace(pool, tmp_path)
    run = jobs.run_now(workspace, PROJECT, RunKind.TRAIN, trigger="command")
    assert run.state is RunState.DONE
    assert run.result is not None
    assert run.result["version"] is None
    assert f"from {OLD} to coloured in the meantime" in run.result["reason"]
    assert project(pool).embedder == "coloured"
    assert project(pool).current_model == changes[0].version
    with pool.read() as conn:
        assert {one.version for one in models.all(conn, PROJECT)} == {learned.version, changes[0].version}
    label(pool, range(48, 54))
    again = jobs.run_now(workspace, PROJECT, RunKind.TRAIN, trigger="command")
    assert again.result is not None
    with pool.read() as conn:
        assert models.get(conn, again.result["version"]).embedder == "coloured"


@pytest.mark.usefixtures("learned")
@pytest.mark.both_databases
def test_of_two_changes_at_once_one_is_refused(
    pool: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: change(pool, tmp_path, Coloured("other")))
    with pytest.raises(EmbedderChangedError, match="to other in the meantime"):
        use_embedder(make_workspace(pool, tmp_path, top_k=10, retrain_every=1), Coloured(), PROJECT)
    assert project(pool).embedder == "other"


def test_going_back_embeds_nothing_and_finds_the_former_version(
    pool: Database, tmp_path: Path, learned: ModelRecord
) -> None:
    new = change(pool, tmp_path).record
    back = change(pool, tmp_path, Embedder())
    assert (back.embedded, back.record) == (0, learned)
    assert (project(pool).embedder, project(pool).current_model) == (OLD, learned.version)
    assert change(pool, tmp_path, Coloured(fails_after=0)).record == new


def test_activating_a_version_takes_the_project_back_to_its_embedder_and_forward_again(
    pool: Database, tmp_path: Path, learned: ModelRecord
) -> None:
    new = change(pool, tmp_path).record
    assert new is not None
    for record in (learned, new, learned):
        assert (
            activate(make_workspace(pool, tmp_path, top_k=10, retrain_every=1), PROJECT, record.version)
            == record
        )
        now = project(pool)
        assert (now.embedder, now.current_model) == (record.embedder, record.version)
        with pool.read() as conn:
            assert len(predictions.unpushed(conn, record.version)) == 10


def test_a_version_whose_embedder_lacks_crops_is_not_activated(
    pool: Database, tmp_path: Path, learned: ModelRecord
) -> None:
    arrive(pool, tmp_path, CROPS, CROPS + 3)
    new = change(pool, tmp_path).record
    assert new is not None
    with pool.write() as conn:
        conn.execute(
            sa.text("DELETE FROM embedding WHERE embedder = :old AND detection_id >= :first"),
            {"old": OLD, "first": detection(CROPS)},
        )
    with pytest.raises(ModelError, match=r"3 crops lack .`wildloop embedding use made-up --project 4`"):
        activate(make_workspace(pool, tmp_path, top_k=10, retrain_every=1), PROJECT, learned.version)
    assert (project(pool).embedder, project(pool).current_model) == ("coloured", new.version)


@pytest.mark.both_databases
def test_versions_and_vectors_of_two_embedders_never_meet(
    pool: Database, tmp_path: Path, learned: ModelRecord
) -> None:
    new = change(pool, tmp_path).record
    assert new is not None
    with pytest.raises(EmbedderError, match="made-up, not of coloured"):
        version_files.load_head(tmp_path, learned).require("coloured", Coloured.dimension)
    with pytest.raises(EmbedderChangedError), pool.write() as conn:
        models.activate(conn, learned, [])
    with pytest.raises(EmbedderChangedError):
        refill(make_workspace(pool, tmp_path, top_k=10, retrain_every=1), PROJECT, learned.version)
    assert project(pool).current_model == new.version
    label(pool, range(24, CROPS))  # the audit's among them
    workspace = make_workspace(pool, tmp_path)
    judgement = judge(workspace, PROJECT)
    assert judgement is not None
    assert judgement.version == new.version
    assert judgement.estimates.accuracy is not None
    assert judgement.estimates.accuracy.value == 1.0
    assert accept(workspace, PROJECT, precision=0.5, confidence=0.5).version == new.version
    assert StoreExport(workspace, PROJECT).model_version == new.version
    assert status(make_workspace(pool, tmp_path)).projects[0].embedder == "coloured"


@pytest.mark.usefixtures("learned")
def test_after_the_change_new_labels_call_for_a_training_as_before(pool: Database, tmp_path: Path) -> None:
    change(pool, tmp_path)
    workspace = make_workspace(pool, tmp_path)
    with pool.read() as conn:
        assert not is_due(conn, workspace, PROJECT)
    label(pool, range(24, 48))
    with pool.read() as conn:
        assert is_due(conn, workspace, PROJECT)


def test_creating_a_project_again_with_another_embedder_is_refused(pool: Database, tmp_path: Path) -> None:
    with pool.write() as conn:
        embeddings.register(conn, Coloured())
    with pytest.raises(
        ModelError, match=r"works with made-up.*`wildloop embedding use coloured --project 4`"
    ):
        create_project(
            make_workspace(pool, tmp_path),
            forest(),
            title="Another title",
            species=SPECIES,
            embedder_id="coloured",
            project_id=PROJECT,
        )
    assert (project(pool).title, project(pool).embedder) == ("Forest", OLD)


def test_the_commands_change_the_embedder_and_embed_what_comes_later_with_it(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = forest()
    monkeypatch.setattr(Workspace, "label_studio", lambda _: server)
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    monkeypatch.setenv("WILDLOOP_EMBEDDER", "onnx:/no/such/file.onnx")
    monkeypatch.delenv("REDIS_URL", raising=False)
    populate(sqlite_database, 30)
    cut(sqlite_database, tmp_path, range(30))
    label(sqlite_database, range(12))
    first = train(make_workspace(sqlite_database, tmp_path, top_k=10, retrain_every=1), PROJECT)
    assert first is not None

    def say(*words: str) -> str:
        result = CliRunner().invoke(wildloop, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout if "--json" in words else result.output

    descriptor = load("descriptor", data_dir=tmp_path).id
    told = say("embedding", "use", "descriptor", "--project", str(PROJECT))
    assert f"30 crops embedded by {descriptor}" in told
    assert f"project 4 (Forest) uses {descriptor} instead of {OLD}" in told
    assert f"to revert, run `wildloop activate {first.version}`" in told
    assert "Label Studio asks" in told
    assert server.model_version == project(sqlite_database).current_model != first.version
    assert f"already uses {descriptor}; nothing changed" in say("embedding", "use", "descriptor")
    assert json.loads(say("embedding", "use", "descriptor", "--json")) is None
    arrive(sqlite_database, tmp_path, 30, 33)
    assert "3 crops embedded" in say("embed")
    assert count(sqlite_database, descriptor) == 33
    assert f"{first.version} is current in project 4" in say("activate", first.version)
    assert server.model_version == first.version
    assert project(sqlite_database).embedder == OLD
    change = json.loads(say("embedding", "use", "descriptor", "--json"))
    assert change.keys() == {"former", "embedder", "record", "former_record", "embedded", "broken"}
    assert (change["former"], change["embedder"], change["broken"]) == (OLD, descriptor, [])
