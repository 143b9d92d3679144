"""The connection to the store: SQLite in WAL mode or PostgreSQL, migrated to the newest schema."""

from __future__ import annotations

import functools
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
from pipeline.store.bulk import insert_absent

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 30_000
CHECKPOINT_PAGES = 65_536  # 256 MiB of log: pages written again and again reach the file once
CACHE_KIB = 65_536  # of SQLite's pages: keys are digests, so every index is written all over
IN_ROWS = 500  # keys in one IN list: below every database's limit of parameters
INSERT_ROWS = 5_000  # rows in one statement batch: bounds memory, not the transaction
_LOCK = 0x77696C64  # PostgreSQL's advisory locks are numbers; this one is "wild"

Item = TypeVar("Item")


class Database:
    """One store. `read()` and `write()` open a transaction that ends with the block."""

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
        except sa.exc.ArgumentError as exc:
            raise StoreError(f"{url!r} is not a database URL", remedy="set WILDLOOP_DATABASE_URL") from exc
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = sa.create_engine(parsed, pool_pre_ping=not self.is_sqlite)
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _configure_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection whose reads see one moment of the store."""
        with self._connected(self.engine) as conn:
            yield conn

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A transaction that commits as a whole, or not at all."""
        with self._connected(self.engine.execution_options(wildloop_write=True)) as conn:
            yield conn

    @contextmanager
    def _connected(self, engine: sa.Engine) -> Iterator[sa.Connection]:
        try:
            with engine.begin() as conn:
                yield conn
        except sa.exc.OperationalError as exc:
            where = self.engine.url.render_as_string(hide_password=True)
            raise StoreError(
                f"the store at {where} failed: {exc.orig}",
                remedy="is the database running and its disk not full?",
            ) from exc

    def migrate(self) -> None:
        """Bring the schema to the newest revision; several processes may do so at once."""
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
        """Tell PostgreSQL's planner how large these tables are now.

        Its own daemon comes too late for tables that grow by the million: until then it reads them whole
        for every list of keys. SQLite needs no telling.
        """
        if not self.is_sqlite:
            with self.write() as conn:
                conn.exec_driver_sql(f"ANALYZE {', '.join(table.name for table in tables)}")

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def lock(conn: sa.Connection, name: str) -> None:
    """Until the transaction ends, no other process passes `lock` with this name.

    On SQLite every write transaction already excludes every other.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK, sa.func.hashtext(name))))


def insert_new(conn: sa.Connection, table: sa.Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not there yet; returns how many were. Order is kept.

    Every row has the columns of the first.
    """
    return sum(insert_absent(conn, table, batch) for batch in chunks(rows, INSERT_ROWS))


def chunks(items: Iterable[Item], size: int) -> Iterator[Sequence[Item]]:
    """`items` in lists of at most `size`, in order."""
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
    connection.isolation_level = None  # the driver's own BEGIN comes too late for consistent reads
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    cursor.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    cursor.close()


def _begin_sqlite(conn: sa.Connection) -> None:
    # A write transaction takes its lock at once: upgrading a read later fails instead of waiting.
    write = conn.get_execution_options().get("wildloop_write", False)
    conn.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
