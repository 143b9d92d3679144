"""The connection to the database, SQLite in WAL mode or PostgreSQL, and its migrations."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from pipeline.errors import StoreError
from pipeline.store.bulk_insert import insert_absent

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 30_000
CHECKPOINT_PAGES = 65_536  # 256 MiB of log: a page that is written often reaches the file once
CACHE_KIB = 65_536  # of SQLite pages: keys are digests, so inserts touch all pages of an index
IN_ROWS = 500  # keys in one IN list: below the parameter limit of both databases
INSERT_ROWS = 5_000  # rows in one batch: limits memory, not the transaction
_LOCK = 0x77696C64  # namespace of our PostgreSQL advisory locks: "wild" in ASCII

Item = TypeVar("Item")


class Database:
    """One database. `read()` and `write()` open a transaction that ends with the `with` block."""

    def __init__(self, url: str, *, migrate_on_first_use: bool = False) -> None:
        """Raises StoreError if `url` is not a database URL. Does not connect yet, and creates no file."""
        try:
            parsed = sa.make_url(url)
        except sa.exc.ArgumentError as exc:
            raise StoreError(f"{url!r} is not a database URL", remedy="set WILDLOOP_DATABASE_URL") from exc
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._first_use = threading.RLock()
        self._is_unmigrated = migrate_on_first_use
        self.engine = sa.create_engine(parsed, pool_pre_ping=not self.is_sqlite)
        self._reading = self.engine
        if not self.is_sqlite:  # PostgreSQL shows each statement what was committed before it
            self._reading = self.engine.execution_options(isolation_level="REPEATABLE READ")
        if self.is_sqlite:
            sa.event.listen(self.engine, "do_connect", self._make_folder)
            sa.event.listen(self.engine, "connect", _configure_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection whose reads see one consistent state of the database."""
        with self._connected(self._reading) as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that commits as a whole or not at all."""
        with self._connected(self.engine.execution_options(wildloop_write=True)) as conn:
            yield conn

    def _make_folder(self, *_: Any) -> None:
        if self.engine.url.database:
            Path(self.engine.url.database).parent.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def _connected(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        with self._first_use:  # other threads wait until the schema is there
            if self._is_unmigrated:
                self._is_unmigrated = False
                self.migrate()
        try:
            with engine.begin() as conn:
                yield conn
        except sa.exc.OperationalError as exc:
            where = self.engine.url.render_as_string(hide_password=True)
            raise StoreError(
                f"the database at {where} failed: {exc.orig}",
                remedy="check that the database is running and its disk is not full",
            ) from exc

    def migrate(self) -> None:
        """Upgrade the schema to the newest revision; several processes may call this at the same time."""
        config = _alembic_config()
        head = ScriptDirectory.from_config(config).get_current_head()
        with self.read() as conn:
            if MigrationContext.configure(conn).get_current_revision() == head:
                return
        with self.write() as conn:
            lock(conn, "migrate")
            config.attributes["connection"] = conn
            command.upgrade(config, "head")

    def analyze(self, *tables: sa.Table) -> None:
        """Update PostgreSQL's statistics of these tables; does nothing on SQLite.

        Autovacuum comes too late for tables that grow by millions of rows: until then the planner scans
        the whole table for each list of keys.
        """
        if not self.is_sqlite:
            with self.write() as conn:
                conn.exec_driver_sql(f"ANALYZE {', '.join(table.name for table in tables)}")

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def missing_store(url: str) -> Path | None:
    """The SQLite file of `url` if it does not exist; None for files that do, and for PostgreSQL."""
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        return None  # `Database` says what is wrong with it
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    path = Path(parsed.database)
    return None if path.exists() else path


def place(url: sa.URL | str) -> str:
    """Where a database is, as people are told: the file, or the address without its password."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return parsed.database
    return parsed.render_as_string(hide_password=True)


def lock(conn: sa.Connection, name: str) -> None:
    """Hold the lock `name` until the transaction ends; waits while another process holds it.

    Does nothing on SQLite, where a write transaction excludes all others.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK, sa.func.hashtext(name))))


def insert_new(conn: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not in the table yet, in the given order; returns their number.

    All rows must have the same columns in the same order.
    """
    return sum(insert_absent(conn, table, batch) for batch in chunks(rows, INSERT_ROWS))


def chunks(items: Iterable[Item], size: int) -> Iterator[Sequence[Item]]:
    """Split `items` into lists of at most `size`, in order."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


@functools.cache
def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver issues BEGIN too late for consistent reads
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    cursor.close()


def _begin_sqlite(conn: sa.Connection) -> None:
    # A write transaction takes its lock at once: to upgrade a read transaction later fails without waiting.
    write = conn.get_execution_options().get("wildloop_write", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
