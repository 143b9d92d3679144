"""A project as the release before migration 0006 left it: its store, and what its Label Studio held.

Both files were written by that release: 36 crops, of which two people have labelled 24, with an audit, a
review and a version; annotations have the control `species`.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from pathlib import Path
from typing import Any

from pipeline.store.database import Database
from tests.helpers.fake_label_studio import FakeLabelStudio

_FOLDER = Path(__file__).parent
PROJECT = 4
CROPS = 36


def store(path: Path) -> Database:
    """The store as an SQLite file, migrated to the present schema."""
    connection = sqlite3.connect(path)
    connection.executescript((_FOLDER / "store.sql").read_text(encoding="utf-8"))
    connection.close()
    database = Database(f"sqlite:///{path}")
    database.migrate()
    return database


def label_studio() -> FakeLabelStudio:
    """Its Label Studio."""
    held = json.loads((_FOLDER / "label_studio.json").read_text(encoding="utf-8"))
    server = FakeLabelStudio(PROJECT)
    server.fields.update(held["fields"])
    for number, row in held["rows"].items():
        server.add_task(int(number), row["data"])
        server.rows[int(number)].update(
            annotations=[_with_times(annotation) for annotation in row["annotations"]],
            updated_at=dt.datetime.fromisoformat(row["updated_at"]),
            touched=row["touched"],
            is_labeled=bool(row["annotations"]),
        )
    server.now = max(row["updated_at"] for row in server.rows.values())
    return server


def label_config() -> str:
    """The label config of its project."""
    return str(label_studio().fields["label_config"])


def _with_times(annotation: dict[str, Any]) -> dict[str, Any]:
    times = {name: dt.datetime.fromisoformat(annotation[name]) for name in ("created_at", "updated_at")}
    return annotation | times
