"""Fixtures for every test: a store on each database, services, the shared photographs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import sqlalchemy as sa
from xdist.scheduler import LoadScopeScheduling

from pipeline.store.database import Database
from tests.helpers.databases import PostgresStore, migrated_sqlite

if TYPE_CHECKING:
    from xdist.remote import Producer

# Tests fit small arrays, where several threads of BLAS and OpenMP only wait for each other.
# numpy and torch read these when they load, which nothing above makes them do; child processes inherit them.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
for _variable in THREAD_VARIABLES:
    os.environ.setdefault(_variable, "1")

POSTGRES = os.environ.get("WILDLOOP_TEST_POSTGRES", "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("WILDLOOP_TEST_REDIS", "redis://127.0.0.1:6379/0")
SHARED = Path(os.environ.get("WILDLOOP_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
MAX_PROCESSES = 4  # each loads torch, and Label Studio and the browsers of acceptance tests run beside them


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Processes for `-n auto`: one more than cores to test a folder, this one alone to test files.

    One process has the acceptance tests, which mostly wait for Label Studio and browsers.
    """
    if not any(Path(argument).is_dir() for argument in config.args):
        return 0  # a second process would only spend seconds on its start
    from joblib import cpu_count

    return min(int(cpu_count()) + 1, MAX_PROCESSES)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Give each process one file after the other. Acceptance tests share Label Studio: they count as one."""
    config.option.loadscopereorder = False  # folders in order, so the longest first: acceptance
    return Files(config, log)


class Files(LoadScopeScheduling):  # type: ignore[misc]  # untyped
    """The units in which a session's tests are given to processes."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/acceptance" if file.startswith("tests/acceptance/") else file


def unavailable(what: str, remedy: str) -> NoReturn:
    """Skip with the remedy; with CI=true, fail instead."""
    message = f"{what}; {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def listens(url: str, default_port: int) -> bool:
    """Whether something accepts connections at `url`."""
    parsed = sa.make_url(url)
    try:
        socket.create_connection((parsed.host or "127.0.0.1", parsed.port or default_port), timeout=2).close()
    except OSError:
        return False
    return True


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither published weights on this machine nor a server to fetch them from."""
    import torch

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of this test's SQLite store, which does not exist yet."""
    return f"sqlite:///{tmp_path / 'wildloop.db'}"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    return migrated_sqlite(tmp_path_factory.mktemp("template") / "wildloop.db")


@pytest.fixture
def migrated_sqlite_url(sqlite_url: str, sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated, empty SQLite store of this test's own."""
    shutil.copyfile(sqlite_template, tmp_path / "wildloop.db")
    return sqlite_url


@pytest.fixture(scope="session")
def postgres_store() -> Iterator[PostgresStore]:
    """A migrated database on the PostgreSQL server, dropped when the session ends."""
    if not listens(POSTGRES, 5432):
        unavailable("PostgreSQL does not answer", "start it, or set WILDLOOP_TEST_POSTGRES to its URL")
    store = PostgresStore(POSTGRES)
    try:
        store.create()
        yield store
    finally:
        store.drop()


@pytest.fixture
def migrated_postgres_url(postgres_store: PostgresStore) -> Iterator[str]:
    """A migrated, empty PostgreSQL store; emptied again after the test."""
    yield postgres_store.url
    postgres_store.empty()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that use the store over both databases, tests of rules over SQLite alone.

    `one_database` marks a module whose rules no SQL decides, `both_databases` the tests in it that
    represent it on PostgreSQL too.
    """
    if "database_url" in metafunc.fixturenames:
        of_rules = metafunc.definition.get_closest_marker("one_database") is not None
        also = metafunc.definition.get_closest_marker("both_databases") is not None
        kinds = ["sqlite"] if of_rules and not also else ["sqlite", "postgresql"]
        metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty store."""
    kind = "sqlite" if request.param == "sqlite" else "postgres"
    url: str = request.getfixturevalue(f"migrated_{kind}_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty store on each database that `pytest_generate_tests` chooses."""
    store = Database(database_url)
    yield store
    store.dispose()


@pytest.fixture
def sqlite_database(migrated_sqlite_url: str) -> Iterator[Database]:
    """A migrated, empty store on SQLite alone, for tests of rules rather than of SQL."""
    store = Database(migrated_sqlite_url)
    yield store
    store.dispose()


@pytest.fixture
def redis_url() -> str:
    if not listens(REDIS, 6379):
        unavailable("Redis does not answer", "start it, or set WILDLOOP_TEST_REDIS to its URL")
    return REDIS


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Photographs and models that are not part of the repository."""
    if not SHARED.is_dir():
        unavailable(f"{SHARED} is absent", "set WILDLOOP_SHARED_DATA to the folder of shared test data")
    return SHARED


@pytest.fixture(scope="session")
def camtrap_dp_schemas(shared_data: Path) -> Path:
    """The profile and the table schemas of Camtrap DP 1.0.2, as published."""
    folder = shared_data.parent / "reference" / "camtrap_dp_1.0.2"
    if not folder.is_dir():
        pytest.skip(f"the published schemas of Camtrap DP are absent from {folder}")
    return folder


@pytest.fixture(scope="session")
def field_cases(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as users were seen to have them, with the photographs that belong to them; not to be changed."""
    out = tmp_path_factory.mktemp("field") / "cases"
    subprocess.run([sys.executable, shared_data / "field_cases" / "make.py", out], check=True)
    return out
