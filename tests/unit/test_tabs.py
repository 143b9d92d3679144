"""The tabs of the Data Manager: those of Wildloop are kept up to date, those of people are left alone."""

from __future__ import annotations

import pytest

from pipeline.label_studio import tabs
from pipeline.label_studio.screen.content import Asked, CropShown
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.screen.task import task_data
from pipeline.label_studio.tabs import MARK, TABS, Tab, ensure_tabs
from pipeline.records import Purpose, TaskKind
from tests.helpers.fake_label_studio import FakeLabelStudio

PROJECT = 7
TITLES = ["Waiting", "Audit", "Unsure", "Disputed", "Boards", "New names", "Answered"]


def titles(server: FakeLabelStudio) -> list[str]:
    return [tab["data"]["title"] for tab in server.views]


def test_a_project_gets_each_tab_once() -> None:
    server = FakeLabelStudio(PROJECT)
    assert ensure_tabs(server, PROJECT) == [f"tabs added: {', '.join(TITLES)}"]
    assert ensure_tabs(server, PROJECT) == []
    assert titles(server) == TITLES


def test_a_tab_shows_the_picture_and_neither_hashes_nor_lists() -> None:
    server = FakeLabelStudio(PROJECT)
    ensure_tabs(server, PROJECT)
    for tab in server.views:
        hidden = set(tab["data"]["hiddenColumns"]["explore"])
        assert {"tasks:data.hash", "tasks:data.detections", "tasks:data.single", "tasks:data.head"} <= hidden
        assert "tasks:data.picture" not in hidden
        assert tab["data"]["columnsDisplayType"]["tasks:data.picture"] == "Image"


def test_tabs_that_people_changed_or_made_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeLabelStudio(PROJECT)
    server.create_tab(PROJECT, {"title": "Audit", "filters": {}})  # somebody's own
    ensure_tabs(server, PROJECT)
    waiting = next(tab["data"] for tab in server.views if tab["data"]["title"] == "Waiting")
    del waiting[MARK]  # Label Studio's pages leave it out when they save a change
    waiting["gridWidth"] = 3
    before = [dict(tab["data"]) for tab in server.views]

    other = [Tab(title=tab.title, columns=("data.place",), filters=[]) for tab in TABS]
    monkeypatch.setattr(tabs, "TABS", other)  # of a later release
    assert ensure_tabs(server, PROJECT) == ["tabs changed: Unsure, Disputed, Boards, New names, Answered"]
    after = {tab["data"]["title"]: tab["data"] for tab in server.views}
    assert [after["Audit"], after["Waiting"]] == [before[0], before[1]]
    assert "tasks:data.picture" in after["Unsure"]["hiddenColumns"]["explore"]
    assert ensure_tabs(server, PROJECT) == []


def test_tabs_know_every_field_of_a_task() -> None:
    crop = CropShown(detection_id="d1", crop="/crops/d1.jpg", frame="/frames/d1.jpg")
    data = task_data(Asked(kind=TaskKind.SINGLE, purpose=Purpose.QUEUE, crops=(crop,)), ScreenOptions())
    assert tuple(data) == tabs.TASK_FIELDS
    assert data["picture"] == "/crops/d1.jpg"
