"""What follows an import by itself: crops are embedded, published and ordered, whoever does it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from redis import Redis

import wildloop as api
from pipeline import jobs
from pipeline.cli import wildloop
from pipeline.embedders import load
from pipeline.errors import LabelStudioError
from pipeline.jobs import scheduler
from pipeline.records import ProjectRecord, RunKind, RunState, utc_now
from pipeline.store import embeddings, models, projects, runs, workers
from pipeline.store.database import Database
from pipeline.store.schema import run as run_table
from pipeline.workspace import Workspace
from tests.helpers import photographs
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import make_workspace

PROJECT, OTHER = 7, 8
CROPS = 6
Command = Callable[..., Result]

pytestmark = pytest.mark.one_database


@pytest.fixture(autouse=True)
def server(monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    taking = FakeLabelStudio(PROJECT)
    monkeypatch.setattr(Workspace, "label_studio", lambda _: taking)
    return taking


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    """A workspace without a project or a photograph."""
    return make_workspace(database, tmp_path / "data", label_studio_api_key="key", embedder="descriptor")


@pytest.fixture
def command(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `wildloop` on the workspace."""
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(workspace.data_dir))
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", workspace.settings.database_url)
    monkeypatch.setenv("WILDLOOP_EMBEDDER", "descriptor")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    return lambda *words: CliRunner().invoke(wildloop, list(words))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return taken(tmp_path / "photos", CROPS)


def taken(folder: Path, count: int) -> Path:
    for number in range(count):
        picture = photographs.encoded(photographs.scene(64, 48, seed=number))
        photographs.put(folder / f"site {number % 2}" / f"{number}.jpg", picture)
    return folder


def add_project(workspace: Workspace, number: int = PROJECT) -> None:
    descriptor = load("descriptor", data_dir=workspace.data_dir)
    with workspace.database.write() as conn:
        embeddings.register(conn, descriptor)
        projects.save(conn, ProjectRecord(id=number, title=f"Park {number}", embedder=descriptor.id))


def kinds(workspace: Workspace, project: int = PROJECT) -> list[tuple[str, str]]:
    """The kind and the state of each run of the project, in the order of their requests."""
    with workspace.database.read() as conn:
        query = sa.select(run_table.c.kind, run_table.c.state).where(run_table.c.project_id == project)
        return [(row.kind, row.state) for row in conn.execute(query.order_by(run_table.c.id))]


DONE = [("embed", "done"), ("publish", "done"), ("train", "done")]


@pytest.mark.both_databases
def test_an_import_into_a_project_makes_the_queue_where_no_worker_runs(
    workspace: Workspace, server: FakeLabelStudio, command: Command, photos: Path
) -> None:
    add_project(workspace)
    told = command("import", "folder", str(photos), "--detector", "whole-frame")
    assert told.exit_code == 0, told.output
    assert kinds(workspace) == DONE
    assert len(server.rows) == CROPS
    assert [score for _, score in server.queue()] == [place / CROPS for place in range(CROPS)]
    assert "6 crops embedded by descriptor" in told.output
    assert "Label Studio asks 6 tasks, first the queue of v0-" in told.output
    assert "label them at http://localhost:8080/projects/7/data" in told.output
    again = command("import", "folder", str(photos), "--detector", "whole-frame")
    assert again.exit_code == 0
    assert kinds(workspace) == DONE  # nothing lacks anything


@pytest.mark.both_databases
def test_a_living_worker_does_what_follows(
    workspace: Workspace, server: FakeLabelStudio, command: Command, photos: Path
) -> None:
    add_project(workspace)
    with workspace.database.write() as conn:
        workers.beat(conn, "elsewhere:7")
    told = command("import", "folder", str(photos), "--detector", "whole-frame")
    assert "the worker embeds and publishes the crops of project 7" in told.output
    assert kinds(workspace) == [("embed", "queued")]
    assert "embed queued (6 crops left)" in command("status").output
    jobs.work(workspace, burst=True)
    assert kinds(workspace) == DONE
    assert len(server.queue()) == CROPS


def test_a_project_that_comes_after_the_import_gets_its_queue_as_well(
    workspace: Workspace, server: FakeLabelStudio, command: Command, photos: Path
) -> None:
    told = command("import", "folder", str(photos), "--detector", "whole-frame")
    assert "next: `wildloop project create`" in told.output
    add_project(workspace)
    assert jobs.request_follow_up(workspace, trigger="project", project_id=PROJECT) == [PROJECT]
    ended = jobs.follow_up_now(workspace, PROJECT)
    assert [run.kind for run in ended] == [RunKind.EMBED, RunKind.PUBLISH, RunKind.TRAIN]
    assert len(server.queue()) == CROPS


@pytest.mark.parametrize("option", ["--no-follow", "--rows-only", "--role=pretraining"])
def test_what_follows_can_be_left(option: str, workspace: Workspace, command: Command, photos: Path) -> None:
    add_project(workspace)
    told = command("import", "folder", str(photos), "--detector", "whole-frame", option)
    assert told.exit_code == 0, told.output
    assert kinds(workspace) == []


def test_an_import_from_python_requests_what_follows(workspace: Workspace, photos: Path) -> None:
    add_project(workspace)
    api.import_folder(workspace, photos, detector="whole-frame", options=api.ImportOptions(rows_only=True))
    assert kinds(workspace) == []
    api.import_folder(workspace, photos, detector="whole-frame")
    assert kinds(workspace) == [("embed", "queued")]


def test_every_import_from_python_is_followed() -> None:
    imports = [name for name in api.__all__ if name.startswith("import_") and name != "import_deployments"]
    assert imports
    assert [name for name in imports if not hasattr(getattr(api, name), "__wrapped__")] == []


def test_labels_that_came_along_are_learned_by_the_first_order(
    workspace: Workspace, command: Command, tmp_path: Path
) -> None:
    add_project(workspace)
    for name in ("deer", "fox"):
        taken(tmp_path / "crops" / name, 8)
    taken(tmp_path / "photos", 12)
    told = command("import", "folder", str(tmp_path / "photos"), "--detector", "whole-frame", "--no-follow")
    assert told.exit_code == 0, told.output
    told = command("import", "crops", str(tmp_path / "crops"))
    assert told.exit_code == 0, told.output
    with workspace.database.read() as conn:
        current = models.current(conn, PROJECT)
    assert current is not None
    assert current.labels > 0
    assert f"the queue is that of {current.version}, trained on" in told.output


def test_what_failed_is_told_by_the_import_and_tried_again_by_the_worker(
    workspace: Workspace,
    server: FakeLabelStudio,
    command: Command,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise LabelStudioError("Label Studio does not answer")

    add_project(workspace)
    with monkeypatch.context() as patch:
        patch.setattr(server, "import_tasks", refuse)
        told = command("import", "folder", str(photos), "--detector", "whole-frame")
    assert told.exit_code == 1
    assert "Label Studio does not answer" in str(told.exception)
    assert "6 crops embedded" in told.output
    assert kinds(workspace) == [("embed", "done"), ("publish", "done"), ("train", "failed")]
    with monkeypatch.context() as patch:
        patch.setattr(server, "import_tasks", refuse)
        jobs.run_now(workspace, PROJECT, RunKind.PUBLISH, trigger="timer")
    scheduler.retry_failed(workspace)
    assert kinds(workspace)[3:] == [("publish", "failed")]  # not at once
    assert jobs.top_up_if_low(workspace, PROJECT, trigger="sync") is None
    with workspace.database.write() as conn:
        conn.execute(sa.update(run_table).values(finished_at=utc_now() - dt.timedelta(minutes=2)))
    scheduler.retry_failed(workspace)
    scheduler.retry_failed(workspace)
    assert kinds(workspace)[4:] == [("publish", "queued")]
    jobs.work(workspace, burst=True)
    assert len(server.queue()) == CROPS


def test_a_project_that_was_deleted_in_label_studio_does_not_keep_the_next_from_its_queue(
    workspace: Workspace, server: FakeLabelStudio, command: Command, photos: Path
) -> None:
    add_project(workspace, PROJECT - 1)
    add_project(workspace)
    told = command("import", "folder", str(photos), "--detector", "whole-frame")
    assert told.exit_code == 1
    assert "the queue of project 6 is not complete" in str(told.exception)
    assert "wildloop project forget 6" in str(told.exception)
    assert kinds(workspace) == DONE
    assert len(server.queue()) == CROPS


def test_on_redis_each_run_is_a_job_that_offers_the_next(
    workspace: Workspace, command: Command, photos: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_project(workspace)
    assert command("import", "folder", str(photos), "--detector", "whole-frame", "--no-follow").exit_code == 0
    prefix = f"wildloop-test-{uuid.uuid4().hex[:12]}"
    monkeypatch.setenv("REDIS_URL", redis_url)  # each job opens the workspace that the environment names
    monkeypatch.setenv("WILDLOOP_REDIS_PREFIX", prefix)
    settings = replace(workspace.settings, redis_url=redis_url, redis_prefix=prefix)
    on_redis = replace(workspace, settings=settings)
    try:
        assert jobs.request_follow_up(on_redis, trigger="import") == [PROJECT]
        jobs.work(on_redis, burst=True)
    finally:
        with Redis.from_url(redis_url) as connection:
            for key in connection.scan_iter(f"*{prefix}*"):
                connection.delete(key)
            connection.srem("rq:queues", f"rq:queue:{prefix}-runs")
    assert kinds(workspace) == DONE
    assert not jobs.has_worker(workspace)


@pytest.mark.both_databases
def test_two_projects_with_one_embedder_embed_one_after_the_other(
    workspace: Workspace, command: Command, photos: Path
) -> None:
    assert command("import", "folder", str(photos), "--detector", "whole-frame").exit_code == 0
    add_project(workspace)
    add_project(workspace, OTHER)
    assert jobs.request_follow_up(workspace, trigger="import") == [PROJECT, OTHER]
    with workspace.database.write() as conn:
        first, second = runs.claimable(conn)
        claimed = runs.claim(conn, first.id, "elsewhere:7")
        assert claimed is not None
        assert runs.claimable(conn) == []
        assert runs.claim(conn, second.id, "elsewhere:8") is None
        runs.finish(conn, claimed)
        assert [run.id for run in runs.claimable(conn)] == [second.id]


def test_a_project_with_another_embedder_does_not_wait(workspace: Workspace) -> None:
    add_project(workspace)
    with workspace.database.write() as conn:
        projects.save(conn, ProjectRecord(id=OTHER, title="Hill", embedder="another"))
        first = runs.request(conn, PROJECT, RunKind.EMBED, trigger="import")
        second = runs.request(conn, OTHER, RunKind.EMBED, trigger="import")
        assert runs.claim(conn, first, "elsewhere:7") is not None
        assert runs.claim(conn, second, "elsewhere:8") is not None


def test_a_long_embedding_ends_in_between_so_that_what_is_there_is_published(
    workspace: Workspace,
    server: FakeLabelStudio,
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipeline.jobs.kinds.EMBED_SECONDS", 0.0)  # after the first 64 crops
    add_project(workspace)
    many = taken(tmp_path / "many", 70)
    told = command("import", "folder", str(many), "--detector", "whole-frame")
    assert told.exit_code == 0, told.output
    assert [kind for kind, _ in kinds(workspace)].count("embed") >= 2
    assert {state for _, state in kinds(workspace)} == {"done"}
    with workspace.database.read() as conn:
        embedder = projects.get(conn, PROJECT).embedder
        assert embeddings.missing_count(conn, embedder) == 0
    assert len(server.queue()) >= 64


def test_an_embedding_that_finds_broken_crops_alone_is_not_repeated_for_ever(
    workspace: Workspace, command: Command, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.jobs.kinds.EMBED_SECONDS", 0.0)
    add_project(workspace)
    assert command("import", "folder", str(photos), "--detector", "whole-frame", "--no-follow").exit_code == 0
    for crop in (workspace.data_dir / "crops").rglob("*.*"):
        crop.write_bytes(b"")
    jobs.request_follow_up(workspace, trigger="import")
    jobs.work(workspace, burst=True)
    assert [kind for kind, _ in kinds(workspace)].count("embed") == 1


def test_the_embedding_of_a_killed_worker_is_taken_up_again(
    workspace: Workspace, server: FakeLabelStudio, command: Command, photos: Path
) -> None:
    add_project(workspace)
    assert command("import", "folder", str(photos), "--detector", "whole-frame", "--no-follow").exit_code == 0
    jobs.request_follow_up(workspace, trigger="import")
    with workspace.database.write() as conn:
        (waiting,) = runs.claimable(conn)
        runs.claim(conn, waiting.id, "elsewhere:7")
        conn.execute(sa.update(run_table).values(heartbeat_at=utc_now() - dt.timedelta(minutes=5)))
    jobs.work(workspace, burst=True)
    assert kinds(workspace) == DONE
    with workspace.database.read() as conn:
        assert runs.get(conn, waiting.id).attempts == 2
    assert len(server.queue()) == CROPS


def test_the_worker_is_known_while_it_works_and_not_afterwards(workspace: Workspace) -> None:
    seen: list[bool] = []
    add_project(workspace)
    jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="command")

    def look(_workspace: Workspace, *_: object) -> None:
        seen.append(jobs.has_worker(workspace))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.jobs.worker._work_once", look)
        jobs.work(workspace, burst=True)
    assert seen == [True]
    assert not jobs.has_worker(workspace)


def test_publish_makes_the_order_of_new_crops(workspace: Workspace, command: Command, photos: Path) -> None:
    add_project(workspace)
    assert command("import", "folder", str(photos), "--detector", "whole-frame", "--no-follow").exit_code == 0
    told = command("publish")
    assert "Label Studio asks 6 tasks, in no order yet" in told.output
    assert command("embed").exit_code == 0
    told = command("publish")
    assert told.exit_code == 0, told.output
    assert "Label Studio asks 6 tasks, first the queue of v0-" in told.output
    assert all(state is not RunState.QUEUED for _, state in kinds(workspace))
