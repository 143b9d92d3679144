"""What is known of categories as taxa: scientific names, ranks, ids.

Two categories of one taxon are one category: names that a species list gives to a choice, and categories of
imports whose scientific name is that of a choice, are merged into the choice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from pipeline.records import Taxon, category_name
from pipeline.store import acceptances, categories, oracle, predictions, projects
from pipeline.store.database import insert_new
from pipeline.store.schema import taxon

_FIELDS = tuple(field.name for field in fields(Taxon) if field.name != "category")


def save(conn: sa.Connection, taxa: Iterable[Taxon]) -> dict[str, str]:
    """Store the taxa; their categories are created if needed.

    What is missing in a taxon keeps its stored value. What the manager's species list said (`source` is
    None) is changed by another species list alone. A category of an import that has the scientific name of
    a choice is merged into the choice. Returns the names that count as another category now, each with it.
    """
    before = categories.names(conn)
    _write(conn, taxa)
    _unite(conn)
    return _follow(conn, before)


def save_list(
    conn: sa.Connection, choices: Sequence[str], taxa: Iterable[Taxon], other_names: Mapping[str, str]
) -> dict[str, str]:
    """Store what a species list says: its choices as categories, their taxa, and their other names.

    `other_names` is the choice of each. Labels follow: those that came in under another name count as the
    choice. A choice that was merged into another category stays a name of that one. Returns the names that
    count as another category now, each with it.
    """
    before = categories.names(conn)
    numbers = categories.ensure(conn, choices)
    names, resolved = categories.names(conn), categories.numbers(conn)
    others: dict[int, set[str]] = {}
    for other, choice in other_names.items():
        target = numbers[category_name(choice)]
        if resolved.get(other) != target:
            others.setdefault(target, set()).add(other)
    for target, given in others.items():
        categories.merge(conn, given, names[target])
    _write(conn, taxa)
    _unite(conn, choices)
    return _follow(conn, before)


def all(conn: sa.Connection) -> dict[int, Taxon]:
    """Every taxon by the number of its category.

    What is known of a merged category completes what is known of the category that it was merged into, if
    it is another name of the same taxon: not if several were merged that have different scientific names, or
    one whose `parent` is the category that it was merged into.
    """
    names, resolved = categories.names(conn), categories.numbers(conn)
    stored = _stored(conn)
    rows = {number: row for number, row in stored.items() if number == resolved[names[number]]}
    merged: dict[int, list[Mapping[Any, Any]]] = defaultdict(list)
    for number, row in stored.items():
        if number not in rows and category_name(row["parent"] or "") != names[number]:
            merged[resolved[names[number]]].append(row)
    for target, others in merged.items():
        own = _key(rows[target]) if target in rows else ""
        same = [row for row in others if _key(row) == own] if own else others
        if len(set(map(_key, same))) == 1:
            for row in same:
                rows[target] = _merged(row, rows[target], newer=False) if target in rows else row
    return {
        number: Taxon(category=names[number], **{name: _filled(name, row[name]) for name in _FIELDS})
        for number, row in sorted(rows.items())
    }


def _merged(new: Mapping[Any, Any], old: Mapping[Any, Any], *, newer: bool = True) -> dict[str, Any]:
    """Both rows in one: the species list's values first, then those of `new`, or of `old` if not `newer`."""
    is_list, was_list = new["source"] is None, old["source"] is None
    is_first = is_list if is_list != was_list else newer
    first, then = (new, old) if is_first else (old, new)
    merged = {name: then[name] if first[name] in (None, {}) else first[name] for name in _FIELDS}
    return merged | {"source": first["source"]}


def _write(conn: sa.Connection, taxa: Iterable[Taxon]) -> None:
    by_name = {category_name(record.category): record for record in taxa}
    categories.ensure(conn, by_name)
    rows = {
        number: _row(by_name[name]) for number, name in categories.own_names(conn).items() if name in by_name
    }
    stored = _stored(conn)
    insert_new(
        conn, taxon, [{"category_id": number, **row} for number, row in rows.items() if number not in stored]
    )
    for number in rows.keys() & stored.keys():
        merged = _merged(rows[number], stored[number])
        conn.execute(sa.update(taxon).where(taxon.c.category_id == number).values(merged))


def _unite(conn: sa.Connection, choices: Sequence[str] = ()) -> None:
    """Merge categories into the choice of a species list that has their scientific name.

    These are categories of imports, and with `choices`, which are those of the newest list, also former
    choices. What a project offers stays a category of its own.
    """
    own, names, numbers = categories.own_names(conn), categories.names(conn), categories.numbers(conn)
    words = [*choices, *(word for record in projects.all(conn) for word in record.choices or ())]
    offered = {names[numbers[name]] for name in map(category_name, words) if name in numbers}
    rows = [(own[number], row) for number, row in _stored(conn).items() if own[number] == names[number]]
    rows.sort(key=lambda item: item[0] in offered)
    listed = {name: name for name in offered}  # a choice may be the scientific name itself
    listed |= {_key(row): name for name, row in rows if row["source"] is None}
    former: dict[str, set[str]] = {}
    for name, row in rows:
        choice = listed.get(_key(row)) if _key(row) else None
        if choice not in (None, name) and name not in offered and (choices or row["source"] is not None):
            former.setdefault(choice, set()).add(name)
    for choice, others in former.items():
        categories.merge(conn, others, choice)


def _follow(conn: sa.Connection, before: Mapping[int, str]) -> dict[str, str]:
    """Let everything follow that rests on categories that count as another than `before`.

    These are current labels, acceptances, and the queues in Label Studio, which wait for the next push.
    Returns what each of these categories counts as.
    """
    changed = {
        number: name for number, name in categories.names(conn).items() if before.get(number, name) != name
    }
    if changed:
        numbers = categories.numbers(conn)
        # The probabilities of several categories are added up: no guarantee covers that.
        acceptances.withdraw(conn, {*changed, *(numbers[name] for name in changed.values())})
        oracle.update_labels(conn, oracle.labelled_as(conn, changed))
        for record in projects.all(conn):
            if record.current_model is not None:
                predictions.unpush(conn, record.current_model)
    own = categories.own_names(conn)
    return {own[number]: name for number, name in changed.items()}


def _key(row: Mapping[Any, Any]) -> str:
    return category_name(row["scientific_name"] or "")


def _stored(conn: sa.Connection) -> dict[int, Mapping[Any, Any]]:
    return {row["category_id"]: row for row in conn.execute(sa.select(taxon)).mappings()}


def _row(record: Taxon) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in _FIELDS}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in row.items()}


def _filled(name: str, value: Any) -> Any:
    return {} if value is None and name in ("vernacular_names", "lineage", "details") else value
