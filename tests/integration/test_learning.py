"""From labels to a version with its queue, on both databases: whole or not at all, and back again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline import heads, version_files
from pipeline.errors import ModelError, StoreError
from pipeline.records import ModelRecord, PredictionRecord, Verdict, utc_now
from pipeline.steps.labelling.stock import top_up
from pipeline.steps.learning.activate import activate
from pipeline.steps.learning.cold_start import cold_start
from pipeline.steps.learning.schedule import new_labels_wanted, queue_length, unlearned
from pipeline.steps.learning.train import train
from pipeline.store import candidates, choices, models, predictions, projects, schema, tasks
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import (
    PROJECT,
    detection,
    forest,
    label,
    make_workspace,
    populate,
    species,
)

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store


@pytest.fixture
def pool(database: Database) -> Database:
    populate(database)
    return database


def current(database: Database) -> str | None:
    with database.read() as conn:
        return projects.get(conn, PROJECT).current_model


def queue(database: Database) -> list[PredictionRecord]:
    version = current(database)
    assert version is not None
    with database.read() as conn:
        return predictions.queue(conn, version)


def trained(database: Database, data_dir: Path, top_k: int = 20) -> ModelRecord:
    record = train(make_workspace(database, data_dir, top_k=top_k, retrain_every=1), PROJECT)
    assert record is not None
    return record


def versions(database: Database) -> list[str]:
    with database.read() as conn:
        return [one.version for one in models.all(conn, PROJECT)]


def test_before_any_label_the_queue_covers_the_pool(pool: Database, tmp_path: Path) -> None:
    record = cold_start(make_workspace(pool, tmp_path, top_k=30, retrain_every=1), PROJECT)
    assert record.version.startswith("v0-")
    assert current(pool) == record.version
    first = [one.detection_id for one in queue(pool)][:3]
    assert {species(int(one[1:])) for one in first} == {"deer", "fox", "boar"}
    assert [one.rank for one in queue(pool)] == list(range(30))
    assert all(one.category_id is None for one in queue(pool))


def test_the_same_pool_gives_the_same_order_and_no_second_version(pool: Database, tmp_path: Path) -> None:
    first = cold_start(make_workspace(pool, tmp_path, top_k=30, retrain_every=1), PROJECT)
    assert cold_start(make_workspace(pool, tmp_path, top_k=30, retrain_every=1), PROJECT) == first
    populate(pool, 150, first=120)
    assert (
        cold_start(make_workspace(pool, tmp_path, top_k=30, retrain_every=1), PROJECT).version
        != first.version
    )


def test_a_pool_without_an_embedded_crop_is_told_what_to_do(database: Database, tmp_path: Path) -> None:
    populate(database, 3)
    with database.write() as conn:
        conn.execute(sa.delete(schema.embedding))
    with pytest.raises(ModelError, match="wildloop embed"):
        cold_start(make_workspace(database, tmp_path, top_k=30, retrain_every=1), PROJECT)


def test_where_nothing_waits_the_queue_is_empty(database: Database, tmp_path: Path) -> None:
    populate(database, 3)
    label(database, range(3))
    cold_start(make_workspace(database, tmp_path, top_k=30, retrain_every=1), PROJECT)
    assert queue(database) == []


def test_without_labels_there_is_nothing_to_train(pool: Database, tmp_path: Path) -> None:
    assert train(make_workspace(pool, tmp_path, top_k=20, retrain_every=1), PROJECT) is None
    assert current(pool) is None


@pytest.mark.both_databases
def test_training_makes_a_version_its_figures_and_its_queue(pool: Database, tmp_path: Path) -> None:
    label(pool, range(30))
    record = trained(pool, tmp_path)
    assert record.version == f"v1-{record.digest[:8]}"
    assert record.labels == 30
    assert record.metrics["held_out_by"] == "location"
    assert record.metrics["groups"] == 4
    assert record.metrics["accuracy"] > 0.9
    assert set(record.metrics["classes"]) == {"deer", "fox", "boar"}
    assert current(pool) == record.version
    waiting = queue(pool)
    assert len(waiting) == 20
    assert [one.score for one in waiting] == sorted(one.score for one in waiting)
    assert all(0 <= one.score < 1 for one in waiting)
    assert not {one.detection_id for one in waiting} & {detection(one) for one in range(30)}
    assert version_files.load_head(tmp_path, record).embedder == record.embedder


def test_words_that_name_no_species_are_no_classes_even_in_stores_of_earlier_versions(
    pool: Database, tmp_path: Path
) -> None:
    label(pool, range(30))
    with pool.write() as conn:
        for species_name, word in (("fox", "blank"), ("boar", "unidentifiable")):
            renamed = sa.update(schema.category).where(schema.category.c.name == species_name)
            conn.execute(renamed.values(name=word))
    record = trained(pool, tmp_path)
    assert set(record.metrics["classes"]) == {"deer", "empty"}
    assert record.labels == sum(species(number) != "boar" for number in range(30))


def test_people_are_a_class_only_where_they_are_a_choice(pool: Database, tmp_path: Path) -> None:
    label(pool, range(30))
    with pool.write() as conn:
        renamed = sa.update(schema.category).where(schema.category.c.name == "boar")
        conn.execute(renamed.values(name="human"))
        choices.see(conn, PROJECT, ["Deer", "empty"])
    assert set(trained(pool, tmp_path).metrics["classes"]) == {"deer", "fox"}  # fox is another species
    with pool.write() as conn:
        choices.see(conn, PROJECT, ["Deer", "Human", "empty"])
    assert set(trained(pool, tmp_path).metrics["classes"]) == {"deer", "fox", "human"}


def test_the_top_of_the_queue_holds_one_crop_of_a_burst(pool: Database, tmp_path: Path) -> None:
    label(pool, range(30))
    trained(pool, tmp_path)
    bursts = [int(one.detection_id[1:]) // 3 for one in queue(pool) if one.category_id is not None]
    assert len(bursts) == 18  # the others are audit crops, which fall where they fall
    assert len(set(bursts)) == len(bursts)  # 30 bursts wait for 20 places


def test_what_people_are_unsure_of_leaves_the_queue(pool: Database, tmp_path: Path) -> None:
    label(pool, range(30))
    trained(pool, tmp_path)
    doubtful = int(queue(pool)[0].detection_id[1:])
    label(pool, [doubtful], verdict=Verdict.UNSURE)
    trained(pool, tmp_path)
    assert detection(doubtful) not in {one.detection_id for one in queue(pool)}


def test_the_same_labels_give_no_second_version_and_nothing_to_push(pool: Database, tmp_path: Path) -> None:
    label(pool, range(30))
    record = trained(pool, tmp_path)
    with pool.write() as conn:
        predictions.mark_pushed(conn, record.version, [one.detection_id for one in queue(pool)])
    assert trained(pool, tmp_path) == record
    assert versions(pool) == [record.version]
    with pool.read() as conn:
        assert predictions.unpushed(conn, record.version) == []


def test_new_crops_join_the_queue_of_the_same_version(pool: Database, tmp_path: Path) -> None:
    label(pool, range(30))
    record = trained(pool, tmp_path, top_k=500)
    populate(pool, 150, first=120)
    assert trained(pool, tmp_path, top_k=500).version == record.version
    assert len(queue(pool)) == 120


def test_more_labels_give_the_next_version(pool: Database, tmp_path: Path) -> None:
    cold_start(make_workspace(pool, tmp_path, top_k=20, retrain_every=1), PROJECT)
    label(pool, range(30))
    first = trained(pool, tmp_path)
    label(pool, range(30, 60))
    second = trained(pool, tmp_path)
    assert [one.partition("-")[0] for one in versions(pool)] == ["v0", "v1", "v2"]
    assert second.parent == first.version


@pytest.mark.parametrize("numbers", [[0], [0, 1, 2], [0, 3], [0, 1, 3]])
def test_a_label_or_two_are_enough_to_begin(pool: Database, tmp_path: Path, numbers: list[int]) -> None:
    label(pool, numbers)
    record = trained(pool, tmp_path)
    assert record.labels == len(numbers)
    assert len(queue(pool)) == 20
    told = [one.probability for one in queue(pool) if one.probability is not None]
    assert len(told) == 18  # audit crops are shown without an answer
    assert all(0 < one < 1 for one in told)


def test_when_everything_is_labelled_the_queue_is_empty(pool: Database, tmp_path: Path) -> None:
    label(pool, range(120))
    trained(pool, tmp_path)
    assert queue(pool) == []


@pytest.mark.both_databases
def test_a_failure_in_the_middle_of_an_activation_leaves_the_old_version_current(
    pool: Database, tmp_path: Path
) -> None:
    label(pool, range(30))
    old = trained(pool, tmp_path)
    before = queue(pool)
    new = ModelRecord(
        version="v2-ffffffff",
        project_id=PROJECT,
        embedder="made-up",
        digest="f" * 24,
        labels=31,
        path=None,
        created_at=utc_now(),
    )
    place: dict[str, Any] = {"category_id": None, "probability": None}
    broken = [
        PredictionRecord(detection_id=detection(40), rank=0, score=0.0, **place),
        PredictionRecord(detection_id="no such detection", rank=1, score=0.5, **place),
    ]
    with pytest.raises(sa.exc.IntegrityError), pool.write() as conn:
        models.activate(conn, new, broken)
    assert current(pool) == old.version
    assert queue(pool) == before
    assert versions(pool) == [old.version]


@pytest.mark.both_databases
def test_a_project_that_is_not_there_cannot_be_activated_for(pool: Database) -> None:
    with pool.read() as conn, pytest.raises(StoreError, match="no model version 'v9-x'"):
        models.get(conn, "v9-x")


@pytest.mark.both_databases
def test_rolling_back_refills_and_pushes_the_older_version(pool: Database, tmp_path: Path) -> None:
    server = forest()
    label(pool, range(30))
    first = trained(pool, tmp_path)
    top_up(make_workspace(pool, tmp_path), server, PROJECT)
    assert server.model_version == first.version
    label(pool, [int(one.detection_id[1:]) for one in queue(pool)])
    second = trained(pool, tmp_path)
    top_up(make_workspace(pool, tmp_path), server, PROJECT)
    assert server.model_version == second.version
    back = activate(make_workspace(pool, tmp_path, top_k=20, retrain_every=1), PROJECT, first.version)
    assert back == first
    assert current(pool) == first.version
    waiting = [one.detection_id for one in queue(pool)]
    with pool.read() as conn:
        assert [one.detection_id for one in predictions.unpushed(conn, first.version)] == waiting
        assert set(waiting) <= set(candidates.waiting_ids(conn))
    top_up(make_workspace(pool, tmp_path), server, PROJECT)
    assert server.model_version == first.version
    with pool.read() as conn:
        asked = [task for task in tasks.open_tasks(conn, PROJECT) if task.model_version == first.version]
    assert set(waiting) <= {crop for task in asked for crop in task.detections}
    assert versions(pool) == [first.version, second.version]


def test_rolling_back_does_not_make_the_next_training_due_at_once(pool: Database, tmp_path: Path) -> None:
    label(pool, range(30))
    first = trained(pool, tmp_path)
    label(pool, range(30, 60))
    trained(pool, tmp_path)
    activate(make_workspace(pool, tmp_path, top_k=20, retrain_every=1), PROJECT, first.version)
    with pool.read() as conn:
        assert unlearned(conn, PROJECT, 20).missing == 20


@pytest.mark.both_databases
def test_corrected_labels_count_towards_the_next_training_and_confirmed_ones_do_not(
    pool: Database, tmp_path: Path
) -> None:
    label(pool, range(28))
    trained(pool, tmp_path)
    with pool.read() as conn:
        assert unlearned(conn, PROJECT, 20).missing == 20
    label(pool, range(15), day=1, wrong=True)
    label(pool, range(20, 28), day=1)  # the same species again
    with pool.read() as conn:
        found = unlearned(conn, PROJECT, 20)
        assert (found.labels, found.missing, found.is_enough) == (15, 5, False)
    label(pool, range(15, 24), day=2, wrong=True)
    with pool.read() as conn:
        found = unlearned(conn, PROJECT, 20)
        assert (found.labels, found.missing, found.is_enough) == (24, 0, True)


def test_labels_that_are_as_they_were_long_ago_are_trained_once(pool: Database, tmp_path: Path) -> None:
    label(pool, range(28))
    first = trained(pool, tmp_path)
    label(pool, range(24), day=1, wrong=True)
    assert trained(pool, tmp_path).version != first.version
    label(pool, range(24), day=2)
    with pool.read() as conn:
        assert unlearned(conn, PROJECT, 20).is_enough
    assert trained(pool, tmp_path).version == first.version
    with pool.read() as conn:
        assert not unlearned(conn, PROJECT, 20).is_enough


def test_an_older_version_whose_files_are_damaged_is_not_activated(pool: Database, tmp_path: Path) -> None:
    label(pool, range(30))
    first = trained(pool, tmp_path)
    label(pool, range(30, 60))
    second = trained(pool, tmp_path)
    (tmp_path / str(first.path) / "head.npz").write_bytes(b"PK")
    with pytest.raises(ModelError, match="changed after it was saved"):
        activate(make_workspace(pool, tmp_path, top_k=20, retrain_every=1), PROJECT, first.version)
    assert current(pool) == second.version


def test_training_again_makes_lost_files_again(pool: Database, tmp_path: Path) -> None:
    label(pool, range(30))
    record = trained(pool, tmp_path)
    (tmp_path / str(record.path) / "head.npz").unlink()
    assert trained(pool, tmp_path) == record
    assert version_files.load_head(tmp_path, record).classes == [1, 2, 3]


def test_a_training_that_is_cut_short_after_its_files_were_written_ends_as_one_version(
    pool: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(pool, range(30))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.steps.learning.train.activate_version", killed)
        with pytest.raises(KeyboardInterrupt):
            train(make_workspace(pool, tmp_path, top_k=20, retrain_every=1), PROJECT)
    assert current(pool) is None
    record = trained(pool, tmp_path)
    assert versions(pool) == [record.version]
    assert len(list((tmp_path / "models" / str(PROJECT)).iterdir())) == 1


def test_the_head_sees_the_names_and_groups_of_the_store(
    pool: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[heads.Examples] = []
    fit = heads.fit

    def spy(examples: heads.Examples, *, embedder: str, seed: int) -> heads.Fitted:
        seen.append(examples)
        return fit(examples, embedder=embedder, seed=seed)

    monkeypatch.setattr(heads, "fit", spy)
    label(pool, [0, 1, 5])
    trained(pool, tmp_path)
    assert seen[0].sequences == ["sequence 0", "sequence 0", "sequence 1"]
    assert seen[0].locations == ["site 0", "site 0", "site 1"]
    assert [seen[0].names[one] for one in seen[0].labels] == ["deer", "deer", "fox"]


@pytest.mark.parametrize(
    ("known", "wanted"), [(0, 20), (20, 20), (100, 20), (101, 21), (200, 40), (1000, 200)]
)
def test_the_gap_between_trainings_grows_with_the_labels(known: int, wanted: int) -> None:
    assert new_labels_wanted(known, 20) == wanted


def test_the_queue_outlasts_the_labels_until_the_next_training() -> None:
    assert queue_length(40, top_k=100, retrain_every=20) == 100
    assert queue_length(1000, top_k=100, retrain_every=20) == 400
