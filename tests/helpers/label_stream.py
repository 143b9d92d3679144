"""The screen that people label on, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

CHOSEN = "rgba(84, 120, 230, 0.22)"  # the colour of what is chosen, and of a suggestion while nothing else is
SHOWN = "[...document.querySelectorAll('.wildloop img')].filter(each => each.offsetParent && each.src)"


class Stream:
    """The label stream of a project, and the quick view of its tasks."""

    def __init__(self, page: Page, url: str, project_id: int) -> None:
        self._page, self._address = page, f"{url}/projects/{project_id}/data"

    def open(self) -> str:
        """Press "Label All Tasks"; returns the first detection shown."""
        self._page.goto(self._address)
        button = self._page.get_by_role("button", name="Label All Tasks")
        button.wait_for(timeout=120_000)
        return self._after(button.click)

    def submit(self) -> str:
        """Submit by hotkey; returns the next detection shown."""
        return self._after(lambda: self._page.keyboard.press("Control+Enter"))

    def view(self, task_id: int) -> None:
        """Open one task from the list, outside the stream."""
        self._page.goto(f"{self._address}?task={task_id}")
        self._await(task_id)
        self._page.wait_for_load_state("networkidle")
        self._page.wait_for_timeout(1_000)  # the answer is chosen a moment after the task is drawn

    def chosen(self) -> list[str]:
        """The answers that look chosen: the suggestion does while nothing else is chosen."""
        self._page.wait_for_timeout(150)  # what a key does is drawn a moment later
        names: list[str] = self._page.evaluate(
            "colour => [...document.querySelectorAll('.wildloop .species .lsf-choice__checkbox')]"
            ".filter(each => each.offsetHeight && getComputedStyle(each).backgroundColor === colour)"
            ".map(each => each.querySelector('input').name)",
            CHOSEN,
        )
        return names

    def offered(self) -> list[str]:
        """The names of the choices that are to be seen."""
        names: list[str] = self._page.evaluate(
            "[...document.querySelectorAll('.wildloop .lsf-choice')].filter(choice => choice.offsetHeight)"
            ".map(choice => choice.querySelector('input').name)"
        )
        return names

    def pictures(self) -> list[int]:
        """The width in pixels of each picture that is in sight; 0 for one that did not load."""
        self._page.wait_for_function(
            f"{SHOWN}.length >= 2 && {SHOWN}.every(each => each.complete)", timeout=30_000
        )
        widths: list[int] = self._page.evaluate(f"{SHOWN}.map(each => each.naturalWidth)")
        return widths

    def _after(self, act: Callable[[], None]) -> str:
        def serves(response: Response) -> bool:
            return "id=next_task" in response.url

        with self._page.expect_response(serves, timeout=120_000) as answer:
            act()
        task = answer.value.json()
        self._await(task["id"])
        detection: str = task["data"]["detections"][0]
        return detection

    def _await(self, task_id: int) -> None:
        self._page.wait_for_function(
            "id => document.querySelector('.lsf-current-task')?.innerText.startsWith(id)",
            arg=str(task_id),
            timeout=60_000,
        )
        self._page.wait_for_selector(".wildloop .lsf-choice:visible", timeout=60_000)
        self._page.wait_for_timeout(300)  # hotkeys are bound a moment after the choices are drawn
