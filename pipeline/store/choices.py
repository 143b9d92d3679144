"""What the annotators of a project can choose, as its label config was last seen.

Whoever reads the label config passes its choices to `see`; whoever predicts asks `offered`. Words are
compared as categories are: a choice "Moose" offers the category "moose", and one with the name of a merged
category offers what that was merged into.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.store import categories, oracle, predictions
from pipeline.store.schema import oracle as oracle_rows
from pipeline.store.schema import project
from pipeline.vocabulary import category_of


@dataclass(frozen=True, kw_only=True)
class Change:
    """How the choices of a project differ from those that were seen before."""

    added: Sequence[str]
    removed: Sequence[str]


def see(conn: sa.Connection, project_id: int, words: Sequence[str]) -> Change | None:
    """Store the choices of the project's label config; returns the change, None if there is none.

    If that changes a suggestion of the current version, its queue waits to be pushed again.
    """
    row = conn.execute(sa.select(project).where(project.c.id == project_id)).one()
    if row.choices == list(words):
        return None
    categories.ensure(conn, filter(None, map(category_of, words)))
    before = offered(conn, project_id)
    conn.execute(sa.update(project).where(project.c.id == project_id).values(choices=list(words)))
    after, numbers = offered(conn, project_id), categories.resolved(conn)
    if row.current_model is not None and any(
        before.get(numbers[category]) != after.get(numbers[category])
        for category in predictions.category_ids(conn, row.current_model)
    ):
        predictions.unpush(conn, row.current_model)
    former = row.choices or []
    if row.choices is None or set(former) == set(words):  # seen for the first time, or in another order
        return None
    return Change(
        added=[word for word in words if word not in former],
        removed=[word for word in former if word not in words],
    )


def offered(conn: sa.Connection, project_id: int) -> dict[int, str]:
    """The categories that can be chosen in the project: by number, the word of the choice.

    Every category under its own name, if no label config was seen yet.
    """
    words = conn.execute(sa.select(project.c.choices).where(project.c.id == project_id)).scalar_one_or_none()
    if words is None:
        return categories.names(conn)
    return resolve(categories.numbers(conn), words)


def resolve(numbers: Mapping[str, int], words: Sequence[str]) -> dict[int, str]:
    """The word of each category that `words` offer, by number; `numbers` are those of every name.

    Of two words for one category the first counts. A word that is no category yet has no number.
    """
    found: dict[int, str] = {}
    for word in words:
        name = category_of(word)
        if name is not None and name in numbers:
            found.setdefault(numbers[name], word)
    return found


def doubled(conn: sa.Connection, project_id: int) -> dict[str, list[str]]:
    """Categories for which the project offers several choices, each with these.

    A merge in another project, whose categories are the same, leaves such choices.
    """
    words = conn.execute(sa.select(project.c.choices).where(project.c.id == project_id)).scalar_one() or ()
    names, numbers = categories.names(conn), categories.numbers(conn)
    by_category: dict[str, list[str]] = defaultdict(list)
    for word in words:
        name = category_of(word)
        if name is not None and name in numbers:
            by_category[names[numbers[name]]].append(word)
    return {name: offers for name, offers in by_category.items() if len(offers) > 1}


def remedy(names: Iterable[str]) -> str:
    """How to let annotators choose these species."""
    listed = " ".join(f'"{name}"' for name in names)
    return (
        f"offer them with `wildloop project species add {listed}`, or make one part of a species that is "
        "offered: `wildloop project species merge NAME --into SPECIES`"
    )


def unoffered(conn: sa.Connection, project_id: int) -> dict[str, int]:
    """The categories of labels that count in the project and that it does not offer: labels by name.

    Versions learn them, but cannot suggest them to anybody. Most labels first.
    """
    offers, names = offered(conn, project_id), categories.names(conn)
    counts = oracle.label_counts(conn)
    missing = {names[number]: count for number, count in counts.items() if number not in offers}
    return dict(sorted(missing.items(), key=lambda item: (-item[1], item[0])))


def proposed(conn: sa.Connection, project_id: int) -> dict[str, int]:
    """Those of `unoffered` whose names annotators typed, because they are not in the list."""
    attributes = oracle_rows.c.attributes
    typed = (
        sa.select(attributes["proposed"].as_string())
        .where(
            oracle_rows.c.project_id == project_id,
            attributes.is_not(None),  # there is an index of these
            sa.cast(attributes, sa.Text).contains('"proposed": '),
        )
        .distinct()
    )
    names, numbers = categories.names(conn), categories.numbers(conn)
    known = {names[numbers[name]] for name in conn.scalars(typed) if name in numbers}
    return {name: count for name, count in unoffered(conn, project_id).items() if name in known}
