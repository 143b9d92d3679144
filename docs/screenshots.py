"""Take the pictures of the labelling screen that the documentation shows.

    python docs/screenshots.py [--labels 40] [--folder DIR]

Runs `wildloop demo` in a folder of its own, lets its simulated annotator give some labels so that the
screen has suggestions, opens the label stream in Chromium and writes `docs/images/labelling.webp`. Needs
`wildloop[demo]`, the `playwright` package and Chromium (`CHROMIUM`, by default /usr/bin/chromium). Takes
about five minutes. Look at the pictures before you commit them.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1366, 768  # pixels: a common laptop
LARGEST = 200_000  # bytes of a picture
QUALITY = 85  # of WebP
READY = "Ctrl-C"  # stands in the demo's last line, once its labels are learned
PATIENCE = 120_000  # milliseconds
TRIES = 20  # tasks passed over until one comes with a suggestion


@contextmanager
def demo(folder: Path, labels: int) -> Iterator[str]:
    """A demo whose simulated annotator has given `labels` labels; yields Label Studio's address."""
    command = [shutil.which("wildloop") or "wildloop", "demo", "--folder", str(folder)]
    if labels:
        command += ["--annotator", "truth", "--labels", str(labels)]
    log = folder.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | {"COLUMNS": "100"})
    try:
        while READY not in log.read_text():
            if process.poll() is not None:
                sys.exit(f"the demo ended:\n{log.read_text()[-2000:]}")
            time.sleep(1)
        yield f"http://localhost:{state(folder)['label_studio_port']}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def state(folder: Path) -> dict[str, str]:
    """What the demo keeps of itself: address and login."""
    stored: dict[str, str] = json.loads((folder / "demo.json").read_text())
    return stored


def log_in(page: Page, url: str, user: str, password: str) -> None:
    """Enter Label Studio."""
    page.goto(f"{url}/user/login/")
    page.fill("input[name=email]", user)
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "/user/login" not in address, timeout=PATIENCE)


def open_stream(page: Page, url: str) -> None:
    """Open the first project and press "Label All Tasks"."""
    project = page.request.get(f"{url}/api/projects").json()["results"][0]["id"]
    page.goto(f"{url}/projects/{project}/data")
    page.get_by_role("button", name="Label All Tasks").click(timeout=PATIENCE)
    settle(page)


def settle(page: Page) -> None:
    """Wait until the choices and both pictures of a task are drawn."""
    page.wait_for_selector(".wildloop .lsf-choice", timeout=PATIENCE)
    page.wait_for_load_state("networkidle", timeout=PATIENCE)
    page.wait_for_timeout(2_000)  # the suggestion is selected a moment after the task is drawn


def until_suggested(page: Page) -> None:
    """Skip tasks, such as audit crops, until one comes with a suggested species."""
    for _ in range(TRIES):
        if page.locator(".ant-radio-wrapper-checked").count():
            return
        page.keyboard.press("Control+Space")
        settle(page)
    sys.exit(f"none of {TRIES} tasks came with a suggestion: give more --labels")


def shoot(page: Page, name: str) -> None:
    """Write what the page shows to `docs/images/NAME.webp`."""
    path = IMAGES / f"{name}.webp"
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.save(path, "WEBP", quality=QUALITY, method=6)
    size = path.stat().st_size
    print(f"{path}: {picture.width} x {picture.height}, {size:,} bytes")
    if size > LARGEST:
        sys.exit(f"{path} has more than {LARGEST:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--labels", type=int, default=40, help="by the simulated annotator, before the picture"
    )
    parser.add_argument("--folder", type=Path, help="of the demo; a temporary folder by default")
    options = parser.parse_args()
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "demo"
        with demo(folder, options.labels) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            known = state(folder)
            log_in(page, url, known["user"], known["password"])
            open_stream(page, url)
            if options.labels:
                until_suggested(page)
            shoot(page, "labelling")
            browser.close()


if __name__ == "__main__":
    main()
