"""Many rows into a table at the database's own speed: executemany on SQLite, COPY on PostgreSQL.

SQLAlchemy's own way costs several times the insertion itself where rows come by the hundred thousand.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

FEW = 100  # rows below which a temporary table costs more than it saves

Row = Sequence[Any]
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def insert_absent(conn: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not there yet, in their order; returns how many were.

    Every row has the columns of the first.
    """
    if not rows:
        return 0
    names = list(rows[0])
    values = list(_bound(conn, table, names, rows))
    columns = ", ".join(conn.dialect.identifier_preparer.quote(name) for name in names)
    if conn.dialect.name == "sqlite":
        places = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table.name} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"
        return int(conn.exec_driver_sql(statement, values).rowcount)
    if len(values) < FEW:
        places = ", ".join(["%s"] * len(names))
        statement = f"INSERT INTO {table.name} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"
        return sum(conn.exec_driver_sql(statement, tuple(one)).rowcount for one in values)
    return _copied(conn, table.name, columns, values)


def _copied(conn: sa.Connection, table: str, columns: str, values: Iterable[Row]) -> int:
    draft = f"draft_{table}"
    conn.exec_driver_sql(
        f"CREATE TEMPORARY TABLE {draft} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA"
    )
    text = io.StringIO("".join("\t".join(map(_text, row)) + "\n" for row in values))
    cursor: Any = conn.connection.cursor()
    try:
        cursor.copy_expert(f"COPY {draft} ({columns}) FROM STDIN", text)
    finally:
        cursor.close()
    done = conn.exec_driver_sql(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {draft} ON CONFLICT DO NOTHING"
    )
    conn.exec_driver_sql(f"DROP TABLE {draft}")
    return int(done.rowcount)


def _bound(
    conn: sa.Connection, table: sa.Table, names: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> Iterator[Row]:
    """The rows as the driver takes them."""
    binders = [_binder(table.c[name].type, conn.dialect) for name in names]
    if not any(binders):
        yield from (tuple(row.values()) for row in rows)
        return
    special = [(at, binder) for at, binder in enumerate(binders) if binder is not None]
    for row in rows:
        values = [row[name] for name in names]
        for at, binder in special:
            values[at] = binder(values[at])
        yield tuple(values)


def _binder(kind: Any, dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    """How a column's values become the driver's. Neighbours are often one value: the last is kept."""
    if isinstance(kind, sa.LargeBinary):
        return None  # both take bytes as they are
    process = kind.dialect_impl(dialect).bind_processor(dialect)
    if process is None:
        return None
    last: list[Any] = [object(), None]

    def bind(value: Any) -> Any:
        if value is not last[0]:
            last[:] = value, process(value)
        return last[1]

    return bind


def _text(value: Any) -> str:
    """A value in COPY's text format (described with PostgreSQL's COPY command)."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES) if not value.isalnum() else value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\\\x" + bytes(value).hex()
    return str(value)
