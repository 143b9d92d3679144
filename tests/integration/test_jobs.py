"""Runs: asked for by many, carried out by one, and never lost with their worker."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline import jobs
from pipeline.errors import LabelStudioError
from pipeline.jobs import scheduler
from pipeline.records import RunKind, RunRecord, RunState, utc_now
from pipeline.store import models, projects, runs
from pipeline.store.database import Database
from pipeline.store.schema import run as run_table
from pipeline.store.workers import alive, machine
from pipeline.workspace import Workspace
from tests.helpers.fake_label_studio import FakeLabelStudio
from tests.helpers.labelled_workspace import PROJECT, forest, label, make_workspace, populate

DEADLINE = 90.0  # a cold start of the worker takes seconds, on a busy machine many


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeLabelStudio:
    taking = forest()
    monkeypatch.setattr(Workspace, "label_studio", lambda _: taking)
    return taking


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    populate(database)
    return make_workspace(database, tmp_path / "data", label_studio_api_key="key")


def one(workspace: Workspace, run_id: int) -> RunRecord:
    with workspace.database.read() as conn:
        return runs.get(conn, run_id)


def every(workspace: Workspace, kind: RunKind = RunKind.TRAIN) -> list[RunRecord]:
    with workspace.database.read() as conn:
        query = sa.select(run_table.c.id).where(run_table.c.kind == kind).order_by(run_table.c.id)
        return [runs.get(conn, number) for number in conn.scalars(query)]


def press_button(workspace: Workspace) -> int:
    return jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")


def versions(workspace: Workspace) -> list[str]:
    with workspace.database.read() as conn:
        return [record.version for record in models.all(conn, PROJECT)]


def current(workspace: Workspace) -> str | None:
    with workspace.database.read() as conn:
        return projects.get(conn, PROJECT).current_model


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


class TestAsking:
    def test_triggers_from_many_sides_make_one_run(self, workspace: Workspace) -> None:
        with ThreadPoolExecutor(8) as threads:
            ids = set(
                threads.map(
                    lambda _: jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button"), range(16)
                )
            )
        assert len(ids) == 1
        assert [run.state for run in every(workspace)] == [RunState.QUEUED]

    def test_triggers_during_a_run_make_one_more(self, workspace: Workspace) -> None:
        first = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        with workspace.database.write() as conn:
            assert runs.claim(conn, first, "someone") is not None
        with ThreadPoolExecutor(8) as threads:
            ids = set(
                threads.map(
                    lambda _: jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button"), range(16)
                )
            )
        assert len(ids) == 1
        assert [run.state for run in every(workspace)] == [RunState.RUNNING, RunState.QUEUED]

    def test_only_one_worker_gets_a_run(self, workspace: Workspace) -> None:
        number = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")

        def claim(name: str) -> RunRecord | None:
            with workspace.database.write() as conn:
                return runs.claim(conn, number, name)

        with ThreadPoolExecutor(8) as threads:
            claimed = [run for run in threads.map(claim, map(str, range(8))) if run is not None]
        assert len(claimed) == 1
        assert one(workspace, number).worker == claimed[0].worker

    def test_a_run_waits_while_another_of_its_kind_runs(
        self, workspace: Workspace, server: FakeLabelStudio
    ) -> None:
        first = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        with workspace.database.write() as conn:
            claimed = runs.claim(conn, first, "someone")
        assert claimed is not None
        second = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        assert jobs.perform(workspace, second) is None
        with workspace.database.write() as conn:
            assert runs.finish(conn, claimed)
        ended = jobs.perform(workspace, second)
        assert ended is not None
        assert ended.state is RunState.DONE

    def test_a_person_who_joins_a_run_that_labels_asked_for_owns_it(self, workspace: Workspace) -> None:
        label(workspace.database, range(20))
        number = jobs.train_if_due(workspace, PROJECT)
        assert number is not None
        assert jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button") == number
        assert one(workspace, number).trigger == "button"


@pytest.mark.one_database
class TestBeingDue:
    def test_a_pool_without_a_version_is_to_be_ordered(
        self, workspace: Workspace, server: FakeLabelStudio
    ) -> None:
        number = jobs.train_if_due(workspace, PROJECT)
        assert number is not None
        ended = jobs.perform(workspace, number)
        assert ended is not None
        assert ended.result["version"].startswith("v0-")
        assert jobs.train_if_due(workspace, PROJECT) is None

    def test_a_pool_that_grew_before_any_label_is_ordered_again(
        self, workspace: Workspace, server: FakeLabelStudio
    ) -> None:
        jobs.run_now(workspace, PROJECT, RunKind.TRAIN, trigger="command")
        populate(workspace.database, 140, first=120)
        assert jobs.train_if_due(workspace, PROJECT) is None
        populate(workspace.database, 160, first=140)
        assert jobs.train_if_due(workspace, PROJECT) is not None

    @pytest.mark.both_databases
    def test_a_training_is_due_after_twenty_labels_and_not_before(
        self, workspace: Workspace, server: FakeLabelStudio
    ) -> None:
        jobs.run_now(workspace, PROJECT, RunKind.TRAIN, trigger="command")
        label(workspace.database, range(19))
        assert jobs.train_if_due(workspace, PROJECT) is None
        label(workspace.database, [19])
        assert jobs.train_if_due(workspace, PROJECT) is not None

    def test_labels_that_a_training_meanwhile_learned_are_not_trained_on_again(
        self, workspace: Workspace, server: FakeLabelStudio
    ) -> None:
        label(workspace.database, range(20))
        first = jobs.train_if_due(workspace, PROJECT)
        assert first is not None
        with workspace.database.write() as conn:
            claimed = runs.claim(conn, first, "someone")
        assert claimed is not None
        second = jobs.train_if_due(workspace, PROJECT)
        assert second is not None
        with workspace.database.write() as conn:
            runs.finish(conn, claimed)
        jobs.run_now(workspace, PROJECT, RunKind.TRAIN, trigger="command")
        third = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="labels")
        ended = jobs.perform(workspace, third)
        assert ended is not None
        assert ended.result["version"] is None
        assert len(versions(workspace)) == 1

    def test_a_project_whose_training_failed_is_left_alone_for_a_while(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("out of cheese")

        label(workspace.database, range(20))
        with monkeypatch.context() as patch:
            patch.setattr("pipeline.steps.labelling.refresh.train", broken)
            ended = jobs.run_now(workspace, PROJECT, RunKind.TRAIN, trigger="command")
        assert (ended.state, ended.error) == (RunState.FAILED, "RuntimeError: out of cheese")
        assert jobs.train_if_due(workspace, PROJECT) is None
        an_hour_ago = utc_now() - dt.timedelta(hours=1)
        with workspace.database.write() as conn:
            conn.execute(sa.update(run_table).values(finished_at=an_hour_ago))
        assert jobs.train_if_due(workspace, PROJECT) is not None


@pytest.mark.one_database
class TestCarryingOut:
    @pytest.mark.both_databases
    def test_a_training_pushes_its_queue(self, workspace: Workspace, server: FakeLabelStudio) -> None:
        label(workspace.database, range(30))
        ended = jobs.run_now(workspace, PROJECT, RunKind.TRAIN, trigger="command")
        assert ended.state is RunState.DONE
        assert ended.result["version"] == current(workspace) == server.model_version
        assert ended.result["labels"] == 30
        assert len(server.asked()) == 90

    def test_a_queue_that_label_studio_did_not_take_is_pushed_by_the_next_sync(
        self, workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        label(workspace.database, range(30))

        def refuse(*_: object) -> None:
            raise LabelStudioError("Label Studio does not answer")

        with monkeypatch.context() as patch:
            patch.setattr(server, "import_tasks", refuse)
            ended = jobs.run_now(workspace, PROJECT, RunKind.TRAIN, trigger="command")
        assert ended.state is RunState.FAILED
        assert "did not reach Label Studio" in str(ended.error)
        assert current(workspace) is not None
        assert server.queue() == []
        assert jobs.run_now(workspace, PROJECT, RunKind.SYNC, trigger="command").state is RunState.DONE
        jobs.work(workspace, burst=True)  # the top-up that the sync has requested
        assert server.model_version == current(workspace)
        assert len(server.asked()) == 90

    def test_a_sync_asks_for_the_training_that_is_due(
        self, workspace: Workspace, server: FakeLabelStudio
    ) -> None:
        label(workspace.database, range(30))
        ended = jobs.run_now(workspace, PROJECT, RunKind.SYNC, trigger="timer")
        assert one(workspace, ended.result["training"]).state is RunState.QUEUED

    def test_old_syncs_are_forgotten(
        self, workspace: Workspace, server: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pipeline.jobs.execute.KEPT_SYNCS", 3)
        numbers = [jobs.run_now(workspace, PROJECT, RunKind.SYNC, trigger="timer").id for _ in range(5)]
        assert [run.id for run in every(workspace, RunKind.SYNC)] == numbers[-3:]


@pytest.mark.one_database
class TestTheClock:
    def test_a_sync_is_asked_for_once_in_its_time(
        self, workspace: Workspace, server: FakeLabelStudio
    ) -> None:
        scheduler.tick(workspace)
        scheduler.tick(workspace)
        assert len(every(workspace, RunKind.SYNC)) == 1
        jobs.work(workspace, burst=True)
        scheduler.tick(workspace)
        assert len(every(workspace, RunKind.SYNC)) == 1

    def test_without_a_key_no_sync_is_asked_for(self, database: Database, tmp_path: Path) -> None:
        populate(database, 3)
        workspace = make_workspace(database, tmp_path)
        scheduler.tick(workspace)
        assert every(workspace, RunKind.SYNC) == []

    @pytest.mark.both_databases
    def test_a_run_whose_heartbeat_is_old_waits_again(self, workspace: Workspace) -> None:
        number = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        with workspace.database.write() as conn:
            claimed = runs.claim(conn, number, "elsewhere:7")
        assert claimed is not None
        scheduler.tick(workspace)
        assert one(workspace, number).state is RunState.RUNNING
        long_ago = utc_now() - dt.timedelta(minutes=5)
        with workspace.database.write() as conn:
            conn.execute(sa.update(run_table).values(heartbeat_at=long_ago))
        scheduler.tick(workspace)
        assert one(workspace, number).state is RunState.QUEUED
        with workspace.database.write() as conn:
            assert not runs.heartbeat(conn, claimed)
            assert not runs.finish(conn, claimed)

    def test_a_run_that_took_three_workers_with_it_fails(self, workspace: Workspace) -> None:
        number = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        for _ in range(3):
            with workspace.database.write() as conn:
                assert runs.claim(conn, number, "elsewhere:7") is not None
                long_ago = utc_now() - dt.timedelta(minutes=5)
                conn.execute(sa.update(run_table).values(heartbeat_at=long_ago))
            scheduler.tick(workspace)
        run = one(workspace, number)
        assert run.state is RunState.FAILED
        assert "attempt 3 of 3" in str(run.error)

    def test_a_lost_run_gives_way_to_the_one_that_waits(self, workspace: Workspace) -> None:
        first = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        with workspace.database.write() as conn:
            runs.claim(conn, first, "elsewhere:7")
        second = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        with workspace.database.write() as conn:
            long_ago = utc_now() - dt.timedelta(minutes=5)
            conn.execute(sa.update(run_table).values(heartbeat_at=long_ago))
        scheduler.tick(workspace)
        assert one(workspace, first).state is RunState.FAILED
        assert one(workspace, second).state is RunState.QUEUED


class Workers:
    """Worker processes on one workspace, killed at the end of the test."""

    def __init__(self, workspace: Workspace, folder: Path) -> None:
        self.began = folder / "first-training"  # the pid of the process in it
        self._environ = {
            "WILDLOOP_DATA_DIR": str(workspace.data_dir),
            "WILDLOOP_DATABASE_URL": workspace.settings.database_url,
            "WILDLOOP_REDIS_PREFIX": workspace.settings.redis_prefix,
            "REDIS_URL": workspace.settings.redis_url or "",
        }
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, seconds: float = 0.0, *, burst: bool = False) -> subprocess.Popen[bytes]:
        script = [sys.executable, "-m", "tests.helpers.labelled_workspace", str(self.began), str(seconds)]
        process = subprocess.Popen(
            script + ["burst"] * burst, env=os.environ | self._environ, cwd=Path(__file__).parents[2]
        )
        self._processes.append(process)
        return process

    def until_training(self) -> int:
        """The pid of the process that is in the middle of the first training."""
        until(self.began.exists)
        return int(self.began.read_text())

    def stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()


@pytest.fixture
def workers(workspace: Workspace, tmp_path: Path) -> Iterator[Workers]:
    started = Workers(workspace, tmp_path)
    yield started
    started.stop()


@pytest.mark.one_database
class TestWorkers:
    @pytest.mark.both_databases
    def test_a_worker_killed_in_the_middle_of_a_training_is_replaced_by_another(
        self, workspace: Workspace, workers: Workers
    ) -> None:
        label(workspace.database, range(30))
        number = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        victim = workers.start(seconds=600)
        assert workers.until_training() == victim.pid
        assert one(workspace, number).state is RunState.RUNNING
        assert jobs.has_worker(workspace)
        victim.kill()
        victim.wait()
        assert not jobs.has_worker(workspace)
        assert workers.start(burst=True).wait(DEADLINE) == 0
        run = one(workspace, number)
        assert (run.state, run.attempts) == (RunState.DONE, 2)
        assert versions(workspace) == [current(workspace)]
        assert len(list((workspace.data_dir / "models" / str(PROJECT)).iterdir())) == 1

    def test_a_worker_that_is_told_to_stop_ends_its_run_first(
        self, workspace: Workspace, workers: Workers
    ) -> None:
        label(workspace.database, range(30))
        number = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        process = workers.start(seconds=1)
        workers.until_training()
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        assert one(workspace, number).state is RunState.DONE
        assert not jobs.has_worker(workspace)

    def test_a_worker_finds_runs_that_are_asked_for_while_it_waits(
        self, workspace: Workspace, workers: Workers
    ) -> None:
        process = workers.start()
        label(workspace.database, range(30))
        number = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        until(lambda: one(workspace, number).state is RunState.DONE)
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0


@pytest.mark.one_database
class TestRedis:
    @pytest.fixture
    def workspace(self, database: Database, tmp_path: Path, redis_url: str) -> Iterator[Workspace]:
        from redis import Redis

        populate(database)
        prefix = f"wildloop-test-{uuid.uuid4().hex[:12]}"
        yield make_workspace(database, tmp_path / "data", redis_url=redis_url, redis_prefix=prefix)
        with Redis.from_url(redis_url) as connection:
            for key in connection.scan_iter(f"*{prefix}*"):
                connection.delete(key)
            connection.srem("rq:queues", f"rq:queue:{prefix}-runs")

    @pytest.mark.both_databases
    def test_a_run_goes_through_the_queue_once(self, workspace: Workspace, workers: Workers) -> None:
        label(workspace.database, range(30))
        numbers = {jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button") for _ in range(5)}
        assert len(numbers) == 1
        assert workers.start(burst=True).wait(DEADLINE) == 0
        assert [run.state for run in every(workspace)] == [RunState.DONE]
        assert versions(workspace) == [current(workspace)]

    @pytest.mark.both_databases
    def test_a_run_whose_process_was_killed_is_carried_out_again(
        self, workspace: Workspace, workers: Workers
    ) -> None:
        label(workspace.database, range(30))
        number = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        process = workers.start(seconds=600)
        horse = workers.until_training()
        assert horse != process.pid
        with workspace.database.read() as conn:
            assert alive(conn) == [f"{machine()}:{process.pid}"]
        os.kill(horse, signal.SIGKILL)
        until(lambda: one(workspace, number).state is RunState.DONE)
        assert one(workspace, number).attempts == 2
        assert versions(workspace) == [current(workspace)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        assert not jobs.has_worker(workspace)

    def test_a_run_that_waited_for_another_follows_it(self, workspace: Workspace, workers: Workers) -> None:
        label(workspace.database, range(30))
        first = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        process = workers.start(seconds=3)
        workers.until_training()
        label(workspace.database, range(30, 60))
        second = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        assert second != first
        until(lambda: one(workspace, second).state is RunState.DONE)
        assert len(versions(workspace)) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0

    def test_runs_that_redis_forgot_are_offered_again(self, workspace: Workspace, workers: Workers) -> None:
        from redis import Redis

        label(workspace.database, range(30))
        number = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        with Redis.from_url(str(workspace.settings.redis_url)) as connection:
            for key in connection.scan_iter(f"*{workspace.settings.redis_prefix}*"):
                connection.delete(key)
        assert workers.start(burst=True).wait(DEADLINE) == 0
        assert one(workspace, number).state is RunState.DONE

    def test_a_redis_that_does_not_answer_loses_no_run(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        populate(database, 12)
        workspace = make_workspace(database, tmp_path, redis_url="redis://127.0.0.1:1/0")
        waited: list[float] = []  # seconds between attempts; each ends at once, as nothing listens there
        monkeypatch.setattr("redis.retry.sleep", waited.append)
        number = jobs.request(workspace, PROJECT, RunKind.TRAIN, trigger="button")
        assert sum(waited) < 3
        assert one(workspace, number).state is RunState.QUEUED
