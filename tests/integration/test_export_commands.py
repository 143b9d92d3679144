"""`wildloop export` as a project manager meets it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main, wildloop
from tests.helpers import coco_rules, megadetector_rules
from tests.helpers.photographs import encoded, put, scene

RESULTS = {
    "info": {"format_version": "1.5", "detector": "md_v5a"},
    "detection_categories": {"1": "animal", "2": "person", "3": "vehicle"},
    "images": [
        {"file": "A/1.jpg", "detections": [{"category": "1", "conf": 0.9, "bbox": [0.1, 0.1, 0.4, 0.5]}]},
        {"file": "A/2.jpg", "detections": []},
        {"file": "B/1.jpg", "failure": "Failure image access", "detections": None},
    ],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A survey of three photographs: an animal, a blank one, one that failed."""
    for number, name in enumerate(("A/1.jpg", "A/2.jpg")):
        put(tmp_path / "photos" / name, encoded(scene(seed=number), taken_at="2024:05:01 12:00:00"))
    listed = put(tmp_path / "md.json", json.dumps(RESULTS).encode())
    monkeypatch.setenv("WILDLOOP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("WILDLOOP_DATABASE_URL", raising=False)
    done = run("import", "megadetector", str(listed), "--images", str(tmp_path / "photos"))
    assert done.exit_code == 0, done.output
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(wildloop, list(words))


def written(home: Path, form: str, *options: str) -> Path:
    out = home / "out" / form
    done = run("export", form, str(out), *options)
    assert done.exit_code == 0, (done.output, done.exception)
    assert not [path.name for path in out.parent.iterdir() if path.name.startswith(".")]
    return out


def test_the_table_has_a_row_for_every_detection_and_every_other_photograph(home: Path) -> None:
    with written(home, "csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = {row["file_name"]: (row["category"], row["basis"], row["failure"]) for row in rows}
    assert told == {
        "A/1.jpg": ("", "none", ""),
        "A/2.jpg": ("empty", "detector", ""),
        "B/1.jpg": ("", "none", told["B/1.jpg"][2]),
    }
    assert told["B/1.jpg"][2]


def test_the_json_formats_keep_their_rules(home: Path) -> None:
    coco = coco_rules.assert_valid(written(home, "coco"))
    assert [one["file_name"] for one in coco["images"]] == ["A/1.jpg", "A/2.jpg", "B/1.jpg"]
    names = {one["id"]: one["name"] for one in coco["categories"]}
    assert sorted(names[one["category_id"]] for one in coco["annotations"]) == ["empty", "unclassified"]
    results = json.loads(written(home, "megadetector").read_text())
    assert not megadetector_rules.broken_rules(results)
    assert [len(one["detections"] or ()) for one in results["images"]] == [1, 0, 0]


def test_the_boxes_alone_come_back_as_they_went(home: Path) -> None:
    line = written(home, "detections-csv", "--axis-order", "xyxy").read_text().strip()
    assert line.split(",") == ["A/1.jpg", "0.9", "0.1", "0.1", "0.5", "0.6"]


def test_a_package_asks_for_all_that_nobody_said(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> str:
        monkeypatch.setattr(
            sys, "argv", ["wildloop", "export", "camtrap-dp", str(home / "out" / "camtrap-dp")]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        assert not (home / "out").exists() or not list((home / "out").iterdir())
        return capsys.readouterr().err

    asked = refused()
    assert "wildloop import deployments" in asked
    assert all(f"--{name}" in asked for name in ("timezone", "sampling-design", "capture-method"))
    table = put(home / "cameras.csv", b"location,latitude,longitude\nA,51.2,4.4\nB,51.3,4.5\n")
    assert run("import", "deployments", str(table)).exit_code == 0
    assert "--timezone" in refused()
    package = written(
        home,
        "camtrap-dp",
        *("--timezone", "Europe/Brussels", "--sampling-design", "targeted"),
        *("--capture-method", "activityDetection"),
    )
    with (package / "media.csv").open(newline="") as file:
        assert [row["timestamp"] for row in csv.DictReader(file)] == ["2024-05-01T12:00:00+02:00"] * 2


def test_what_lies_at_the_place_of_a_file_is_not_harmed(home: Path) -> None:
    (home / "folder").mkdir()
    done = run("export", "csv", str(home / "folder"))
    assert "exists and is not a file" in str(done.exception)
    (home / "link.csv").symlink_to(home / "real.csv")
    assert run("export", "csv", str(home / "link.csv")).exit_code == 0
    assert (home / "link.csv").is_symlink()
    assert (home / "real.csv").read_text().startswith("image_id")


def test_a_killed_export_leaves_no_half_file_and_the_next_one_is_whole(home: Path) -> None:
    out = home / "out.json"
    slow = (
        "import time; from pipeline.steps.datasets import export as step\n"
        "whole = step.StoreExport.photographs\n"
        "def photographs(self):\n"
        "    for one in whole(self):\n"
        "        yield one\n"
        "        print('one', flush=True); time.sleep(60)\n"
        "step.StoreExport.photographs = photographs\n"
        f"from pipeline.cli import wildloop; wildloop(['export', 'coco', {str(out)!r}])"
    )
    process = subprocess.Popen([sys.executable, "-c", slow], stdout=subprocess.PIPE, env=dict(os.environ))
    assert process.stdout is not None
    assert process.stdout.readline() == b"one\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    assert run("export", "coco", str(out)).exit_code == 0
    coco_rules.assert_valid(out)
