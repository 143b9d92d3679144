"""What annotators ask of others, on both databases: an expert's eye, and species for the list."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from pipeline.records import AnnotationRecord, ProjectRecord, Verdict, Way, utc_now
from pipeline.store import categories, choices, oracle, requests
from pipeline.store.database import Database
from tests.helpers.annotations import record
from tests.helpers.stored import publish_tasks

PROJECT = 4
NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def store(database: Database) -> Database:
    """Four crops of a project that offers deer and fox."""
    project = ProjectRecord(id=PROJECT, title="Forest", embedder="descriptor")
    publish_tasks(database, project, {number: f"d{number}" for number in range(1, 5)})
    with database.write() as conn:
        choices.see(conn, PROJECT, ["Deer", "fox", "empty", "unsure"])
    return database


def says(
    store: Database,
    species: str | Verdict,
    *,
    of: str = "d1",
    by: str = "ann",
    at: int = 0,
    way: Way = Way.SINGLE,
    truth: bool = False,
    project: int = PROJECT,
    **attributes: Any,
) -> AnnotationRecord:
    """An annotation, which is recorded."""
    with store.write() as conn:
        number = None if isinstance(species, Verdict) else categories.ensure(conn, [species])[species]
    annotation = AnnotationRecord(
        project_id=project,
        detection_id=of,
        annotation_uid=f"{by} {of} {at}",
        annotation_id=1,
        task_id=1,
        verdict=species if isinstance(species, Verdict) else Verdict.LABEL,
        label=number,
        annotator=by,
        annotated_at=NOON + dt.timedelta(minutes=at),
        ground_truth=truth,
        way=way,
        attributes=attributes or None,
    )
    record(store, [annotation])
    return annotation


def waiting(store: Database) -> list[str]:
    with store.read() as conn:
        return [request.detection_id for request in requests.for_experts(conn, PROJECT)]


def test_crops_wait_for_an_expert_longest_first(store: Database) -> None:
    says(store, "deer", of="d2", at=5, expert=True, comment="a fawn?")
    says(store, Verdict.SKIPPED, of="d1", at=3, expert=True)
    says(store, "deer", of="d3", comment='say "expert": true')
    says(store, "deer", of="d4", expert=True, project=PROJECT + 1)
    with store.read() as conn:
        found = requests.for_experts(conn, PROJECT)
    assert [(request.detection_id, request.annotator, request.comment) for request in found] == [
        ("d1", "ann", None),
        ("d2", "ann", "a fawn?"),
    ]


@pytest.mark.parametrize(
    ("answer", "still"),
    [
        ({"species": "fox", "by": "bob", "at": 5}, False),
        ({"species": Verdict.UNSURE, "by": "bob", "at": 5}, False),
        ({"species": Verdict.SKIPPED, "by": "bob", "at": 5}, True),
        ({"species": "fox", "by": "bob", "at": 1}, True),
        ({"species": "fox", "by": "bob", "at": 5, "way": Way.BOARD}, True),
        ({"species": "fox", "by": "bob", "at": 5, "expert": True}, True),
        ({"species": "fox", "by": "bob", "at": 1, "truth": True}, False),
    ],
)
def test_an_expert_is_asked_until_somebody_decides_alone(
    store: Database, answer: dict[str, Any], still: bool
) -> None:
    says(store, "deer", at=3, expert=True)
    says(store, **answer)
    assert waiting(store) == (["d1"] if still else [])


def test_a_request_that_is_taken_back_waits_no_more(store: Database) -> None:
    asked = says(store, "deer", at=3, expert=True)
    record(store, [replace(asked, verdict=Verdict.DELETED, label=None, annotated_at=utc_now())])
    assert waiting(store) == []


def test_typed_names_are_proposals_until_the_project_offers_them(store: Database) -> None:
    says(store, "kinkajou", of="d1", at=2, proposed="kinkajou")
    says(store, "kinkajou", of="d2", at=1, by="bob", proposed="kinkajou")
    says(store, "olingo", of="d3", proposed="olingo")
    gone = says(store, "olinguito", of="d4", by="bob", proposed="olinguito")
    record(store, [replace(gone, verdict=Verdict.DELETED, label=None, annotated_at=utc_now())])
    says(store, "lynx", of="d4", comment='"proposed": "lynx"')
    with store.read() as conn:
        assert choices.proposed(conn, PROJECT) == {"kinkajou": 2, "olingo": 1}
        assert choices.proposed(conn, PROJECT + 1) == {}
    with store.write() as conn:
        categories.merge(conn, ["olingo"], "deer")
        oracle.update_labels(conn, ["d3"])
        choices.see(conn, PROJECT, ["Deer", "fox", "Kinkajou", "empty", "unsure"])
    with store.read() as conn:
        assert choices.proposed(conn, PROJECT) == {}
