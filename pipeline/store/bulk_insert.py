"""Fast insertion of many rows: executemany on SQLite, COPY on PostgreSQL.

For hundreds of thousands of rows SQLAlchemy's own insertion takes several times as long.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

MIN_COPY_ROWS = 100  # for fewer rows a temporary table costs more than it saves

Row = Sequence[Any]
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def insert_absent(conn: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not in the table yet, in the given order; returns their number.

    All rows must have the same columns in the same order.
    """
    if not rows:
        return 0
    names = list(rows[0])
    values = list(_bound_rows(conn, table, names, rows))
    columns = ", ".join(conn.dialect.identifier_preparer.quote(name) for name in names)
    if conn.dialect.name == "sqlite":
        placeholders = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table.name} ({columns}) VALUES ({placeholders}) ON CONFLICT DO NOTHING"
        return int(conn.exec_driver_sql(statement, values).rowcount)
    if len(values) < MIN_COPY_ROWS:
        placeholders = ", ".join(["%s"] * len(names))
        statement = f"INSERT INTO {table.name} ({columns}) VALUES ({placeholders}) ON CONFLICT DO NOTHING"
        return sum(conn.exec_driver_sql(statement, tuple(row)).rowcount for row in values)
    return _copy(conn, table.name, columns, values)


def _copy(conn: sa.Connection, table: str, columns: str, values: Iterable[Row]) -> int:
    """Insert by COPY into a temporary table, because COPY itself cannot skip existing keys."""
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
    inserted = conn.exec_driver_sql(
        f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {draft} ON CONFLICT DO NOTHING"
    )
    conn.exec_driver_sql(f"DROP TABLE {draft}")
    return int(inserted.rowcount)


def _bound_rows(
    conn: sa.Connection, table: sa.Table, names: Sequence[str], rows: Iterable[Mapping[str, Any]]
) -> Iterator[Row]:
    """The rows as tuples of values that the database driver accepts."""
    binders = [_binder(table.c[name].type, conn.dialect) for name in names]
    if not any(binders):
        yield from (tuple(row.values()) for row in rows)
        return
    converted = [(column, binder) for column, binder in enumerate(binders) if binder is not None]
    for row in rows:
        values = [row[name] for name in names]
        for column, binder in converted:
            values[column] = binder(values[column])
        yield tuple(values)


def _binder(kind: Any, dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    """The conversion of a column's values for the driver; None if they need none.

    Consecutive rows often share a value, so the last conversion is cached.
    """
    if isinstance(kind, sa.LargeBinary):
        return None  # both drivers accept bytes
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
    """A value in COPY's text format (PostgreSQL documentation, "COPY", section "Text Format")."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        return value.translate(_ESCAPES) if not value.isalnum() else value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\\\x" + bytes(value).hex()
    return str(value)
