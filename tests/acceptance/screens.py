"""Tasks of the labelling screens in a real Label Studio, and a person at the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.label_studio import config
from pipeline.label_studio.project import UNCERTAINTY
from pipeline.label_studio.screen.content import Asked
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.screen.task import prediction_result, task_data
from tests.acceptance.conftest import Installation
from tests.helpers import photographs
from tests.helpers.label_stream import CHOSEN

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

VERSION = "v7"
PATIENCE = 60_000  # milliseconds
# Hotkeys act once the options that stand in the task's data are there.
KEYS_ACT = """former => {
    if (window.Htx?.task?.id === former) return false;
    const shown = window.Htx?.annotationStore?.selected;
    const lists = ['species_0', 'all_0', 'photo_empty_0'].map(name => shown?.names.get(name));
    return lists.some(list => list?.tiedChildren.length);
}"""
PICTURES_LOADED = """() => {
    const all = [...document.querySelectorAll('.wildloop img')];
    const pictures = all.filter(each => each.offsetParent && each.src);
    return pictures.length > 0 && pictures.every(each => each.complete && each.naturalWidth);
}"""
SCROLLS = """() => [document.scrollingElement, ...document.querySelectorAll('.lsf-main-content, .wildloop *')]
    .filter(each => each.scrollHeight > each.clientHeight + 1 && each.clientHeight > 60)
    .filter(each => ['auto', 'scroll'].includes(getComputedStyle(each).overflowY))
    .filter(each => !each.closest('.words')).map(each => each.className)"""

BUTTONS = 50  # pixels at the bottom
OUTSIDE = """([width, height]) => [...document.querySelectorAll('.wildloop img, .wildloop .lsf-choice')]
    .filter(each => each.offsetHeight && !each.closest('.words'))
    .filter(each => getComputedStyle(each).clip === 'auto')
    .map(each => [each, each.getBoundingClientRect()])
    .filter(([_, box]) => box.left < 0 || box.top < 0 || box.right > width || box.bottom > height)
    .map(([each, box]) => `${each.className} ${each.innerText} ${JSON.stringify(box)}`)"""


class Screens:
    """A project whose tasks come in the order in which they are given."""

    def __init__(
        self,
        installation: Installation,
        page: Page,
        species: Sequence[str],
        ask: Callable[[Mapping[str, str], Callable[[int], str]], Sequence[Asked]],
        options: ScreenOptions | None = None,
        hints: Mapping[str, str] | None = None,
    ) -> None:
        """`ask` gets the words of the project with their keys, and the address of the picture of a number."""
        self._page, self._client, self._api = page, installation.client, installation.api
        pictures = installation.folder / "crops"
        below = pictures.relative_to(installation.workspace.settings.files_root or installation.folder)

        def address(number: int) -> str:
            path = pictures / f"{number}.jpg"
            if not path.exists():
                photographs.put(path, photographs.encoded(photographs.scene(240, 240, seed=number)))
            return f"/data/local-files/?d={(below / path.name).as_posix()}"

        asked_options = options or ScreenOptions()
        label_config = config.render(species, hints=hints, options=asked_options)
        asked = ask(config.offered(label_config), address)
        self.id = int(
            self._client.create_project(
                title=installation.folder.name,
                label_config=label_config,
                sampling=UNCERTAINTY,
                show_collab_predictions=True,
            )["id"]
        )
        self._client.add_local_storage(self.id, path=str(pictures), title="pictures")
        self.tasks = self._client.import_tasks(
            self.id,
            [task_data(one, asked_options) for one in asked],
            [
                {
                    "model_version": VERSION,
                    "score": place / len(asked),
                    "result": prediction_result(one, asked_options),
                }
                for place, one in enumerate(asked)
            ],
        )
        self._client.update_project(self.id, model_version=VERSION)
        self._url = installation.workspace.settings.label_studio_url

    def open(self) -> None:
        """Press "Label All Tasks" and wait for the first."""
        self._page.goto(f"{self._url}/projects/{self.id}/data")
        button = self._page.get_by_role("button", name="Label All Tasks")
        button.wait_for(timeout=120_000)
        button.click()
        self._ready()

    def press(self, *keys: str) -> None:
        """Press keys one after the other; what each does is drawn before the next."""
        for key in keys:
            self._page.keyboard.press(key)
            self._page.wait_for_timeout(150)

    def type(self, text: str) -> None:
        """Type letters, as into a search."""
        self._page.keyboard.type(text, delay=20)
        self._page.wait_for_timeout(150)

    def submit(self, *, last: bool = False) -> dict[str, Any]:
        """Submit by key and wait for the next task; returns what was stored, by control."""

        def stored(response: Response) -> bool:
            return response.request.method == "POST" and "/annotations" in response.url

        with self._page.expect_response(stored, timeout=PATIENCE) as answer:
            self._page.keyboard.press("Control+Enter")
        number = answer.value.json()["task"]
        if not last:
            self._ready(number)
        return self.stored(number)

    def stored(self, task_id: int) -> dict[str, Any]:
        """The answers of the annotation of a task, by control: a list of words, or a box."""
        answer: Any = self._api.get("reading annotations", f"api/tasks/{task_id}/annotations/")
        (annotation,) = answer
        return {each["from_name"]: _value(each) for each in annotation["result"]}

    def chosen(self) -> list[str]:
        """The options that look chosen, in the order of the screen."""
        names: list[str] = self._page.evaluate(
            "colour => [...document.querySelectorAll('.wildloop .species .lsf-choice__checkbox')]"
            ".filter(each => each.offsetHeight && getComputedStyle(each).backgroundColor === colour)"
            ".map(each => each.querySelector('input').name)",
            CHOSEN,
        )
        return names

    def seen(self, place: str) -> list[str]:
        """The options that are to be seen in a part of the screen."""
        names: list[str] = self._page.evaluate(
            "place => [...document.querySelectorAll(`.wildloop ${place} .lsf-choice`)]"
            ".filter(each => each.offsetHeight).map(each => each.querySelector('input').name)",
            place,
        )
        return names

    def scrolls(self) -> list[str]:
        """The parts of the page that are larger than what is to be seen of them."""
        found: list[str] = self._page.evaluate(SCROLLS)
        return found

    def outside(self, width: int, height: int) -> list[str]:
        """The pictures and options that are not within a page of this size, above Label Studio's buttons."""
        found: list[str] = self._page.evaluate(OUTSIDE, [width, height - BUTTONS])
        return found

    def _ready(self, former: int = 0) -> None:
        """Wait until the task after `former` takes keys and shows its pictures."""
        self._page.wait_for_function(KEYS_ACT, arg=former, timeout=PATIENCE)
        self._page.wait_for_function(PICTURES_LOADED, timeout=PATIENCE)
        self._page.wait_for_timeout(400)  # the suggestion is drawn a moment after the options


def _value(entry: Mapping[str, Any]) -> Any:
    value = entry["value"]
    return value.get("choices") or value.get("text") or value
