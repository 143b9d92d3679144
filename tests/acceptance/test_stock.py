"""What people are asked, in a browser: the stream ends, and no answer is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.store import oracle
from tests.acceptance.conftest import Installation
from tests.acceptance.test_queue import SPECIES, Park

if TYPE_CHECKING:
    from playwright.sync_api import Page

CROPS = 6


@pytest.fixture
def park(installation: Installation) -> Park:
    """Six crops in their first order."""
    made = Park(installation, CROPS)
    made.embed()
    installation.wildloop("train")
    return made


def opened(page: Page, park: Park) -> None:
    """Press "Label All Tasks"."""
    page.goto(f"{park.client.url}/projects/{park.id}/data")
    page.get_by_role("button", name="Label All Tasks").click(timeout=120_000)
    page.wait_for_selector(".wildloop .lsf-choice:visible", timeout=120_000)
    page.wait_for_timeout(1_000)  # hotkeys are bound a moment after the choices are drawn


def submit(page: Page) -> int:
    """Answer "empty" by its key and submit; returns the status of Label Studio's answer."""
    page.wait_for_selector(".wildloop .species .lsf-choice:visible", timeout=120_000)
    while not page.query_selector(".species .ant-radio-wrapper-checked"):  # no key acts before all is drawn
        page.keyboard.press("0")
        page.wait_for_timeout(500)
    with page.expect_response(
        lambda each: "/annotations" in each.url and each.request.method == "POST", timeout=120_000
    ) as answer:
        page.keyboard.press("Control+Enter")
    page.wait_for_timeout(2_000)
    return int(answer.value.status)


def votes(park: Park) -> int:
    with park.database.read() as conn:
        return sum(map(len, oracle.histories(conn, park.ids).values()))


def test_the_stream_ends_and_status_says_so_when_nothing_is_left(park: Park, page: Page) -> None:
    opened(page, park)
    for _ in range(CROPS):
        assert submit(page) == 201
    page.get_by_text("No More Tasks Left in Queue").wait_for(timeout=60_000)
    park.installation.wildloop("sync")
    assert "Labelling is done" in park.installation.wildloop("publish")
    assert "nothing: labelling is done" in park.installation.wildloop("status")


def test_a_task_opened_before_a_training_and_an_audit_is_submitted_afterwards(park: Park, page: Page) -> None:
    opened(page, park)
    shown = page.evaluate("document.querySelector('.lsf-current-task').innerText.split('\\n')[0]")
    others = [task for task in park.client.tasks_in_stream(park.id) if task != int(shown)]
    for number, task in enumerate(others[:4]):
        park.annotate(task, SPECIES[number % 2])
    park.installation.wildloop("sync")
    assert "is trained" in park.installation.wildloop("train")
    assert "drawn" in park.installation.wildloop("audit", "--size", "1")
    assert int(shown) not in park.client.tasks_in_stream(park.id)  # asked anew by the version
    before = votes(park)
    assert submit(page) == 201
    park.installation.wildloop("sync")
    assert votes(park) == before + 1
    park.installation.wildloop("sync")
    assert votes(park) == before + 1
