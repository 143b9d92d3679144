"""`wildloop embedding finetune`: what is learned from and what is not, and when a project goes over to it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from PIL import Image

from pipeline.cli import wildloop
from pipeline.embedder_training import state, trainer
from pipeline.embedders import checkpoint, load, trained
from pipeline.errors import EmbedderError, SourceError
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.dataset_folder import Crop
from pipeline.records import Box, DetectionKind, DetectionRecord, ImageRecord, ProjectRecord, Role
from pipeline.steps.embedding import finetune as step
from pipeline.steps.embedding import target_labels
from pipeline.steps.embedding.embed import embed
from pipeline.steps.embedding.finetune import Finetuning, Judged, finetune
from pipeline.steps.embedding.train import EmbedderTraining, TrainingRequest
from pipeline.steps.learning.training_set import training_labels
from pipeline.store import audits, categories, detections, embeddings, images, projects
from pipeline.store.database import Database
from pipeline.store.schema import audit as audit_table
from pipeline.store.schema import detection as detection_table
from pipeline.store.schema import image as image_table
from pipeline.workspace import Workspace
from tests.helpers.labelled_crops import COLOURS, SMALL, network
from tests.helpers.labelled_workspace import (
    PROJECT,
    SEQUENCE,
    SPECIES,
    detection,
    forest,
    label,
    make_workspace,
    populate,
    species,
)

CROPS = 240
PLACES = 8
AUDITED = [*range(30, 36), 60]  # two bursts, and one crop of a burst whose others are learned
PRETRAINED = 24
BETTER = Comparison(
    crops=50, clusters=3, old_accuracy=0.5, new_accuracy=0.6, old_macro_f1=0.5, new_macro_f1=0.6, surer=0.95
)


def place(number: int) -> str:
    return f"site {number // SEQUENCE % PLACES}"


def furnish(database: Database, data_dir: Path) -> None:
    """Project 4 with crops at eight places, an untrained network for its embedder, and pretraining crops.

    A species is a tint of a grey that differs from crop to crop: an untrained network takes some for others.
    """
    populate(database, CROPS)
    rng = np.random.default_rng(0)
    with database.write() as conn:
        for one in range(CROPS):
            path = f"crops/{one}.png"
            colour = np.full(3, rng.uniform(60, 160))
            colour[SPECIES.index(species(one))] += 60
            draw(data_dir / path, colour, rng)
            mine = detection_table.c.id == detection(one)
            conn.execute(sa.update(detection_table).where(mine).values(crop_path=path))
            mine = image_table.c.id == f"i{one}"
            conn.execute(sa.update(image_table).where(mine).values(location=place(one)))
        audits.draw(conn, PROJECT, [detection(one) for one in AUDITED], len(AUDITED))
    pretrain(database, data_dir, rng)
    keep(data_dir, "old", seed=0)
    old = load("old", data_dir=data_dir)
    embed(make_workspace(database, data_dir), old)
    change(database, old.id)


def draw(path: Path, colour: Any, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = colour + rng.normal(scale=25, size=(40, 40, 3))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)


def pretrain(database: Database, data_dir: Path, rng: np.random.Generator) -> None:
    """Crops of two other species at three places of their own, labelled by a source."""
    names = ["frog", "jay"]
    numbers = range(PRETRAINED)
    with database.write() as conn:
        ids = categories.ensure(conn, names)
        images.add(
            conn,
            [
                ImageRecord(
                    id=f"p{one}", file_name=f"p{one}.jpg", path=f"p{one}.jpg", role=Role.PRETRAINING,
                    location=f"elsewhere {one % 3}",
                )
                for one in numbers
            ],
        )  # fmt: skip
        detections.add(
            conn,
            [
                DetectionRecord(
                    id=f"p{one}", image_id=f"p{one}", box=Box(x1=0.1, y1=0.1, x2=0.5, y2=0.5),
                    bbox_confidence=0.95, detector="test", kind=DetectionKind.USER,
                    category_id=ids[names[one // 3 % 2]], crop_path=f"pretraining/{one}.png",
                )
                for one in numbers
            ],
        )  # fmt: skip
    for one in numbers:
        draw(data_dir / f"pretraining/{one}.png", np.array(COLOURS[names[one // 3 % 2]]), rng)


def keep(data_dir: Path, name: str, *, seed: int, **training: Any) -> None:
    """An untrained network as an embedder that was trained here."""
    recipe = replace(SMALL, seed=seed)
    checkpoint.save(
        data_dir / "embedders" / name, name=recipe.backbone, model=network(recipe),
        preprocessing=recipe.preprocessing, training={"recipe": recipe.manifest(), **training},
    )  # fmt: skip


def change(database: Database, embedder: str) -> None:
    with database.write() as conn:
        projects.change_embedder(conn, PROJECT, former=project(database).embedder, new=embedder)


def project(database: Database) -> ProjectRecord:
    with database.read() as conn:
        return projects.get(conn, PROJECT)


@pytest.fixture(autouse=True)
def _without_exports(monkeypatch: pytest.MonkeyPatch) -> None:
    """An export to ONNX takes seconds, which so few crops do not bring back."""
    monkeypatch.setattr("pipeline.embedders.network.WORTH_EXPORTING", 1_000_000)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a furnished project_database on SQLite."""
    folder = tmp_path_factory.mktemp("template")
    database = Database(f"sqlite:///{folder / 'wildloop.db'}")
    database.migrate()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pipeline.embedders.network.WORTH_EXPORTING", 1_000_000)
        furnish(database, folder)
    database.dispose()
    return folder


@pytest.fixture
def project_database(template: Path, tmp_path: Path) -> Iterator[Database]:
    """The same project_database, of this test alone, in its `tmp_path`."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    database = Database(f"sqlite:///{tmp_path / 'wildloop.db'}")
    yield database
    database.dispose()


class Teacher:
    """Stands in for `train_embedder`: notes what it would learn, and leaves an untrained network."""

    def __init__(self) -> None:
        self.crops: list[list[Crop]] = []
        self.starts: list[str] = []

    def __call__(self, data_dir: Path, name: str, request: TrainingRequest, **_: Any) -> EmbedderTraining:
        self.crops.append(list(request.crops))
        self.starts.append(request.start)
        description = {"data": {"crops": len(request.crops)}, **request.about}
        keep(data_dir, name, seed=1, **description)
        folder = data_dir / "embedders" / name
        return EmbedderTraining(name=name, folder=folder, existed=False, description=description, broken={})

    def learned(self, at: int = -1) -> set[str]:
        """File names of one training."""
        return {crop.file_name for crop in self.crops[at]}

    def places(self, at: int = -1) -> set[str | None]:
        return {crop.location for crop in self.crops[at] if crop.file_name.startswith("crops/")}


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Teacher:
    made = Teacher()
    monkeypatch.setattr(step, "train_embedder", made)
    return made


def run(database: Database, data_dir: Path, name: str = "new", **options: Any) -> Finetuning:
    return finetune(make_workspace(database, data_dir), PROJECT, name, **options)


def file(number: int) -> str:
    return f"crops/{number}.png"


def files(numbers: Iterable[int]) -> set[str]:
    return {file(one) for one in numbers}


@pytest.mark.usefixtures("teacher")
def test_too_few_labels_are_told_with_how_many_it_takes(project_database: Database, tmp_path: Path) -> None:
    label(project_database, range(150))
    with pytest.raises(
        EmbedderError, match=r"project 4 has \d+ labels of 3 species .* \d+ at other.*needs 200"
    ):
        run(project_database, tmp_path)
    assert trained.names(tmp_path) == ["old"]


@pytest.mark.usefixtures("teacher")
def test_labels_of_one_place_cannot_be_judged(project_database: Database, tmp_path: Path) -> None:
    with project_database.write() as conn:
        conn.execute(sa.update(image_table).values(location="the only one"))
    label(project_database, range(CROPS))
    with pytest.raises(EmbedderError, match=r"has 0 labels of 0 species.*two places"):
        run(project_database, tmp_path)


@pytest.mark.usefixtures("teacher")
def test_an_embedder_that_was_not_trained_here_is_to_be_replaced_first(
    project_database: Database, tmp_path: Path
) -> None:
    label(project_database, range(CROPS))
    descriptor = load("descriptor", data_dir=tmp_path)
    with project_database.write() as conn:
        embeddings.register(conn, descriptor)
    change(project_database, descriptor.id)
    with pytest.raises(EmbedderError, match=r"was not trained here.*`wildloop embedding train`, then"):
        run(project_database, tmp_path)


def test_held_out_places_are_judged_by_and_neither_they_nor_the_audit_are_learned(
    database: Database, tmp_path: Path, teacher: Teacher
) -> None:
    furnish(database, tmp_path)
    label(database, range(220))
    found = run(database, tmp_path)
    known = teacher.places()
    assert 0 < len(known) < PLACES
    learned = [one for one in range(220) if place(one) in known and one not in AUDITED]
    pretraining = {f"pretraining/{one}.png" for one in range(PRETRAINED)}
    assert teacher.learned() == files(learned) | pretraining
    assert {crop.species for crop in teacher.crops[0]} == {*SPECIES, "frog", "jay"}
    assert teacher.starts == ["old"]
    assert found.training.description["target"] == {"project": PROJECT, "labels": len(learned)}
    assert found.judged is not None
    judged = [one for one in range(220) if place(one) not in known and one not in AUDITED]
    assert any(place(one) not in known for one in AUDITED)
    assert found.judged.comparison.crops == len(judged)
    assert found.judged.comparison.clusters == len({place(one) for one in judged})
    assert found.judged.by == "location"
    assert project(database).embedder == found.former == load("old", data_dir=tmp_path).id


def test_what_any_project_audits_is_not_learned(
    project_database: Database, tmp_path: Path, teacher: Teacher
) -> None:
    label(project_database, range(CROPS))
    run(project_database, tmp_path)
    chosen = next(one for one in range(CROPS) if file(one) in teacher.learned())
    with project_database.write() as conn:
        projects.save(conn, ProjectRecord(id=9, title="Other", embedder=project(project_database).embedder))
        audits.draw(conn, 9, [detection(chosen)], 1)
    run(project_database, tmp_path, "newer")
    assert teacher.learned(0) - teacher.learned(1) == files([chosen])


def test_the_same_places_are_held_out_of_the_next_finetuning(
    project_database: Database, tmp_path: Path, teacher: Teacher
) -> None:
    label(project_database, range(210))
    run(project_database, tmp_path)
    label(project_database, range(210, CROPS))
    run(project_database, tmp_path, "newer")
    assert len(teacher.crops[1]) > len(teacher.crops[0])
    assert teacher.places(0) == teacher.places(1)


@pytest.mark.parametrize("order", range(10))
def test_a_place_that_was_learned_from_is_never_held_out_later(order: int) -> None:
    places = [f"at site {one}" for one in np.random.default_rng(order).permutation(20)]
    learned: set[str] = set()
    for count in range(1, 21):
        held = target_labels.held_out(set(places[:count]))
        assert held
        assert not held & learned
        learned |= set(places[:count]) - held
    assert 1 <= len(held) <= 10


def test_without_a_pretraining_pool_the_labels_alone_are_learned(
    project_database: Database, tmp_path: Path, teacher: Teacher
) -> None:
    with project_database.write() as conn:
        conn.execute(sa.update(detection_table).where(detection_table.c.id.like("p%")).values(kind=0))
    label(project_database, range(CROPS))
    run(project_database, tmp_path)
    assert {crop.species for crop in teacher.crops[0]} == set(SPECIES)


def test_where_all_that_is_judged_is_of_one_place_its_bursts_are_drawn(
    project_database: Database, tmp_path: Path, teacher: Teacher
) -> None:
    # A place that is always drawn decides by itself: there would be no doubt at all.
    western = [f"i{one}" for one in range(CROPS) if one // SEQUENCE % 2]
    with project_database.write() as conn:
        conn.execute(sa.delete(audit_table))
        conn.execute(sa.update(image_table).values(location="east"))
        conn.execute(sa.update(image_table).where(image_table.c.id.in_(western)).values(location="west"))
    label(project_database, range(CROPS))
    found = run(project_database, tmp_path)
    assert len(teacher.places()) == 1
    assert found.judged is not None
    assert found.judged.by == "sequence"
    assert found.judged.comparison.clusters * SEQUENCE == found.judged.comparison.crops


def test_a_killed_run_goes_on_with_the_crops_that_it_began_with(
    project_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(project_database, range(210))
    write = state.write

    def dying(folder: Path, saved: dict[str, Any]) -> None:
        write(folder, saved)
        if saved["step"] == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "SAVE_SECONDS", 0)
        patched.setattr(state, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            run(project_database, tmp_path, epochs=1, workers=0)
    with project_database.read() as conn:
        learnable = training_labels(conn, PROJECT)
    label(project_database, range(210, CROPS))
    with project_database.write() as conn:
        other = ProjectRecord(id=9, title="Other", embedder=project(project_database).embedder)
        projects.save(conn, other)
    with pytest.raises(EmbedderError, match=r"is a training for project 4, which is not finished"):
        finetune(make_workspace(project_database, tmp_path), other.id, "new", epochs=1, workers=0)
    found = run(project_database, tmp_path, epochs=1, workers=0)
    told = found.training.description
    held = target_labels.held_out({f"at {place(one)}" for one in range(CROPS)})
    expected = [one for one in learnable if f"at {place(int(one[1:]))}" not in held]
    assert told["target"]["labels"] == len(expected)
    assert told["data"]["crops"] == len(expected) + PRETRAINED
    assert not (tmp_path / "trainings" / "new").exists()
    assert found.judged is not None
    assert not found.training.existed


def test_a_training_that_could_not_begin_takes_the_labels_of_the_next_try(
    project_database: Database, tmp_path: Path, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(project_database, range(210))

    def refuse(*_: Any, **__: Any) -> None:
        raise SourceError("too few of the species are left to learn")

    with monkeypatch.context() as patched:
        patched.setattr(step, "train_embedder", refuse)
        with pytest.raises(SourceError):
            run(project_database, tmp_path)
    label(project_database, range(210, CROPS))
    run(project_database, tmp_path)
    assert any(int(Path(one).stem) >= 210 for one in teacher.learned())


def test_a_finished_name_is_judged_again_and_trained_no_more(
    project_database: Database, tmp_path: Path, teacher: Teacher
) -> None:
    label(project_database, range(210))
    first = run(project_database, tmp_path)
    label(project_database, range(210, CROPS))
    left = tmp_path / "trainings" / "new"  # of a run that was killed when all was done but this
    left.mkdir(exist_ok=True, parents=True)
    again = run(project_database, tmp_path)
    assert len(teacher.crops) == 1
    assert not left.exists()
    assert (first.training.existed, again.training.existed) == (False, True)
    assert again.training.description["target"] == first.training.description["target"]
    assert first.judged is not None
    assert again.judged is not None
    assert again.judged.comparison.crops > first.judged.comparison.crops


@pytest.mark.usefixtures("teacher")
def test_a_name_of_another_embedder_is_refused(project_database: Database, tmp_path: Path) -> None:
    label(project_database, range(CROPS))
    run(project_database, tmp_path)
    with project_database.write() as conn:
        other = ProjectRecord(id=9, title="Other", embedder=project(project_database).embedder)
        projects.save(conn, other)
    with pytest.raises(EmbedderError, match=r"new was not finetuned for project 9.*another --name"):
        finetune(make_workspace(project_database, tmp_path), other.id, "new")
    with pytest.raises(EmbedderError, match="old was not finetuned for project 4"):
        run(project_database, tmp_path, "old")


def test_it_is_compared_with_what_the_project_works_with_when_the_training_ends(
    project_database: Database, tmp_path: Path, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(project_database, range(CROPS))
    descriptor = load("descriptor", data_dir=tmp_path)

    def slow(*args: Any, **options: Any) -> EmbedderTraining:
        embed(make_workspace(project_database, tmp_path), descriptor)
        change(project_database, descriptor.id)
        return teacher(*args, **options)

    monkeypatch.setattr(step, "train_embedder", slow)
    assert run(project_database, tmp_path).former == descriptor.id


@pytest.mark.usefixtures("teacher")
def test_crops_that_cannot_be_read_any_more_are_judged_by_neither(
    project_database: Database, tmp_path: Path
) -> None:
    label(project_database, range(CROPS))
    whole = run(project_database, tmp_path).judged
    held = target_labels.held_out({f"at {place(one)}" for one in range(CROPS)})
    judged = next(one for one in range(CROPS) if f"at {place(one)}" in held and one not in AUDITED)
    (tmp_path / file(judged)).unlink()
    less = run(project_database, tmp_path).judged
    assert whole is not None
    assert less is not None
    assert less.comparison.crops == whole.comparison.crops - 1
    shutil.rmtree(tmp_path / "crops")
    with pytest.raises(EmbedderError, match="can be read"):
        run(project_database, tmp_path)


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({}, True),
        ({"surer": 0.9, "new_accuracy": 0.5}, True),
        ({"surer": 0.89}, False),
        ({"new_accuracy": 0.49}, False),
        ({"surer": 1.0, "clusters": 1}, False),
    ],
)
def test_it_is_better_where_the_draws_are_sure_and_no_accuracy_is_lost(
    figures: dict[str, float], expected: bool
) -> None:
    training = EmbedderTraining(name="new", folder=Path(), existed=False, description={}, broken={})
    judged = Judged(comparison=replace(BETTER, **figures), by="location")  # type: ignore[arg-type]
    assert Finetuning(training=training, former="old", judged=judged).is_better is expected
    assert not Finetuning(training=training, former="new", judged=None).is_better


class Commands:
    """The command line on a project_database, and the Label Studio that takes its queue."""

    def __init__(self) -> None:
        self.server = forest()

    def __call__(self, *words: str) -> str:
        result = CliRunner().invoke(wildloop, ["embedding", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout if "--json" in words else result.output


@pytest.fixture
def say(project_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    made = Commands()
    monkeypatch.setattr(Workspace, "label_studio", lambda _: made.server)
    monkeypatch.setenv(
        "WILDLOOP_DATABASE_URL", project_database.engine.url.render_as_string(hide_password=False)
    )
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    monkeypatch.delenv("REDIS_URL", raising=False)
    return made


@pytest.mark.usefixtures("teacher")
def test_a_project_stays_with_its_embedder_where_the_new_one_is_not_surely_better(
    project_database: Database, say: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(project_database, range(CROPS))
    monkeypatch.setattr(step, "compare", lambda *_: replace(BETTER, surer=0.7))
    before = project(project_database)
    told = say("finetune", "--name", "new")
    assert "compared on 50 labelled crops from 3 locations" in told
    assert "macro-F1 is higher in 70% of bootstrap samples of locations" in told
    assert f"not reliably better: the project stays with {before.embedder}" in told
    assert "to switch anyway, run `wildloop embedding use new`" in told
    assert project(project_database) == before
    assert say.server.model_version == ""


def test_a_project_goes_over_to_an_embedder_that_learned_its_species_and_can_go_back(
    project_database: Database, tmp_path: Path, say: Commands
) -> None:
    """Nothing stands in for anything here but Label Studio."""
    label(project_database, range(CROPS - 12))
    words = ("finetune", "--name", "new", "--epochs", "4", "--rate", "0.003", "--workers", "0")
    old = project(project_database).embedder
    told = say(*words)
    assert "new is trained on " in told
    now = project(project_database)
    new = load("new", data_dir=tmp_path).id
    assert now.embedder == new != old, told
    assert f"uses {new} instead of {old}" in told
    assert now.current_model is not None
    assert say.server.model_version == now.current_model
    assert say.server.queue()
    assert "project 4 already uses it; nothing changed" in say(*words)
    assert project(project_database) == now
    assert f"uses {old} instead of {new}" in say("use", "old")
    back = project(project_database)
    assert back.embedder == old
    assert say.server.model_version == back.current_model != now.current_model
    again = say(*words)
    assert "new was trained before on " in again
    report = json.loads(say(*words, "--json"))
    assert report.keys() == {"training", "former", "judged", "is_better", "change"}
    assert project(project_database) == now
