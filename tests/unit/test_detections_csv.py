"""The ancestor's detections CSV: in, out and broken."""

from __future__ import annotations

import gzip
import json
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.reading.image_root import ImageRoot
from importers.sources.detections_csv import check, import_detections, source_images
from importers.sources.detections_csv.rows import AxisOrder, read_layout
from pipeline.cli import wildloop
from pipeline.errors import SourceError, WildloopError
from pipeline.exporters import detections_csv
from pipeline.exporters.source import LabelledDetection
from pipeline.records import Box
from pipeline.render.datasets import export_report
from pipeline.render.importing import import_report
from pipeline.store import images
from pipeline.store.database import Database
from tests.helpers.labelled_workspace import make_workspace
from tests.helpers.photographs import encoded, put, scene
from tests.helpers.surveys import box, photograph, survey

BOX = Box(x1=0.1, y1=0.2, x2=0.3, y2=0.6)
YXYX = "0.2,0.1,0.6,0.3"
XYXY = "0.1,0.2,0.3,0.6"


def read(path: Path, axis_order: AxisOrder = "yxyx") -> tuple[list[SourceImage], ImportReport]:
    report = ImportReport(source=str(path))
    layout = read_layout(path, axis_order)
    root = ImageRoot(path.parent)
    return list(source_images(layout, check(layout, root, report), root)), report


def text(tmp_path: Path, *lines: str) -> Path:
    return put(tmp_path / "boxes.csv", "".join(f"{line}\n" for line in lines).encode("utf-8"))


def found(entry: SourceImage) -> list[tuple[Box, float, str]]:
    assert entry.detections is not None
    return [(one.box, one.confidence, one.category) for one in entry.detections.boxes]


@pytest.mark.parametrize(
    ("lines", "axis_order"),
    [
        ([f"a.jpg,0.95,{YXYX}"], "yxyx"),
        ([f"a.jpg,0.95,{XYXY}"], "xyxy"),
        (["name,score,ymin,xmin,ymax,xmax", f"a.jpg,0.95,{YXYX}"], "xyxy"),
        (["xmin,ymin,xmax,ymax,score,name", f"{XYXY},0.95,a.jpg"], "yxyx"),
        (["Name,Score,b1,b2,b3,b4", f"a.jpg,0.95,{YXYX}"], "yxyx"),
        (
            ["file_name,confidence,BBox_X1,BBox_Y1,BBox_X2,BBox_Y2", f"a.jpg,0.95,{YXYX}"],
            "yxyx",
        ),
        (
            ["file_name,confidence,BBox_X1,BBox_Y1,BBox_X2,BBox_Y2", f"a.jpg,0.95,{XYXY}"],
            "xyxy",
        ),
        (
            ["image_path,max_confidence,detections", f'a.jpg,0.95,"[[{YXYX},0.95,1]]"'],
            "yxyx",
        ),
    ],
)
def test_every_layout_tells_the_same_box(tmp_path: Path, lines: list[str], axis_order: AxisOrder) -> None:
    (entry,), report = read(text(tmp_path, *lines), axis_order)
    assert entry.file_name == "a.jpg"
    assert entry.path == str(tmp_path / "a.jpg")
    assert found(entry) == [(BOX, 0.95, "animal")]
    assert entry.detections is not None
    assert entry.detections.detector == "detections-csv:boxes"
    assert report.refused == {}


def test_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    path = put(tmp_path / "boxes.csv", f"\ufeffa.jpg,0.95,{YXYX}\r\n\r\n".encode())
    assert [entry.file_name for entry in read(path)[0]] == ["a.jpg"]


@pytest.mark.parametrize(
    "lines",
    [
        ["a.jpg;0,95;0,2;0,1;0,6;0,3"],
        ["name;score;ymin;xmin;ymax;xmax", "a.jpg;0,95;0,2;0,1;0,6;0,3"],
        ["name\tscore\tymin\txmin\tymax\txmax", "a.jpg\t0.95\t0.2\t0.1\t0.6\t0.3"],
    ],
)
def test_semicolons_tabs_decimal_commas_and_compressed_files_are_read(
    tmp_path: Path, lines: list[str]
) -> None:
    packed = gzip.compress("\n".join(lines).encode())
    for path in (text(tmp_path, *lines), put(tmp_path / "boxes.csv.gz", packed)):
        (entry,), report = read(path)
        assert found(entry) == [(BOX, 0.95, "animal")]
        assert entry.detections is not None
        assert entry.detections.detector == "detections-csv:boxes"
        assert not report.refused


def test_a_file_that_is_cut_short_where_it_is_compressed_is_an_error_that_names_it(tmp_path: Path) -> None:
    packed = gzip.compress(f"a.jpg,0.95,{YXYX}\n".encode() * 99)
    for data in (packed[:30], packed[:-4] + b"\xff" * 4):
        with pytest.raises(SourceError, match=r"boxes\.csv\.gz cannot be read"):
            read(put(tmp_path / "boxes.csv.gz", data))


def test_boxes_of_a_photograph_may_stand_apart(tmp_path: Path) -> None:
    lines = [f"{'ab'[row % 2]}.jpg,{row / 10},{YXYX}" for row in range(6)]
    first, second = read(text(tmp_path, *lines))[0]
    assert [confidence for _, confidence, _ in found(first)] == [0.0, 0.2, 0.4]
    assert [confidence for _, confidence, _ in found(second)] == [0.1, 0.3, 0.5]


def test_lists_tell_people_vehicles_and_photographs_without_anything(tmp_path: Path) -> None:
    path = text(
        tmp_path,
        "image_path,max_confidence,detections",
        f'a.jpg,0.95,"[[{YXYX},0.95,1],[{YXYX},0.5,2],[{YXYX},0.4,""3""]]"',
        "b.jpg,0.0,[]",
    )
    first, second = read(path)[0]
    assert [category for _, _, category in found(first)] == ["animal", "person", "vehicle"]
    assert found(second) == []


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("b.jpg,0.9,0.1,0.1,0.2", "5 fields"),
        ("b.jpg,0.9,0.1,0.1,0.2,0.2,0.3", "7 fields"),
        (",0.9,0.1,0.1,0.2,0.2", "has no file name"),
        ("b.jpg,sure,0.1,0.1,0.2,0.2", "'sure' is not a number"),
        ("b.jpg,0.9,0.1,0.1,x,0.2", "'x' is not a number"),
        ("b.jpg,1.2,0.1,0.1,0.2,0.2", "score 1.2 is not between 0 and 1"),
        ("b.jpg,nan,0.1,0.1,0.2,0.2", "'nan' is not a number"),
        ("b.jpg,0.9,nan,0.1,0.2,0.2", "'nan' is not a number"),
        ("b.jpg,0.9,0.1,0.1,inf,0.2", "inf"),
        ("b.jpg,0.9,100,100,200,300", "not in fractions of the frame"),
        ("b.jpg,0.9,0.5,0.5,0.2,0.2", "0.5, 0.5, 0.2, 0.2"),
        ("b.jpg,0.9,0.5,0.5,0.5,0.6", "0.5, 0.5, 0.6, 0.5"),
    ],
)
def test_a_broken_row_costs_itself_and_is_named_by_its_line(tmp_path: Path, row: str, what: str) -> None:
    got, report = read(text(tmp_path, f"a.jpg,0.9,{YXYX}", row, f"c.jpg,0.9,{YXYX}"))
    assert [entry.file_name for entry in got] == ["a.jpg", "c.jpg"]
    ((where, said),) = report.examples
    assert where == "line 2" if row.startswith(",") else where == "line 2 (b.jpg)"
    assert what in said
    assert "1  record refused (with" in import_report(report)


@pytest.mark.parametrize(
    ("listed", "kind"),
    [
        ("not json", "with a broken list"),
        ("{}", "with a broken list"),
        ("[[0.1,0.1,0.2,0.2,0.9]]", "with a broken box"),
        ("[[0.1,0.1,0.2,null,0.9,1]]", "with a broken box"),
        ("[[0.1,0.1,0.2,NaN,0.9,1]]", "with a broken box"),
        (f"[[0.1,0.1,0.2,1{'0' * 400},0.9,1]]", "with a broken box"),
        ("[[0.1,0.1,0.2,0.2,0.9,4]]", "of an unknown class"),
        ("[[0.1,0.1,0.2,0.2,0.9,[]]]", "of an unknown class"),
    ],
)
def test_a_broken_list_costs_its_row(tmp_path: Path, listed: str, kind: str) -> None:
    path = text(tmp_path, "image_path,max_confidence,detections", f'a.jpg,1,"{listed}"', "b.jpg,1,[]")
    got, report = read(path)
    assert [entry.file_name for entry in got] == ["b.jpg"]
    assert report.refused == {kind: 1}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"name,score,ymin,xmin,ymax,xmax\n", "has no row"),
        (b"one,two,three\n", "neither a box"),
        (b"name,score,left,top,right,bottom\n", "neither a box"),
        (b'{"images": []}', "neither a box"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (f"a.jpg,0.9,{YXYX}\n".encode() + b"\xff", "is not UTF-8"),
    ],
)
def test_a_file_of_none_of_the_layouts_is_refused_with_a_remedy(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    with pytest.raises(SourceError, match=problem) as caught:
        read(put(tmp_path / "boxes.csv", content))
    assert caught.value.remedy


def test_names_that_lead_out_of_the_folder_are_failures(tmp_path: Path) -> None:
    names = ["../a.jpg", "/data/a.jpg", "C:\\a.jpg", "b\\c.jpg"]
    got, _ = read(text(tmp_path, *(f"{name},0.9,{YXYX}" for name in names)))
    assert [entry.failure is not None for entry in got] == [True, True, True, False]
    assert got[3].file_name == "b/c.jpg"


def ground(number: int = 200) -> list[tuple[float, float, float, float]]:
    """Boxes as cameras see animals: anywhere across, near the ground. Rows x1, y1, x2, y2."""
    random = np.random.default_rng(0)
    near = np.stack([random.uniform(0, 0.8, number), random.uniform(0.45, 0.6, number)], axis=1)
    return [(x1, y1, x1 + 0.2, y1 + 0.2) for x1, y1 in near.tolist()]


@pytest.mark.parametrize(("asked", "hinted"), [("yxyx", False), ("xyxy", True)])
def test_boxes_that_look_like_the_other_axis_order_are_pointed_out(
    tmp_path: Path, asked: AxisOrder, hinted: bool
) -> None:
    columns = enumerate(ground())
    lines = [f"{row}.jpg,0.9,{y1},{x1},{y2},{x2}" for row, (x1, y1, x2, y2) in columns]
    _, report = read(text(tmp_path, *lines), asked)
    assert ("if they are y1, x1, y2, x2, use --axis-order yxyx" in import_report(report)) == hinted


def test_boxes_that_look_swapped_are_not_imported_before_the_axis_order_is_given(
    sqlite_database: Database, tmp_path: Path
) -> None:
    lines = [f"{row}.jpg,0.9,{x1},{y1},{x2},{y2}" for row, (x1, y1, x2, y2) in enumerate(ground())]
    path, workspace = text(tmp_path, *lines), make_workspace(sqlite_database, tmp_path / "data")
    options = ImportOptions(rows_only=True)
    before = stored(sqlite_database)
    with pytest.raises(SourceError, match=r"boxes\.csv: boxes spread more.*--axis-order yxyx or xyxy"):
        import_detections(workspace, path, tmp_path, options=options)
    assert stored(sqlite_database) == before
    report = import_detections(workspace, path, tmp_path, axis_order="xyxy", options=options)
    assert (report.photographs, report.notes) == (200, {})
    report = import_detections(workspace, path, tmp_path, axis_order="yxyx", options=options)
    assert report.notes == {"maybe_xyxy": 200}


def test_boxes_as_cameras_see_them_need_no_axis_order(sqlite_database: Database, tmp_path: Path) -> None:
    lines = [f"{row}.jpg,0.9,{y1},{x1},{y2},{x2}" for row, (x1, y1, x2, y2) in enumerate(ground())]
    workspace = make_workspace(sqlite_database, tmp_path / "data")
    report = import_detections(
        workspace, text(tmp_path, *lines), tmp_path, options=ImportOptions(rows_only=True)
    )
    assert (report.photographs, report.notes) == (200, {})


def test_pixels_and_sizes_are_pointed_out(tmp_path: Path) -> None:
    good = f"a.jpg,0.9,{YXYX}"
    _, report = read(text(tmp_path, good, *(f"{row}.jpg,0.9,{row},10,200,300" for row in range(5))))
    assert "5  boxes apparently in pixels" in import_report(report)
    _, report = read(text(tmp_path, good, *(f"{row}.jpg,0.9,0.5,0.6,0.1,0.2" for row in range(5))))
    assert "5  boxes apparently of x, y, width, height" in import_report(report)


# Out


def test_boxes_are_written_as_the_ancestor_wrote_them(tmp_path: Path) -> None:
    given = survey(
        photograph("a.jpg", box(at=BOX), box(at=BOX, kind="person"), box(at=BOX, confidence=None)),
        photograph("b, c.jpg", box(at=Box(x1=0, y1=0, x2=1, y2=1 / 3), confidence=0.123456789)),
        photograph("d.jpg"),
    )
    out = tmp_path / "out.csv"
    report = detections_csv.write(out, given)
    assert out.read_bytes().decode().replace("\r\n", "\n") == (
        'a.jpg,0.9,0.2,0.1,0.6,0.3\na.jpg,1.0,0.2,0.1,0.6,0.3\n"b, c.jpg",0.12346,0.0,0.0,0.33333,1.0\n'
    )
    assert "1  detection of people and vehicles left out" in export_report(report)
    assert "1  photograph without an animal" in export_report(report)
    detections_csv.write(out, given, axis_order="xyxy", header=True)
    assert out.read_text().splitlines()[:2] == [
        "name,score,xmin,ymin,xmax,ymax",
        "a.jpg,0.9,0.1,0.2,0.3,0.6",
    ]


FRACTIONS = st.floats(0, 1)
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\\\x00/:\ufeff"), min_size=1, max_size=8
).filter(lambda name: ".." not in name and name.strip())


@st.composite
def drawn(draw: st.DrawFn) -> LabelledDetection:
    pairs = [sorted(draw(st.lists(FRACTIONS, min_size=2, max_size=2, unique=True))) for _ in range(2)]
    at = Box(x1=pairs[0][0], y1=pairs[1][0], x2=pairs[0][1], y2=pairs[1][1])
    return box(at=at, confidence=draw(FRACTIONS))


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(NAMES, st.lists(drawn(), min_size=1, max_size=4), min_size=1, max_size=5),
    st.sampled_from(["yxyx", "xyxy"]),
    st.booleans(),
)
def test_what_is_written_is_read_back(
    given_boxes: dict[str, list[LabelledDetection]], axis_order: AxisOrder, header: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, again = Path(folder) / "boxes.csv", Path(folder) / "again.csv"
        photographs = [photograph(name, *boxes) for name, boxes in given_boxes.items()]
        detections_csv.write(path, survey(*photographs), axis_order=axis_order, header=header)
        got, report = read(path, axis_order)
        assert not report.refused
        assert [entry.file_name for entry in got] == list(given_boxes)
        for entry, boxes in zip(got, given_boxes.values(), strict=True):
            for (at, confidence, category), one in zip(found(entry), boxes, strict=True):
                for side in ("x1", "y1", "x2", "y2"):
                    assert abs(getattr(at, side) - getattr(one.record.box, side)) <= 1.5e-5
                assert confidence == round(one.record.bbox_confidence or 0.0, 5)
                assert category == "animal"
        second = [
            photograph(entry.file_name, *(box(at=at, confidence=conf) for at, conf, _ in found(entry)))
            for entry in got
        ]
        detections_csv.write(again, survey(*second), axis_order=axis_order, header=header)
        assert again.read_bytes() == path.read_bytes()


# Whole imports


def test_the_command_imports_boxes_and_a_second_run_nothing(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for number in range(2):
        put(photos / "site" / f"{number}.jpg", encoded(scene(seed=number)))
    path = text(tmp_path, *(f"site/{row % 3}.jpg,0.95,{YXYX}" for row in range(6)))
    environ = {"WILDLOOP_DATA_DIR": str(tmp_path / "data"), "WILDLOOP_DATABASE_URL": ""}
    arguments = ["import", "detections-csv", str(path), "--images", str(photos), "--axis-order", "yxyx"]
    done = CliRunner().invoke(wildloop, arguments, env=environ)
    assert done.exit_code == 0, done.output
    assert "2 new photographs, 2 new detections" in done.output  # boxes that coincide are one
    assert "1  photograph failed (missing)" in done.output
    again = CliRunner().invoke(wildloop, arguments, env=environ)
    assert "0 new photographs, 0 new detections" in again.output
    assert "2  photographs imported before" in again.output


def test_a_file_of_animals_alone_has_nothing_to_keep_of_people(
    sqlite_database: Database, tmp_path: Path
) -> None:
    path = text(tmp_path, f"a.jpg,0.9,{YXYX}")
    options = ImportOptions(keep=frozenset({"person"}))
    with pytest.raises(SourceError, match="but only person is kept"):
        import_detections(make_workspace(sqlite_database, tmp_path / "data"), path, tmp_path, options=options)


def test_a_box_takes_little_memory_and_a_name_none(tmp_path: Path) -> None:
    number = 20_000
    path = tmp_path / "boxes.csv"
    with path.open("w") as file:
        file.writelines(f"site {row % 50}/IMG_{row % 7_000:07d}.jpg,0.9,{YXYX}\n" for row in range(number))
    layout = read_layout(path, "yxyx")
    tracemalloc.start()
    boxes = check(layout, ImageRoot(tmp_path), ImportReport(source="x"))
    count = sum(1 for _ in source_images(layout, boxes, ImageRoot(tmp_path)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == len(boxes.start) - 1
    assert peak / number < 300  # bytes a box


# Broken on purpose

GOOD = [
    f"a.jpg,0.95,{YXYX}\nb.jpg,0.9,{YXYX}\na.jpg,0.5,0.0,0.0,1.0,1.0\n",
    f"name,score,ymin,xmin,ymax,xmax\na.jpg,0.95,{YXYX}\nb.jpg,0.9,{YXYX}\n",
    f'image_path,max_confidence,detections\na.jpg,0.95,"[[{YXYX},0.95,1],[{YXYX},0.4,2]]"\nb.jpg,0,[]\n',
]
WRONG = [
    "",
    "nan",
    "-1e300",
    "inf",
    "1" + "0" * 400,
    "..",
    "../../x.jpg",
    "\x00",
    '"',
    "\n",
    ",",
    "[",
    "]]",
    "null",
    '"[[1]]"',
    "{}",
    "x" * 5000,
    "\\" * 300,
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    content = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        end = min(len(content), at + draw(st.integers(0, 12)))
        content = content[:at] + draw(st.sampled_from(WRONG) | st.text(max_size=4)) + content[end:]
    data = content.encode("utf-8", "surrogatepass")
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


def test_no_damage_gives_more_than_an_error_that_names_the_file(
    sqlite_database: Database, tmp_path: Path
) -> None:
    options = ImportOptions(rows_only=True)

    @settings(deadline=None, max_examples=400)
    @given(damaged(), st.sampled_from(["yxyx", "xyxy"]))
    def damage(content: bytes, axis_order: AxisOrder) -> None:
        path = put(tmp_path / "boxes.csv", content)
        before = stored(sqlite_database)
        try:
            report = import_detections(
                make_workspace(sqlite_database, tmp_path / "data"),
                path,
                tmp_path,
                axis_order=axis_order,
                options=options,
            )
        except WildloopError as exc:
            told = str(exc)
            assert stored(sqlite_database) == before
        else:
            told = import_report(report)
        assert "boxes.csv" in told

    damage()


def stored(database: Database) -> str:
    with database.read() as conn:
        return json.dumps(images.counts(conn))


@pytest.mark.parametrize(("good", "is_known"), [("0.1", False), ("0.9", True)])
def test_a_photograph_with_a_bad_row_is_not_called_empty_for_its_others(
    tmp_path: Path, good: str, is_known: bool
) -> None:
    path = text(tmp_path, f"a.jpg,{good},{YXYX}", f"./a.jpg,2,{YXYX}", f"b.jpg,0.1,{YXYX}")
    layout, root, report = read_layout(path, "yxyx"), ImageRoot(tmp_path), ImportReport(source="")
    first, second = source_images(layout, check(layout, root, report), root, threshold=0.2)
    assert [first.detections is not None, second.detections is not None] == [is_known, True]
