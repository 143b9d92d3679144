"""What differs between two Camtrap DP packages: column by column, and property by property.

`python -m tests.helpers.camtrap_dp_diff BEFORE AFTER` prints it for two folders.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEYS = {"deployments": "deploymentID", "media": "mediaID", "observations": "observationID"}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One column of a table, or one property of the descriptor."""

    where: str  # observations.count, project.title
    rows: int  # in which the column differs; 1 for a property
    before: str  # the first of them
    after: str


def differences(before: Path, after: Path) -> list[Difference]:
    """All differences between two packages in folders. Rows are compared by their ids, in any order."""
    found = [each for table, key in KEYS.items() for each in _of_table(before, after, table, key)]
    old, new = (json.loads((folder / "datapackage.json").read_text("utf-8")) for folder in (before, after))
    return [*found, *_of_values("", old, new)]


def _of_table(before: Path, after: Path, table: str, key: str) -> Iterator[Difference]:
    old, new = ({row[key]: row for row in _rows(folder / f"{table}.csv")} for folder in (before, after))
    for ids, missing in ((old.keys() - new.keys(), True), (new.keys() - old.keys(), False)):
        if ids:
            first = min(ids)
            yield Difference(
                where=f"{table}: rows",
                rows=len(ids),
                before=first if missing else "",
                after="" if missing else first,
            )
    columns = dict.fromkeys(column for rows in (old, new) for row in rows.values() for column in row)
    for column in columns:
        pairs = [(old[id_].get(column, ""), new[id_].get(column, "")) for id_ in old if id_ in new]
        unequal = [pair for pair in pairs if pair[0] != pair[1]]
        if unequal:
            yield Difference(
                where=f"{table}.{column}", rows=len(unequal), before=unequal[0][0], after=unequal[0][1]
            )


def _of_values(where: str, old: Any, new: Any) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*old, *new]):
            yield from _of_values(f"{where}.{name}".lstrip("."), old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _of_values(f"{where}[{number}]", one, other)
    elif old != new:
        yield Difference(where=where, rows=1, before=_short(old), after=_short(new))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _short(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)[:80]


if __name__ == "__main__":
    for difference in differences(*map(Path, sys.argv[1:3])):
        print(f"{difference.where}\t{difference.rows}\t{difference.before}\t{difference.after}")
