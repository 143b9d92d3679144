"""What every test may ask for: a store on each database, the services, the shared photographs."""

from __future__ import annotations

import os
import socket
import urllib.error
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

from pipeline.store.database import Database

# Tests fit small arrays, where several threads of BLAS and OpenMP only wait for each other.
# Nothing above loads numpy or torch, which read these when they load.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

POSTGRES = os.environ.get("WILDLOOP_TEST_POSTGRES", "postgresql+psycopg2://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("WILDLOOP_TEST_REDIS", "redis://127.0.0.1:6379/0")
SHARED = Path(os.environ.get("WILDLOOP_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


def unavailable(what: str, remedy: str) -> NoReturn:
    """Skip with the remedy; under CI a missing service is a failure, never a silent skip."""
    message = f"{what}; {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def listens(url: str, default_port: int) -> bool:
    """Whether something accepts connections where `url` points."""
    parsed = sa.make_url(url)
    try:
        socket.create_connection((parsed.host or "127.0.0.1", parsed.port or default_port), timeout=2).close()
    except OSError:
        return False
    return True


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No published weights on this machine, and no server that has them."""
    import torch

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'wildloop.db'}"


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database of this test's own, dropped after it."""
    if not listens(POSTGRES, 5432):
        unavailable("PostgreSQL does not answer", "start it, or set WILDLOOP_TEST_POSTGRES to its URL")
    name = f"wildloop_test_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(sa.text(f'CREATE DATABASE "{name}"'))
    yield sa.make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as conn:
        conn.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The same test over both databases."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty store, on SQLite and on PostgreSQL."""
    store = Database(database_url)
    store.migrate()
    yield store
    store.dispose()


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """A migrated, empty store on SQLite alone, for tests that are not about the database."""
    store = Database(sqlite_url)
    store.migrate()
    yield store
    store.dispose()


@pytest.fixture
def redis_url() -> str:
    if not listens(REDIS, 6379):
        unavailable("Redis does not answer", "start it, or set WILDLOOP_TEST_REDIS to its URL")
    return REDIS


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The photographs and models that lie beside the checkout and are no part of it."""
    if not SHARED.is_dir():
        unavailable(f"{SHARED} is absent", "set WILDLOOP_SHARED_DATA to the folder of shared test data")
    return SHARED
