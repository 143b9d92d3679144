"""Audit crops: drawn at random, shown without an answer, never learned from, and what they then tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline import heads
from pipeline.cli import wildloop
from pipeline.exporters.source import Basis
from pipeline.jobs.enqueue import is_due
from pipeline.records import ModelRecord, PredictionRecord, ProjectRecord, Verdict
from pipeline.steps.datasets.export import StoreExport
from pipeline.steps.learning.accept import accept
from pipeline.steps.learning.activate import activate
from pipeline.steps.learning.audit import draw, judge
from pipeline.steps.learning.cold_start import cold_start
from pipeline.steps.learning.train import train
from pipeline.store import acceptances, audits, candidates, oracle, predictions, projects
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.labelled_workspace import (
    PROJECT,
    detection,
    forest,
    label,
    make_workspace,
    populate,
)

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store


@pytest.fixture
def pool(database: Database) -> Database:
    populate(database, 400)
    return database


def number(detection_id: str) -> int:
    return int(detection_id[1:])


def project(database: Database) -> ProjectRecord:
    with database.read() as conn:
        return projects.get(conn, PROJECT)


def queue(database: Database) -> list[PredictionRecord]:
    version = project(database).current_model
    assert version is not None
    with database.read() as conn:
        return predictions.queue(conn, version)


def sample(database: Database) -> audits.AuditSample:
    with database.read() as conn:
        return audits.sample(conn, PROJECT)


def trained(database: Database, data_dir: Path, top_k: int = 100) -> ModelRecord:
    record = train(make_workspace(database, data_dir, top_k=top_k), PROJECT)
    assert record is not None
    return record


def label_queue(database: Database, count: int) -> None:
    """People label the first crops of the queue."""
    label(database, [number(one.detection_id) for one in queue(database)[:count]])


def test_every_tenth_crop_of_the_first_queue_is_an_audit_crop(pool: Database, tmp_path: Path) -> None:
    cold_start(make_workspace(pool, tmp_path, top_k=100), PROJECT)
    drawn = sample(pool).waiting
    assert len(drawn) == 10
    assert {one.rank for one in queue(pool) if one.detection_id in drawn} == set(range(9, 100, 10))


def test_audit_crops_come_without_an_answer_and_no_version_learns_from_them(
    pool: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[int] = []
    fit = heads.fit

    def spy(examples: heads.Examples, *, embedder: str, seed: int) -> heads.Fitted:
        learned.append(len(examples.labels))
        return fit(examples, embedder=embedder, seed=seed)

    monkeypatch.setattr(heads, "fit", spy)
    cold_start(make_workspace(pool, tmp_path, top_k=100), PROJECT)
    label_queue(pool, 40)
    record = trained(pool, tmp_path)
    assert learned == [36]
    assert (record.labels, record.metrics["labels_known"]) == (36, 40)
    assert len(sample(pool).labelled) == 4
    drawn = sample(pool).waiting
    assert len(drawn) == 10  # as many as the new queue has room for
    assert all(one.category_id is None for one in queue(pool) if one.detection_id in drawn)
    told = [one for one in queue(pool) if one.detection_id not in drawn]
    assert all((one.category_id is None) == one.novel for one in told)


def test_what_is_drawn_is_as_random_as_a_sample_can_be(pool: Database) -> None:
    """Three species and four sites in equal shares, whatever the order of the ids."""
    with pool.write() as conn:
        waiting = candidates.waiting_ids(conn)
        assert audits.draw(conn, PROJECT, waiting, 200) == 200
        assert audits.draw(conn, PROJECT, waiting, 300) == 200  # the rest
        drawn = audits.sample(conn, PROJECT).waiting
    shares = np.bincount([number(one) // 3 % 3 for one in drawn[:200]], minlength=3) / 200
    np.testing.assert_allclose(shares, 1 / 3, atol=0.1)
    assert abs(np.mean([number(one) for one in drawn[:200]]) - 199.5) < 25


def test_crops_that_are_imported_later_join_the_audit_in_their_share(pool: Database) -> None:
    with pool.write() as conn:
        audits.draw(conn, PROJECT, candidates.waiting_ids(conn), 40)
    populate(pool, 800, first=400)
    with pool.write() as conn:
        audits.draw(conn, PROJECT, candidates.waiting_ids(conn), 40)
    late = [one for one in sample(pool).waiting if number(one) >= 400]
    assert len(late) > 25  # they catch up: forty are as many as the earlier four hundred have


@pytest.mark.both_databases
def test_an_audit_crop_that_people_pass_is_replaced_and_told(pool: Database, tmp_path: Path) -> None:
    cold_start(make_workspace(pool, tmp_path, top_k=100), PROJECT)
    first = sample(pool).waiting
    label(pool, [number(first[0])], verdict=Verdict.SKIPPED)
    label(pool, [number(first[1])], verdict=Verdict.UNSURE)
    label(pool, range(20))
    trained(pool, tmp_path)
    after = sample(pool)
    assert after.unanswered == 2
    assert len(after.waiting) == 10
    assert first[0] not in {one.detection_id for one in queue(pool)}


def test_crops_that_were_asked_for_come_before_the_queue(pool: Database, tmp_path: Path) -> None:
    cold_start(make_workspace(pool, tmp_path, top_k=50), PROJECT)
    label_queue(pool, 30)
    record = trained(pool, tmp_path, top_k=50)
    assert draw(make_workspace(pool, tmp_path), PROJECT, 25) == 25
    activate(make_workspace(pool, tmp_path, top_k=50), PROJECT, record.version)
    asked = sample(pool).requested
    assert len(asked) == 25
    assert [one.detection_id for one in queue(pool)[:25]] == list(asked)
    assert all(one.category_id is None for one in queue(pool)[:25])
    assert len(queue(pool)) == 75


def audited(database: Database, data_dir: Path, size: int) -> ModelRecord:
    """A version of 60 labels, and an audit of `size` that people have labelled."""
    cold_start(make_workspace(database, data_dir, top_k=100), PROJECT)
    label_queue(database, 60)
    record = trained(database, data_dir)
    draw(make_workspace(database, data_dir), PROJECT, size)
    label(database, [number(one) for one in sample(database).requested])
    return record


def test_the_figures_are_those_of_the_audit_and_hold_the_truth(pool: Database, tmp_path: Path) -> None:
    record = audited(pool, tmp_path, 100)
    judgement = judge(make_workspace(pool, tmp_path), PROJECT)
    assert judgement is not None
    assert judgement.version == record.version
    assert judgement.labelled == 106  # six came with the queue
    assert judgement.waiting == 400 - 60 - 100
    accuracy = judgement.estimates.accuracy
    assert accuracy is not None
    assert accuracy.low > 0.8
    assert {one.name for one in judgement.estimates.classes.values()} == {"deer", "fox", "boar"}
    assert judgement.forecast is None  # one version makes no curve


def test_three_versions_make_a_forecast(pool: Database, tmp_path: Path) -> None:
    audited(pool, tmp_path, 60)
    for _ in range(2):
        label_queue(pool, 40)
        trained(pool, tmp_path)
    judgement = judge(make_workspace(pool, tmp_path), PROJECT)
    assert judgement is not None
    assert judgement.forecast is not None
    assert judgement.forecast.target == 0.95


def test_a_forecast_counts_the_audit_labels_that_came_with_the_queue_and_no_others(
    pool: Database, tmp_path: Path
) -> None:
    audited(pool, tmp_path, 60)
    label_queue(pool, 40)
    trained(pool, tmp_path)
    with pool.read() as conn:  # as if sequences had brought them along: no crop of the audit is among them
        waiting = sorted(set(candidates.waiting_ids(conn)) - audits.drawn_ids(conn, PROJECT))
    label(pool, [number(crop) for crop in waiting[:90]])
    record = trained(pool, tmp_path)
    judgement = judge(make_workspace(pool, tmp_path), PROJECT)
    assert judgement is not None
    assert judgement.forecast is not None
    with pool.read() as conn:
        every = oracle.label_count(conn)
    assert judgement.forecast.labels == every - 60
    assert judgement.forecast.labels < record.labels * 10 / 9 - 5


def test_before_the_first_head_there_is_nothing_to_judge(pool: Database, tmp_path: Path) -> None:
    cold_start(make_workspace(pool, tmp_path, top_k=100), PROJECT)
    assert judge(make_workspace(pool, tmp_path), PROJECT) is None


def answered(database: Database, data_dir: Path, threshold: float | None = None) -> set[str]:
    """Detections that an export would give the machine's answer for."""
    survey = StoreExport(make_workspace(database, data_dir), PROJECT, threshold=threshold)
    return {
        one.record.id
        for photo in survey.photographs()
        for one in photo.detections
        if one.answer.basis is Basis.MODEL
    }


@pytest.mark.both_databases
def test_accepted_answers_settle_crops_and_the_export_uses_them(pool: Database, tmp_path: Path) -> None:
    record = audited(pool, tmp_path, 150)
    report = accept(make_workspace(pool, tmp_path), PROJECT, precision=0.9, confidence=0.8)
    assert report.version == record.version
    assert report.audited == 156
    assert 0 < report.settled <= report.waiting == 190
    assert sum(group.settled for group in report.groups) == report.settled
    assert StoreExport(make_workspace(pool, tmp_path), PROJECT).accepted is not None
    assert len(answered(pool, tmp_path)) == report.settled
    explicit = StoreExport(make_workspace(pool, tmp_path), PROJECT, threshold=0.0)
    assert explicit.accepted is None


def test_crops_that_come_after_a_promise_are_not_part_of_it(pool: Database, tmp_path: Path) -> None:
    record = audited(pool, tmp_path, 150)
    accept(make_workspace(pool, tmp_path), PROJECT, precision=0.9, confidence=0.8)
    populate(pool, 460, first=400)
    later = {detection(one) for one in range(400, 460)}
    assert not answered(pool, tmp_path) & later
    activate(make_workspace(pool, tmp_path, top_k=500), PROJECT, record.version)
    drawn = set(sample(pool).waiting)
    assert later - drawn <= {one.detection_id for one in queue(pool)}


def test_labels_that_the_version_has_not_learned_make_nothing_familiar_to_it(
    pool: Database, tmp_path: Path
) -> None:
    populate(pool, 430, first=400, strange=True)
    audited(pool, tmp_path, 150)
    before = answered(pool, tmp_path, threshold=0.0)
    strange = [one for one in range(400, 430) if detection(one) not in before]
    label(pool, strange[:10])
    after = answered(pool, tmp_path, threshold=0.0)
    assert not {detection(one) for one in strange[10:]} & after


def test_novel_crops_stay_in_the_queue_however_sure_the_version_is(pool: Database, tmp_path: Path) -> None:
    record = audited(pool, tmp_path, 150)
    populate(pool, 430, first=400, strange=True)
    accept(make_workspace(pool, tmp_path), PROJECT, precision=0.9, confidence=0.8)
    activate(make_workspace(pool, tmp_path, top_k=500), PROJECT, record.version)
    queued = {one.detection_id for one in queue(pool)}
    assert {detection(one) for one in range(400, 430)} <= queued | answered(pool, tmp_path)


def test_an_acceptance_of_nothing_is_none(pool: Database, tmp_path: Path) -> None:
    record = audited(pool, tmp_path, 150)
    accept(make_workspace(pool, tmp_path), PROJECT, precision=0.9, confidence=0.8)
    accept(make_workspace(pool, tmp_path), PROJECT, precision=0.9999, confidence=0.9999)
    with pool.read() as conn:
        assert acceptances.for_version(conn, record.version) is None


def test_settled_crops_leave_the_queue(pool: Database, tmp_path: Path) -> None:
    record = audited(pool, tmp_path, 150)
    report = accept(make_workspace(pool, tmp_path), PROJECT, precision=0.9, confidence=0.8)
    activate(make_workspace(pool, tmp_path, top_k=500), PROJECT, record.version)
    assert len(queue(pool)) <= report.waiting - report.settled + len(sample(pool).waiting)
    with pool.read() as conn:
        accepted = acceptances.for_version(conn, record.version)
    assert accepted is not None
    for one in queue(pool):
        if one.category_id is not None and one.probability is not None:
            assert one.probability < accepted.thresholds.get(one.category_id, 2.0)


def test_what_too_small_an_audit_cannot_promise_is_not_settled(pool: Database, tmp_path: Path) -> None:
    audited(pool, tmp_path, 10)
    report = accept(make_workspace(pool, tmp_path), PROJECT, precision=0.95, confidence=0.9)
    assert report.settled == 0
    assert all(group.threshold is None for group in report.groups)


def test_audit_labels_alone_make_no_training_due(pool: Database, tmp_path: Path) -> None:
    workspace = make_workspace(pool, tmp_path)
    cold_start(make_workspace(pool, tmp_path, top_k=100), PROJECT)
    label_queue(pool, 40)
    trained(pool, tmp_path)
    draw(make_workspace(pool, tmp_path), PROJECT, 40)
    label(pool, [number(one) for one in sample(pool).requested])
    with pool.read() as conn:
        assert not is_due(conn, workspace, PROJECT)
    label_queue(pool, 3)
    with pool.read() as conn:
        assert is_due(conn, workspace, PROJECT)


def test_a_burst_that_answers_together_has_one_answer(pool: Database, tmp_path: Path) -> None:
    audited(pool, tmp_path, 60)
    survey = StoreExport(make_workspace(pool, tmp_path), PROJECT, threshold=0.0, pool_sequences=True)
    said: dict[int, set[str | None]] = {}
    for photo in survey.photographs():
        for one in photo.detections:
            if one.answer.basis is Basis.MODEL:
                said.setdefault(number(one.record.id) // 3, set()).add(one.answer.category)
    assert len(said) > 50
    assert all(len(names) == 1 for names in said.values())
    judgement = judge(make_workspace(pool, tmp_path), PROJECT)
    assert judgement is not None
    assert judgement.pooled.accuracy is not None
    assert judgement.estimates.accuracy is not None
    assert judgement.pooled.accuracy.value >= judgement.estimates.accuracy.value  # bursts show one species


@pytest.fixture
def typed(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Database:
    populate(sqlite_database, 400)
    monkeypatch.setattr(Workspace, "label_studio", lambda _: forest())
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    monkeypatch.delenv("REDIS_URL", raising=False)
    return sqlite_database


def say(*words: str) -> str:
    result = CliRunner().invoke(wildloop, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_audit_and_accept_as_somebody_types_them(typed: Database, tmp_path: Path) -> None:
    say("train")
    assert "No trained version yet" in say("audit")
    label_queue(typed, 60)
    say("train")
    told = say("audit", "--size", "150")
    assert "150 audit crops drawn" in told
    assert "Label Studio asks" in told
    assert "6 audit labels" in told
    label(typed, [number(one) for one in sample(typed).requested])
    told = say("audit")
    assert "156 audit labels" in told
    assert "macro recall" in told
    assert "No forecast yet" in told
    assert "deer" in told
    told = say("accept", "--precision", "0.9", "--confidence", "0.8")
    assert "unlabelled crops accepted" in told
    assert "correct in the audit" in told
    out = tmp_path / "labels.csv"
    assert "count as accepted" in say("export", "csv", str(out))
    assert "from a probability of 0.9" not in say("export", "csv", str(out), "--threshold", "0.5")


def test_novel_crops_come_early_without_an_answer_and_are_exported_without_one(
    pool: Database, tmp_path: Path
) -> None:
    label(pool, range(60))
    populate(pool, 430, first=400, strange=True)
    trained(pool, tmp_path)
    strange = {detection(one) for one in range(400, 430)}
    novel = [one for one in queue(pool) if one.novel]
    assert {one.detection_id for one in queue(pool)} & strange <= {one.detection_id for one in novel}
    assert len({one.detection_id for one in novel} - strange) <= 25  # of a queue of 100 that seeks the odd
    assert min(one.rank for one in novel if one.detection_id in strange) < 10  # 30 wait among 370
    assert all(one.category_id is None for one in novel)
    sure = answered(pool, tmp_path, threshold=0.0)
    assert not sure & strange
    assert len(sure) > 300
