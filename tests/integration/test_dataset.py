"""`wildloop dataset make`: labelled crops to folders by class, split by location, resumable."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from importers.sources.crop_folder import import_crops
from pipeline.cli import wildloop
from pipeline.errors import ExportError, FileError
from pipeline.exporters.classification import crop_name, folder_names
from pipeline.records import Box, DetectionKind, DetectionRecord, ImageRecord, Role
from pipeline.render.datasets import dataset_report
from pipeline.steps.datasets import dataset
from pipeline.steps.datasets.dataset import DatasetReport, Selection
from pipeline.store import categories, detections, images
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

pytestmark = pytest.mark.one_database  # rules: what is stored is the concern of tests of the store

NOON = dt.datetime(2024, 5, 1, 12)
SPECIES = ("red fox", "roe deer", "wild boar")


class Workspace:
    """A store and its data folder, filled crop by crop."""

    def __init__(self, database: Database, place: Path) -> None:
        self.database = database
        self.data_dir = place / "data"
        self.out = place / "out"
        with database.write() as conn:
            self.numbers = categories.ensure(conn, [*SPECIES, "a/b: c?"])

    def photograph(self, name: str, *species: str | None, **fields: Any) -> list[str]:
        """A photograph with a crop for each of `species`; returns the ids of the detections."""
        confidence = fields.pop("confidence", 0.95)
        kind = fields.pop("kind", DetectionKind.USER)
        cut = fields.pop("cut", True)
        given = {"role": Role.PRETRAINING, "location": "A", "datetime": NOON, "width": 160, "height": 120}
        key = fields.pop("id", name)
        image = ImageRecord(id=key, file_name=name, path=f"/{key}", **{**given, **fields})
        records = []
        for number, one in enumerate(species):
            id_ = f"{key.replace('/', '-')}-{number}"
            if cut:
                put(self.data_dir / "crops" / f"{id_}.jpg", encoded(scene(64, 48, seed=len(key) + number)))
            records.append(
                DetectionRecord(
                    id=id_,
                    image_id=key,
                    box=Box(x1=0.1, y1=0.1, x2=0.2 + 0.1 * number, y2=0.5),
                    bbox_confidence=confidence,
                    detector="md",
                    crop_path=f"crops/{id_}.jpg" if cut else None,
                    kind=kind if one is not None else DetectionKind.ACTIVE,
                    category_id=None if one is None else self.numbers[one],
                )
            )
        with self.database.write() as conn:
            images.add(conn, [image])
            detections.add(conn, records)
        return [record.id for record in records]

    def survey(self, places: int = 5, each: int = 4) -> None:
        for place in range(places):
            for number in range(each):
                self.photograph(
                    f"{place}/IMG_{number}.JPG",
                    SPECIES[number % 2],
                    location=f"camera {place}",
                    seq_id=f"seq {place}",
                    frame_num=number,
                    seq_num_frames=each,
                    source_id=f"cct-{place}-{number}",
                )

    def make(self, **selection: Any) -> DatasetReport:
        return dataset.make(make_workspace(self.database, self.data_dir), self.out, Selection(**selection))

    def files(self) -> set[str]:
        return {path.relative_to(self.out).as_posix() for path in self.out.rglob("*") if path.is_file()}

    def read(self, split: str) -> dict[str, Any]:
        whole: dict[str, Any] = json.loads((self.out / f"{split}.json").read_text())
        return whole

    def listed(self) -> set[str]:
        return {one["file_name"] for split in ("train", "test") for one in self.read(split)["images"]}


@pytest.fixture
def workspace(database: Database, tmp_path: Path) -> Workspace:
    return Workspace(database, tmp_path)


@pytest.fixture
def small(sqlite_database: Database, tmp_path: Path) -> Workspace:
    return Workspace(sqlite_database, tmp_path)


@pytest.mark.both_databases
def test_crops_lie_by_class_under_the_names_of_their_photographs(workspace: Workspace) -> None:
    workspace.survey()
    report = workspace.make()
    crops = {f"{SPECIES[n % 2]}/{place}/IMG_{n}.JPG" for place in range(5) for n in range(4)}
    assert workspace.files() == {"train.json", "test.json"} | crops
    assert workspace.listed() == crops
    assert report.crops == {
        ("red fox", "train"): 8,
        ("red fox", "test"): 2,
        ("roe deer", "train"): 8,
        ("roe deer", "test"): 2,
    }
    assert report.places == {"train": 4, "test": 1}


@pytest.mark.both_databases
def test_both_files_are_coco_camera_traps_and_share_no_location(workspace: Workspace) -> None:
    workspace.survey()
    workspace.make()
    train, test = workspace.read("train"), workspace.read("test")
    assert train["categories"] == test["categories"]
    assert train["categories"] == [
        {"id": 0, "name": "empty"},
        {"id": 1, "name": "red fox"},
        {"id": 2, "name": "roe deer"},
    ]
    for whole in (train, test):
        assert isinstance(whole["info"]["version"], str)
        assert isinstance(whole["info"]["description"], str)
        ids = [one["id"] for one in whole["images"]]
        assert len({one["id"] for one in whole["annotations"]}) == len(set(ids)) == len(ids)
        assert [one["image_id"] for one in whole["annotations"]] == ids
        assert {one["category_id"] for one in whole["annotations"]} == {1, 2}
        assert len({one["file_name"] for one in whole["images"]}) == len(ids)
    places = [{one["location"] for one in whole["images"]} for whole in (train, test)]
    assert not places[0] & places[1]
    first = next(one for one in (*train["images"], *test["images"]) if one["original_key"] == "cct-2-3")
    assert first == {
        "id": "2-IMG_3.JPG-0",
        "file_name": "roe deer/2/IMG_3.JPG",
        "width": 64,
        "height": 48,
        "original_key": "cct-2-3",
        "location": "camera 2",
        "datetime": "2024-05-01 12:00:00",
        "seq_id": "seq 2",
        "frame_num": 3,
        "seq_num_frames": 4,
    }


def test_a_second_run_copies_nothing_and_gives_the_same_bytes(workspace: Workspace) -> None:
    workspace.survey()
    first = workspace.make()
    before = {name: (workspace.out / name).read_bytes() for name in workspace.files()}
    times = {name: (workspace.out / name).stat().st_mtime_ns for name in workspace.listed()}
    second = workspace.make()
    assert (first.copied, second.copied) == (20, 0)
    assert {name: (workspace.out / name).read_bytes() for name in workspace.files()} == before
    assert {name: (workspace.out / name).stat().st_mtime_ns for name in workspace.listed()} == times


def test_a_run_that_was_stopped_goes_on_where_it_was(
    small: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.survey()
    replace = Path.replace
    done: list[Path] = []

    def stop_after_seven(draft: Path, target: Path) -> Path:
        if len(done) == 7:
            raise KeyboardInterrupt
        done.append(target)
        return replace(draft, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stop_after_seven)
        with pytest.raises(KeyboardInterrupt):
            small.make()
    assert len(small.files()) == 7  # neither file of the splits, no draft
    torn = small.out / "red fox" / "0" / "IMG_0.JPG"
    torn.write_bytes(torn.read_bytes()[:-5])
    assert small.make().copied == 14
    assert torn.read_bytes() == (small.data_dir / "crops" / "0-IMG_0.JPG-0.jpg").read_bytes()


def test_several_crops_of_a_photograph_are_told_apart(small: Workspace) -> None:
    small.survey(places=1)
    first, second, unsure = small.photograph("x.JPG", "red fox", "red fox", None, location="B")
    small.make()
    assert {f"red fox/x_{first}.JPG", f"red fox/x_{second}.JPG"} <= small.files()
    assert not any(unsure in name for name in small.files())


def test_photographs_of_one_name_from_several_imports_do_not_collide(small: Workspace) -> None:
    small.survey(places=1)
    ids = [small.photograph("same.JPG", "red fox", location=f"B{n}", id=f"same {n}")[0] for n in range(2)]
    small.make()
    assert {f"red fox/same_{one}.JPG" for one in ids} <= small.listed()
    assert "red fox/same.JPG" not in small.files()


def test_photographs_of_several_species_are_left_out_and_counted(workspace: Workspace) -> None:
    workspace.survey()
    workspace.photograph("both.JPG", "red fox", "roe deer")
    workspace.photograph("blank box.JPG", "red fox", "empty")
    report = workspace.make()
    assert report.several_species == 1
    assert not any("both" in name for name in workspace.files())
    assert sum("blank box" in name for name in workspace.listed()) == 2
    assert "1  photograph of several species left out" in dataset_report(report)


def test_only_sure_boxes_and_those_by_people_are_taken(workspace: Workspace) -> None:
    workspace.survey()
    workspace.photograph("low.JPG", "red fox", confidence=0.9)
    workspace.photograph("drawn.JPG", "red fox", confidence=None)
    report = workspace.make()
    assert report.low_confidence == 1
    assert {"red fox/drawn.JPG"} <= workspace.files()
    assert not {"red fox/low.JPG"} & workspace.files()
    assert workspace.make(confidence=0.5).low_confidence == 0


def test_labels_of_machines_and_the_other_pool_come_on_request(workspace: Workspace) -> None:
    workspace.survey()
    workspace.photograph("weak.JPG", "red fox", kind=DetectionKind.MODEL)
    workspace.photograph("target.JPG", "red fox", role=Role.TARGET)
    workspace.photograph("active.JPG", None)
    assert sum(workspace.make().crops.values()) == 20
    assert sum(workspace.make(weak=True).crops.values()) == 21
    assert sum(workspace.make(roles=tuple(Role)).crops.values()) == 21


def test_crops_that_are_missing_or_broken_are_counted_with_the_remedy(small: Workspace) -> None:
    small.survey()
    small.photograph("uncut.JPG", "red fox", cut=False)
    (gone,) = small.photograph("gone.JPG", "red fox")
    (small.data_dir / "crops" / f"{gone}.jpg").unlink()
    (broken,) = small.photograph("broken.JPG", "red fox")
    put(small.data_dir / "crops" / f"{broken}.jpg", b"no picture")
    report = small.make()
    assert (report.missing, len(report.broken)) == (2, 1)
    assert "2  crops missing: import their photographs again, without --rows-only" in dataset_report(report)
    assert sum(report.crops.values()) == len(small.listed()) == 20


def test_one_location_cannot_be_split(workspace: Workspace) -> None:
    workspace.survey(places=1)
    with pytest.raises(ExportError, match=r"all 4 crops come from one location \(camera 0\)"):
        workspace.make()
    assert workspace.files() == set()


def test_photographs_without_a_location_are_grouped_by_sequence_else_alone(small: Workspace) -> None:
    for number in range(6):
        small.photograph(f"{number}.JPG", "red fox", location=None, seq_id=f"s{number // 3}", frame_num=0)
    report = small.make(test_fraction=0.5)
    assert report.places == {"train": 1, "test": 1}
    small.photograph("alone.JPG", "red fox", location=None)
    assert sum(small.make().places.values()) == 3
    assert all("location" not in one for one in small.read("train")["images"])


def test_an_empty_pool_says_what_there_is(small: Workspace) -> None:
    small.photograph("low.JPG", "red fox", confidence=0.3)
    with pytest.raises(ExportError, match=r"no labelled crop .* pretraining: 1 boxes are not above 0\.9"):
        small.make()


def test_classes_of_one_split_are_warned_of(small: Workspace) -> None:
    small.survey()
    small.photograph("boar.JPG", "wild boar", location="camera 0")
    (name, _), *others = small.make().one_sided
    assert (name, others) == ("wild boar", [])


def test_photographs_of_an_older_dataset_are_told_not_removed(small: Workspace) -> None:
    small.survey()
    put(small.out / "red fox" / "old.JPG", b"x")
    report = small.make()
    assert report.unlisted == 1
    assert (small.out / "red fox" / "old.JPG").exists()


def test_a_class_that_no_folder_can_be_called_is_still_itself_in_the_files(small: Workspace) -> None:
    small.survey()
    small.photograph("odd.JPG", "a/b: c?", location="camera 1")
    small.make()
    assert "a_b_ c_/odd.JPG" in small.files()
    assert "a/b: c?" in [one["name"] for one in small.read("train")["categories"]]


def test_a_photograph_that_is_no_jpeg_gets_the_ending_of_its_crop(small: Workspace) -> None:
    small.survey()
    small.photograph("x.png", "red fox")
    small.make()
    assert "red fox/x.png.jpg" in small.files()


def test_a_disk_that_refuses_ends_with_what_and_where(small: Workspace) -> None:
    small.survey()
    small.out.mkdir()
    put(small.out / "red fox", b"a file where the folder should be")
    with pytest.raises(FileError, match="cannot be written"):
        small.make()
    assert not (small.out / "train.json").exists()


def test_what_was_made_can_be_imported(small: Workspace, tmp_path: Path) -> None:
    small.survey()
    small.make()
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.migrate()
    report = import_crops(make_workspace(other, tmp_path / "other"), small.out)
    assert (report.photographs, report.labels, report.refused) == (20, 20, {})
    other.dispose()


def test_the_command_prints_a_table_of_classes_by_split(
    small: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.survey()
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(small.data_dir))
    monkeypatch.setenv("WILDLOOP_DATABASE_URL", str(small.database.engine.url))
    result = CliRunner().invoke(wildloop, ["dataset", "make", str(small.out)])
    assert result.exit_code == 0, result.output
    table = [line.split() for line in result.output.splitlines()]
    assert ["class", "train", "test"] in table
    assert ["red", "fox", "8", "2"] in table
    assert ["all", "crops", "16", "4"] in table


# Names


@given(st.lists(st.text(min_size=1, max_size=20), max_size=8))
def test_every_class_has_a_folder_of_its_own(names: list[str]) -> None:
    folders = folder_names(names)
    assert len({one.casefold() for one in folders.values()}) == len(set(names))
    for folder in folders.values():
        assert folder not in ("", ".", "..")
        assert not set(folder) & set('<>:"/\\|?*\0')
        assert not folder.endswith((".", " "))


@given(st.text(max_size=30), st.none() | st.just("d1"))
def test_no_name_of_a_photograph_leads_out_of_its_folder(name: str, detection: str | None) -> None:
    made = crop_name(name, detection)
    assert ".." not in made.split("/")
    assert not os.path.isabs(made)  # noqa: PTH117 - a text, no path yet
    assert made.lower().endswith((".jpg", ".jpeg", ".jpe", ".jfif"))
    assert detection is None or detection in made
