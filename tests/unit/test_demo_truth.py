"""The truth of photographs: boxes by overlap, whole photographs by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.demo.truth import overlap, read_truth
from pipeline.errors import SourceError
from pipeline.records import Box

LEFT = Box(x1=0.0, y1=0.0, x2=0.4, y2=0.4)
RIGHT = Box(x1=0.6, y1=0.0, x2=1.0, y2=0.4)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    return path


def test_the_box_that_overlaps_most_decides(tmp_path: Path) -> None:
    truth = read_truth(
        written(tmp_path, "file_name,x1,y1,x2,y2,label\na/1.jpg,0,0,.4,.4,Fox\na/1.jpg,.6,0,1,.4,deer\n")
    )
    assert truth.label("a/1.jpg", Box(x1=0.02, y1=0.0, x2=0.42, y2=0.4)) == "fox"
    assert truth.label("a/1.jpg", RIGHT) == "deer"
    assert truth.label("a/1.jpg", Box(x1=0.4, y1=0.5, x2=0.6, y2=0.9)) == "empty"


def test_a_label_without_a_box_holds_for_the_whole_photograph(tmp_path: Path) -> None:
    truth = read_truth(written(tmp_path, "file_name,label,seq_id\n1.jpg,fish_01,9\n"))
    assert truth.label("1.jpg", LEFT) == "fish_01"
    assert truth.label("below/1.jpg", LEFT) == "fish_01"
    assert truth.label("2.jpg", LEFT) is None
    assert truth.names == ["fish_01"]


def test_empty_and_unsure_are_no_species(tmp_path: Path) -> None:
    truth = read_truth(written(tmp_path, "file_name,label\n1.jpg,empty\n2.jpg,Unsure\n3.jpg,red  fox\n"))
    assert truth.names == ["red fox"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,species\n1.jpg,fox\n", "lacks the columns"),
        ("file_name,label\n1.jpg,\n", "line 2"),
        ("file_name,label,x1,y1,x2,y2\n1.jpg,fox,0,0,wide,1\n", "line 2"),
        ("file_name,label,x1,y1,x2,y2\n1.jpg,fox,0,0,,1\n", "line 2"),
    ],
)
def test_a_broken_truth_is_an_error_that_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read_truth(written(tmp_path, text))


def test_a_missing_or_foreign_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_truth(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(SourceError, match="cannot be read"):
        read_truth(tmp_path / "binary.csv")


def test_overlap_is_intersection_over_union() -> None:
    assert overlap(LEFT, LEFT) == pytest.approx(1.0)
    assert overlap(LEFT, RIGHT) == 0.0
    assert overlap(LEFT, Box(x1=0.2, y1=0.0, x2=0.6, y2=0.4)) == pytest.approx(1 / 3)
