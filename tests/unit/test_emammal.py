"""Deployments of eMammal from zips and folders, whole, half unpacked, broken and hostile."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.sources import emammal
from importers.sources.emammal import archives
from importers.sources.emammal.manifest import Frame, Header, category, in_order, parse_time, sequences
from pipeline.errors import SourceError, WildloopError
from pipeline.records import Level
from pipeline.store import deployments, schema
from pipeline.store.database import Database
from pipeline.vocabulary import kind_of
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene

NAME = "deployment_manifest.xml"


def image(number: int, name: str, *, order: str = "", taken: str = "") -> str:
    return (
        f"<Image><ImageId>{number}</ImageId><ImageFileName>{name}</ImageFileName>"
        f"<ImageOrder>{order}</ImageOrder><ImageDateTime>{taken}</ImageDateTime></Image>"
    )


def sequence(id_: str, species: Iterable[str], images: Iterable[str]) -> str:
    named = "".join(
        f"<Identification><SpeciesCommonName>{one}</SpeciesCommonName></Identification>" for one in species
    )
    return (
        f"<ImageSequence><ImageSequenceId>{id_}</ImageSequenceId>"
        f"<ResearcherIdentifications>{named}</ResearcherIdentifications>{''.join(images)}</ImageSequence>"
    )


def manifest(
    deployment: str, sequences: Iterable[str], *, project: str = "7", site: str = "Oak ridge"
) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<CameraTrapDeployment><ProjectId>{project}</ProjectId>'
        f"<CameraDeploymentID>{deployment}</CameraDeploymentID><CameraSiteName>{site}</CameraSiteName>"
        f"{''.join(sequences)}</CameraTrapDeployment>"
    )


def files(
    deployment: str, *, site: str = "Oak ridge", species: Sequence[str] = ("Red Fox",)
) -> dict[str, bytes]:
    """A deployment of one sequence of two photographs."""
    images = [
        image(1, f"d{deployment}i1.JPG", order="1", taken="2014-05-01T12:00:00"),
        image(2, f"d{deployment}i2.JPG", order="2", taken="2014-05-01T12:00:02"),
    ]
    text = manifest(deployment, [sequence("s1", species, images)], site=site)
    return {
        NAME: text.encode(),
        f"d{deployment}i1.JPG": encoded(scene(seed=10 * int(deployment))),
        f"d{deployment}i2.JPG": encoded(scene(seed=10 * int(deployment) + 1)),
    }


def folder(path: Path, contents: dict[str, bytes]) -> Path:
    for name, data in contents.items():
        put(path / name, data)
    return path


def zipped(path: Path, contents: dict[str, bytes], *, form: int = zipfile.ZIP_DEFLATED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", form) as target:
        for name, data in contents.items():
            target.writestr(name, data)
    return path


def read(*sources: Path, unpack_to: Path | None = None) -> tuple[list[SourceImage], ImportReport]:
    report = ImportReport(source="test")
    places = emammal.unpacked(sources, report, unpack_to=unpack_to)
    found = emammal.checked(places, report)
    return [entry for one in found for entry in emammal.source_images(one, report)], report


def written(tmp_path: Path, text: str) -> Path:
    return put(tmp_path / "dep" / NAME, text.encode())


# What a manifest says


def test_everything_that_a_manifest_says_of_a_photograph_is_kept(tmp_path: Path) -> None:
    folder(tmp_path / "d1", files("11", species=("Red Fox", "red  fox", "White-tailed Deer")))
    first, second = read(tmp_path)[0]
    assert first.file_name == "d1/d11i1.JPG"
    assert first.path == str(tmp_path / "d1" / "d11i1.JPG")
    assert first.source_id == "datasetemammal.project7.deployment11.seqs1.img1"
    assert first.location == "Oak ridge"
    assert first.deployment_id == "project7.deployment11"
    assert first.seq_id == "project7.deployment11.seqs1"
    assert (first.frame_num, first.seq_num_frames) == (0, 2)
    assert (second.frame_num, second.seq_num_frames) == (1, 2)
    assert first.datetime == dt.datetime(2014, 5, 1, 12)
    assert [label.category for label in first.labels] == ["red fox", "white-tailed deer"]
    assert {label.level for label in first.labels} == {Level.SEQUENCE}
    assert {label.source for label in first.labels} == {"emammal:project7"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2014-05-01T12:00:03", dt.datetime(2014, 5, 1, 12, 0, 3)),
        ("2014-05-01 12:00:03", dt.datetime(2014, 5, 1, 12, 0, 3)),
        ("5/1/2014 12:00", dt.datetime(2014, 5, 1, 12, 0)),
        ("1899-12-31 23:59:59", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_time_comes_in_three_spellings(text: str, expected: dt.datetime | None) -> None:
    assert parse_time(text) == expected


def test_a_time_that_cannot_be_read_is_counted_and_costs_no_photograph(tmp_path: Path) -> None:
    images = [image(1, "i1.JPG", taken="32/13/2014 99:00"), image(2, "i2.JPG", taken="")]
    written(tmp_path, manifest("1", [sequence("s", ["Bobcat"], images)]))
    entries, report = read(tmp_path)
    assert [entry.datetime for entry in entries] == [None, None]
    assert report.notes[Note.UNREADABLE_TIMES] == 1


@pytest.mark.parametrize(
    "tag", ["Camera Trapper", "Human, non-staff", "human non staff", "Homo  sapiens", "Person"]
)
def test_tags_of_people_mean_human(tag: str) -> None:
    assert category(tag) == "human"


@pytest.mark.parametrize("tag", ["Vehicle", "Bicycle"])
def test_tags_of_vehicles_keep_their_name_as_in_every_source(tag: str) -> None:
    assert category(tag) == tag.lower()
    assert kind_of(category(tag)) == "vehicle"


def test_a_tag_without_a_species_says_that_an_animal_was_seen(tmp_path: Path) -> None:
    written(tmp_path, manifest("1", [sequence("s", ["Unknown Animal"], [image(1, "i1.JPG")])]))
    (label,) = read(tmp_path)[0][0].labels
    assert (label.category, label.details) == (None, {"observationType": "animal"})


@pytest.mark.parametrize(
    "tag", ["No Animal", "no  animal", "Time Lapse", "Camera Misfire", "False trigger", "Blank"]
)
def test_tags_of_blanks_mean_empty(tag: str) -> None:
    assert category(tag) == "empty"


def test_several_tags_of_people_are_one_label(tmp_path: Path) -> None:
    tags = ["Camera Trapper", "Setup Pickup", "Calibration Photos"]
    written(tmp_path, manifest("1", [sequence("s", tags, [image(1, "i1.JPG")])]))
    assert [label.category for label in read(tmp_path)[0][0].labels] == ["human"]


def test_frames_follow_image_order_else_the_number_in_the_name() -> None:
    frames = [
        Frame(file_name="none.JPG"),
        Frame(file_name="d1s2i10.JPG"),
        Frame(file_name="d1s2i9.JPG", order=""),
        Frame(file_name="x.JPG", order="2"),
    ]
    names = [frame.file_name for frame in in_order(frames)]
    assert names == ["x.JPG", "d1s2i9.JPG", "d1s2i10.JPG", "none.JPG"]


def test_sequences_of_two_deployments_never_share_an_id(tmp_path: Path) -> None:
    folder(tmp_path / "a", files("1"))
    folder(tmp_path / "b", files("2"))
    assert len({entry.seq_id for entry in read(tmp_path)[0]}) == 2


def test_a_photograph_named_in_other_capitals_is_found(tmp_path: Path) -> None:
    written(tmp_path, manifest("1", [sequence("s", [], [image(1, "A_I1.JPG")])]))
    put(tmp_path / "dep" / "a_i1.jpg", b"x")
    assert read(tmp_path)[0][0].file_name == "dep/a_i1.jpg"


def test_a_photograph_outside_its_deployment_is_a_failure_and_never_read(tmp_path: Path) -> None:
    images = [image(1, "../other/i1.JPG"), image(2, "/etc/passwd"), image(3, "C:\\i3.JPG")]
    written(tmp_path, manifest("1", [sequence("s", [], images)]))
    assert [entry.failure and entry.failure[0] for entry in read(tmp_path)[0]] == ["outside"] * 3


def test_records_without_id_or_name_cost_themselves_alone(tmp_path: Path) -> None:
    images = [image(1, "i1.JPG"), image(2, ""), image(3, "i1.JPG")]
    sequences = [
        sequence("s", ["Bobcat"], images),
        sequence("", ["Bobcat"], [image(4, "i4.JPG")]),
        sequence("s", ["Bobcat"], [image(5, "i5.JPG")]),
    ]
    written(tmp_path, manifest("1", sequences))
    put(tmp_path / "dep" / "stranger.jpg", b"x")
    entries, report = read(tmp_path)
    assert [entry.file_name for entry in entries] == ["dep/i1.JPG"]
    assert report.refused == {"images": 1, "sequences": 2}
    assert report.duplicates == 1
    assert report.notes[Note.UNLISTED_PHOTOGRAPHS] == 1


# Folders


def test_deployments_are_found_at_any_depth_beside_zips(tmp_path: Path) -> None:
    folder(tmp_path / "north" / "deep" / "d1", files("1"))
    folder(tmp_path / "d2", files("2"))
    zipped(tmp_path / "north" / "d3.zip", files("3"))
    zipped(tmp_path / "d4.zip", {f"inner/{name}": data for name, data in files("4").items()})
    folders = {entry.file_name.rpartition("/")[0] for entry in read(tmp_path)[0]}
    assert folders == {"north/deep/d1", "d2", "north/d3", "d4/inner"}


def test_a_missing_manifest_costs_that_deployment(tmp_path: Path) -> None:
    folder(tmp_path / "good", files("1"))
    put(tmp_path / "bare" / "i1.JPG", b"x")
    entries, report = read(tmp_path)
    assert len(entries) == 2
    assert report.refused == {"deployments": 1}
    assert report.examples == [("bare", f"it has photographs but no {NAME}")]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"no xml at all",
        files("2")[NAME][:-40],
        b"<a><ProjectId>1</ProjectId></a>",
        b'<?xml version="1.0" encoding="utf-77"?><a/>',
        b"<a>" * 100 + b"</a>" * 100,
    ],
)
def test_a_broken_manifest_costs_that_deployment(tmp_path: Path, broken: bytes) -> None:
    folder(tmp_path / "good", files("1"))
    put(tmp_path / "bad" / NAME, broken)
    entries, report = read(tmp_path)
    assert len(entries) == 2
    assert report.refused == {"deployments": 1}


def test_a_deployment_that_is_there_twice_is_read_once(tmp_path: Path) -> None:
    folder(tmp_path / "a", files("1"))
    folder(tmp_path / "b", files("1"))
    entries, report = read(tmp_path)
    assert {entry.file_name.split("/")[0] for entry in entries} == {"a"}
    assert report.refused == {"deployments": 1}


def test_a_link_to_a_folder_above_is_not_walked_for_ever(tmp_path: Path) -> None:
    folder(tmp_path / "d1", files("1"))
    (tmp_path / "round").symlink_to(tmp_path)
    assert len(read(tmp_path)[0]) == 2


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere is neither a folder nor a zip"):
        read(tmp_path / "nowhere")


# Hostile XML


def laughs(levels: int) -> str:
    entities = ['<!ENTITY a0 "ha">']
    entities += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, levels)]
    return f"<!DOCTYPE x [{''.join(entities)}]><x><ProjectId>&a{levels - 1};</ProjectId></x>"


@pytest.mark.parametrize(
    "text",
    [
        laughs(12),
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><x><ProjectId>&e;</ProjectId></x>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><x/>',
        f'<!DOCTYPE x [<!ENTITY e "{"h" * 50_000}">]><x><ProjectId>{"&e;" * 50_000}</ProjectId></x>',
    ],
)
def test_a_manifest_with_a_document_type_is_refused_at_once(tmp_path: Path, text: str) -> None:
    header = Header()
    with pytest.raises(SourceError, match=r"declares a document type.*, line 1\b"):
        list(sequences(written(tmp_path, text), header))
    assert header == Header()  # nothing after the declaration was read, so no entity was expanded


def test_a_field_without_end_is_refused(tmp_path: Path) -> None:
    text = f"<x><ProjectId>{'9' * 100_000}</ProjectId></x>"
    with pytest.raises(SourceError, match="more than 65536 characters"):
        list(sequences(written(tmp_path, text), Header()))


# Zips


def test_a_zip_is_unpacked_once(tmp_path: Path) -> None:
    zipped(tmp_path / "d1.zip", files("1"))
    assert read(tmp_path)[1].notes[Note.UNPACKED_FILES] == 3
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "d1").iterdir()}
    entries, report = read(tmp_path)
    assert report.notes[Note.UNPACKED_FILES] == 0
    assert len(entries) == 2
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "d1").iterdir()}


def test_a_half_unpacked_folder_is_finished(tmp_path: Path) -> None:
    contents = files("1")
    archive = zipped(tmp_path / "d1.zip", contents)
    whole, cut, zeroed = contents
    put(tmp_path / "d1" / whole, contents[whole])
    put(tmp_path / "d1" / cut, contents[cut][:100])
    put(tmp_path / "d1" / zeroed, bytes(len(contents[zeroed])))  # of the right size, never written
    assert archives.unpack(archive, tmp_path / "d1") == 2
    assert {name: (tmp_path / "d1" / name).read_bytes() for name in contents} == contents


def test_an_unpacking_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = zipped(tmp_path / "d1.zip", files("1"))
    moved: list[Path] = []
    replace = Path.replace

    def stop_at_the_second(self: Path, target: Path) -> Path:
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            archives.unpack(archive, tmp_path / "d1")
    assert [path.name for path in (tmp_path / "d1").iterdir()] == [NAME]
    assert archives.unpack(archive, tmp_path / "d1") == 2


def test_a_file_that_went_away_after_unpacking_comes_back(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "d1.zip", files("1"))
    archives.unpack(archive, tmp_path / "d1")
    (tmp_path / "d1" / NAME).unlink()
    assert archives.unpack(archive, tmp_path / "d1") == 1


def test_zips_unpack_below_another_folder_under_the_same_names(tmp_path: Path) -> None:
    zipped(tmp_path / "in" / "north" / "d1.zip", files("1"))
    entries, _ = read(tmp_path / "in", unpack_to=tmp_path / "out")
    assert entries[0].file_name == "north/d1/d1i1.JPG"
    assert Path(entries[0].path) == tmp_path / "out" / "north" / "d1" / "d1i1.JPG"
    assert sorted(path.name for path in (tmp_path / "in" / "north").iterdir()) == ["d1.zip"]


def test_a_broken_zip_costs_that_zip_alone_also_when_half_of_it_lies_there(tmp_path: Path) -> None:
    folder(tmp_path / "d1", files("1"))
    bad = zipped(tmp_path / "bad.zip", files("2"))
    data = bytearray(bad.read_bytes())
    data[data.find(b"d2i2.JPG") + 200] ^= 0xFF  # in the pixels of its last file
    bad.write_bytes(bytes(data))
    put(tmp_path / "cut.zip", zipped(tmp_path / "x" / "c.zip", files("3")).read_bytes()[:-30])
    (tmp_path / "x" / "c.zip").unlink()
    put(tmp_path / "text.zip", b"this is no zip")
    entries, report = read(tmp_path)
    assert {entry.deployment_id for entry in entries} == {"project7.deployment1"}
    assert report.refused == {"zips": 3}
    assert all("damaged" in what for _, what in report.examples)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.JPG",
        "a/../../evil.JPG",
        "/evil.JPG",
        "C:/evil.JPG",
        "C:\\evil.JPG",
        "..\\evil.JPG",
        "\\evil.JPG",
    ],
)
def test_a_zip_that_leads_out_of_its_folder_is_refused_before_anything_is_written(
    tmp_path: Path, name: str
) -> None:
    zipped(tmp_path / "in" / "d1.zip", files("1") | {name: b"evil"})
    entries, report = read(tmp_path / "in")
    assert entries == []
    assert "leads out of the folder" in report.examples[0][1]
    assert not (tmp_path / "in" / "d1").exists()
    assert not list(tmp_path.rglob("*evil*"))


def test_a_zip_with_a_link_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d1.zip", "w") as target:
        link = zipfile.ZipInfo("photos")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        target.writestr(link, "/etc")
        target.writestr("photos/passwd", b"evil")
    assert "link or a device" in read(tmp_path)[1].examples[0][1]


def test_a_link_in_the_folder_leads_no_member_out_of_it(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "d1.zip", {"photos/i1.JPG": b"x"})
    (tmp_path / "d1").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "d1" / "photos").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="out of it"):
        archives.unpack(archive, tmp_path / "d1")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_bomb_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    zipped(tmp_path / "d1.zip", {"i1.JPG": bytes(archives.RATIO_FROM + 1)})
    assert "times its size" in read(tmp_path)[1].examples[0][1]
    assert not (tmp_path / "d1").exists()


def test_a_bomb_that_declares_little_is_stopped_at_what_it_declares(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "d1.zip", {"i1.JPG": bytes(32 * 1024 * 1024)})
    data = archive.read_bytes()
    small = (1000).to_bytes(4, "little")
    archive.write_bytes(data.replace((32 * 1024 * 1024).to_bytes(4, "little"), small))
    with pytest.raises(SourceError, match="damaged"):
        archives.unpack(archive, tmp_path / "d1")
    assert sum(path.stat().st_size for path in (tmp_path / "d1").iterdir()) == 0


@pytest.mark.parametrize(
    ("limit", "value", "what"),
    [
        ("MOST_MEMBERS", 2, "3 members"),
        ("MOST_BYTES", 10, "unpacks to"),
        ("MOST_LISTING", 10, "table of contents"),
    ],
)
def test_a_zip_beyond_a_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, what: str
) -> None:
    monkeypatch.setattr(archives, limit, value)
    with pytest.raises(SourceError, match=what):
        archives.unpack(zipped(tmp_path / "d1.zip", files("1")), tmp_path / "d1")
    assert not (tmp_path / "d1").exists()


def test_a_zip_that_names_a_file_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d1.zip", "w") as target:
        target.writestr("a.JPG", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            target.writestr("a.JPG", b"2")
    assert "names a.JPG twice" in read(tmp_path)[1].examples[0][1]


# The whole import


def test_an_import_brings_photographs_labels_and_periods_and_a_rerun_nothing(
    tmp_path: Path, sqlite_database: Database
) -> None:
    folder(tmp_path / "in" / "d1", files("1"))
    zipped(tmp_path / "in" / "d2.zip", files("2", site="Elm hill", species=("No Animal", "Blank")))
    options = ImportOptions(workers=1)
    report = emammal.import_emammal(
        make_workspace(sqlite_database, tmp_path / "data"), [tmp_path / "in"], options=options
    )
    assert (report.photographs, report.labels) == (4, 4)
    again = emammal.import_emammal(
        make_workspace(sqlite_database, tmp_path / "data"), [tmp_path / "in"], options=options
    )
    assert (again.photographs, again.known, again.labels) == (0, 4, 0)
    with sqlite_database.read() as conn:
        record = deployments.all(conn)["project7.deployment2"]
        rows = conn.execute(
            sa.select(schema.image.c.location, schema.category.c.name, schema.image_label.c.level)
            .join(schema.image_label, schema.image_label.c.image_id == schema.image.c.id)
            .join(schema.category, schema.category.c.id == schema.image_label.c.category_id)
            .order_by(schema.image.c.location)
        ).all()
    assert (record.location, record.started_at, record.ended_at) == (
        "Elm hill",
        dt.datetime(2014, 5, 1, 12, 0, 0),
        dt.datetime(2014, 5, 1, 12, 0, 2),
    )
    assert [tuple(row) for row in rows] == [("Elm hill", "empty", "sequence")] * 2 + [
        ("Oak ridge", "red fox", "sequence")
    ] * 2


def test_a_source_without_any_deployment_is_an_error_and_leaves_the_store_alone(
    tmp_path: Path, sqlite_database: Database
) -> None:
    put(tmp_path / "in" / "d1" / NAME, b"<x>")
    with pytest.raises(SourceError, match="there is no deployment to import"):
        emammal.import_emammal(make_workspace(sqlite_database, tmp_path / "data"), [tmp_path / "in"])
    with sqlite_database.read() as conn:
        assert conn.execute(sa.select(sa.func.count()).select_from(schema.deployment)).scalar_one() == 0


# Fuzz

SOUND = manifest(
    "1",
    [sequence("s1", ["Red Fox"], [image(1, "i1.JPG", order="1", taken="2014-05-01 12:00:00")])],
).encode()
PIECES = [
    b"",
    b"<",
    b"</Image>",
    b"<Image>",
    b"<ImageSequence>",
    b"&#0;",
    b"&#55296;",
    b"\xff",
    b"\x00",
    b"../../x",
    b"-1",
    b"9" * 5000,
    b"NaN",
    b"0001-01-01 00:00:00",
    b"<![CDATA[",
    b"<!DOCTYPE x []>",
    b'<?xml version="1.0" encoding="utf-16"?>',
    SOUND,
]
CUTS = st.tuples(
    st.integers(0, len(SOUND)), st.integers(0, 40), st.sampled_from(PIECES) | st.binary(max_size=8)
)


@settings(max_examples=400, deadline=None)
@given(st.lists(CUTS, min_size=1, max_size=4))
def test_no_manifest_however_mangled_ends_in_a_traceback(cuts: list[tuple[int, int, bytes]]) -> None:
    data = SOUND
    for at, length, piece in cuts:
        data = data[:at] + piece + data[at + length :]
    with tempfile.TemporaryDirectory() as place:
        put(Path(place) / "dep" / NAME, data)
        entries, report = read(Path(place))
    assert entries or report.refused or report.notes or not data.count(b"<Image>")
    for entry in entries:
        assert entry.seq_id
        assert ".." not in entry.file_name.split("/") or entry.failure


ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w", zipfile.ZIP_DEFLATED) as _target:
    _target.writestr(NAME, SOUND)
    _target.writestr("a/i1.JPG", b"x" * 300)
BYTES = ZIP.getvalue()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(BYTES) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, len(BYTES)),
)
def test_no_zip_however_mangled_ends_in_a_traceback_or_writes_elsewhere(
    changes: list[tuple[int, int]], length: int
) -> None:
    data = bytearray(BYTES)
    for at, value in changes:
        data[at] = value
    with tempfile.TemporaryDirectory() as place:
        archive = put(Path(place) / "in" / "d.zip", bytes(data[: length if length % 2 else None]))
        with contextlib.suppress(WildloopError):
            archives.unpack(archive, Path(place) / "in" / "d")
        assert [path.name for path in Path(place).iterdir()] == ["in"]
        assert {path.name for path in (Path(place) / "in").iterdir()} <= {"d.zip", "d"}
