"""Submit to the next picture: a project of a million crops while it trains, beside a bare Label Studio.

    python benchmarks/label_stream.py [--crops 1000000] [--submits 100] [--folder DIR]

One Label Studio (SQLite) holds both projects. Wildloop's has its ML backend with webhooks, and a worker that
trains all the time; the bare one has as many tasks as the stock, with the same pictures and two choices. A
browser answers in both by turns: a key, then Ctrl+Enter. What is measured in the page is the time from that
key press until the next task with all its pictures is drawn. First comes the time from a new version until
Label Studio serves its tasks.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from pipeline import jobs
from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.local_label_studio import fresh_account
from pipeline.records import (
    AnnotationRecord,
    Box,
    DetectionRecord,
    ImageRecord,
    RunKind,
    RunState,
    Verdict,
    utc_now,
)
from pipeline.servers import label_studio
from pipeline.servers.processes import Servers, executable, free_port
from pipeline.settings import Settings
from pipeline.steps.labelling.project import create_project
from pipeline.store import categories, detections, embeddings, images, oracle, runs
from pipeline.store.database import chunks
from pipeline.workspace import Workspace, open_workspace

SPECIES = [f"species {number}" for number in range(40)]
LABELS = 2_000  # of people, before the benchmark begins
PICTURES = 500  # different ones
BATCH = 50_000
BARE = (
    '<View className="bare"><Image name="crop" value="$crop"/><Choices name="species" toName="crop" '
    'choice="single-radio"><Choice value="deer" hotkey="1"/><Choice value="fox" hotkey="2"/></Choices></View>'
)
# Notes when Ctrl+Enter is pressed, and when the next task is drawn with its pictures.
WATCH = """
window.watch = () => {
  const task = () => document.querySelector('.lsf-current-task')?.innerText.split('\\n')[0];
  const before = task();
  window.pressed = null;
  const note = event => { if (event.key === 'Enter') window.pressed ??= performance.now(); };
  window.addEventListener('keydown', note, {capture: true});
  window.drawn = new Promise(resolve => {
    const look = () => {
      const seen = [...document.querySelectorAll('.wildloop img, .bare img')]
        .filter(each => each.offsetHeight);
      const ready = task() && task() !== before && seen.length && document.querySelector('.lsf-choice')
        && seen.every(each => each.complete && each.naturalWidth);
      if (!ready) return requestAnimationFrame(look);
      window.removeEventListener('keydown', note, {capture: true});
      resolve(performance.now() - window.pressed);
    };
    look();
  });
}
"""


@dataclass(frozen=True, kw_only=True)
class _Embedder:
    id: str = "made-up"
    dimension: int = 384
    manifest: dict[str, Any] = field(default_factory=lambda: {"spec": "made-up"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--crops", type=int, default=1_000_000)
    parser.add_argument("--submits", type=int, default=100, help="in each project")
    parser.add_argument("--folder", type=Path, help="for the data; a temporary one otherwise")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        measure(Path(folder), given.crops, given.submits)


def measure(folder: Path, crops: int, submits: int) -> None:
    """Set everything up in `folder`, and print the table."""
    account = fresh_account("annotator@example.org")
    url, backend = (f"http://localhost:{free_port()}" for _ in range(2))
    environ = os.environ | {
        "WILDLOOP_DATA_DIR": str(folder / "data"),
        "LABEL_STUDIO_URL": url,
        "LABEL_STUDIO_API_KEY": account.token,
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(folder),
        "WILDLOOP_BACKEND_URL": backend,
    }
    environ.pop("REDIS_URL", None)
    workspace = open_workspace(Settings.from_environ(environ).with_secrets())
    with timed(f"{crops:,} crops stored"):
        fill(workspace, crops)
    with Servers(folder) as servers:
        server = label_studio.environ(account, url=url, data_dir=folder / "ls", served_dir=folder)
        port = int(url.rsplit(":", 1)[1])
        servers.start("label-studio", label_studio.command(port), server)
        servers.wait_until_up(f"{url}/health", seconds=300)
        program = executable("wildloop", "")
        serve = [program, "serve", "--port", backend.rsplit(":", 1)[1], "--workers", "1"]
        servers.start("backend", serve, environ)
        servers.wait_until_up(f"{backend}/health", seconds=300)
        client = LabelStudio(url, account.token)
        project, _ = create_project(
            workspace, client, title="A million", species=SPECIES, embedder_id=_Embedder().id
        )
        give_labels(workspace, project.id)
        servers.start("worker", [program, "worker"], environ)
        with timed("first training, from its request until the stock was in Label Studio"):
            train(workspace, project.id)
        bare = bare_project(client, workspace)
        with stream(url, account.user, account.password) as page:
            measured = by_turns(page, url, workspace, project.id, bare, submits)
    print_table(crops, measured)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long the block took."""
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)


def fill(workspace: Workspace, crops: int) -> None:
    """Store crops in sequences of three, with vectors around the centre of their species."""
    rng = np.random.default_rng(0)
    folder = workspace.data_dir / "crops"
    folder.mkdir(parents=True)
    for number in range(PICTURES):
        pixels = rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((320, 320)).save(folder / f"{number}.jpg", quality=85)
    embedder = _Embedder()
    centres = 4 * rng.normal(size=(len(SPECIES), embedder.dimension)) / np.sqrt(embedder.dimension)
    with workspace.database.write() as conn:
        embeddings.register(conn, embedder)
        categories.ensure(conn, SPECIES)
    box = Box(x1=0.2, y1=0.2, x2=0.6, y2=0.6)
    for numbers in chunks(range(crops), BATCH):
        shown = [species_of(number) for number in numbers]
        noise = rng.normal(size=(len(numbers), embedder.dimension)) / np.sqrt(embedder.dimension)
        with workspace.database.write() as conn:
            images.add(
                conn,
                [
                    ImageRecord(
                        id=f"i{number:07}",
                        file_name=f"{number}.jpg",
                        path=f"/nowhere/{number}.jpg",
                        location=f"site {number // 3 % 50}",
                        seq_id=f"sequence {number // 3}",
                    )
                    for number in numbers
                ],
            )
            detections.add(
                conn,
                [
                    DetectionRecord(
                        id=crop_id(number),
                        image_id=f"i{number:07}",
                        box=box,
                        bbox_confidence=0.9,
                        detector="made-up",
                        crop_path=f"crops/{number % PICTURES}.jpg",
                        frame_path=f"crops/{number % PICTURES}.jpg",
                    )
                    for number in numbers
                ],
            )
            ids = [crop_id(number) for number in numbers]
            embeddings.append(conn, embedder.id, ids, (centres[shown] + noise).astype(np.float32))


def crop_id(number: int) -> str:
    """An id that sorts crops at random, as digests do."""
    return f"{number * 2_654_435_761 % 2**32:08x}-{number:07}"


def species_of(number: int) -> int:
    """The species of a crop: the crops of a sequence show the same, and some species are rare."""
    return int((number // 3 * 2_654_435_761 % 2**32 / 2**32) ** 2 * len(SPECIES))


def give_labels(workspace: Workspace, project_id: int) -> None:
    """People have labelled the first crops."""
    with workspace.database.write() as conn:
        number_of = categories.ensure(conn, SPECIES)
        labelled = range(0, 3 * LABELS, 3)
        oracle.append(
            conn,
            [
                AnnotationRecord(
                    project_id=project_id,
                    detection_id=crop_id(number),
                    annotation_uid=f"before-{number}",
                    annotation_id=None,
                    task_id=None,
                    verdict=Verdict.LABEL,
                    label=number_of[SPECIES[species_of(number)]],
                    annotator="1",
                    annotated_at=utc_now(),
                )
                for number in labelled
            ],
        )
        oracle.update_labels(conn, map(crop_id, labelled))


def train(workspace: Workspace, project_id: int) -> None:
    """Let the worker train, and wait for the end."""
    run_id = jobs.request(workspace, project_id, RunKind.TRAIN, trigger="command")
    while True:
        with workspace.database.read() as conn:
            run = runs.get(conn, run_id)
        if run.state is RunState.FAILED:
            raise SystemExit(f"the training failed: {run.error}")
        if run.state is RunState.DONE:
            return
        time.sleep(0.2)


def bare_project(client: LabelStudio, workspace: Workspace) -> int:
    """A project with the same pictures, as many as the stock, and nothing of Wildloop; returns its id."""
    project = client.create_project(title="Bare", label_config=BARE, sampling="Sequential sampling")
    served = ServedFiles.of(workspace.settings, client.browser_path())
    for folder in served.folders:
        if Path(folder).is_dir():
            client.add_local_storage(project["id"], path=folder, title="Pictures")
    stock = ScreenOptions().stock
    client.import_tasks(
        project["id"],
        [{"crop": served.address(f"crops/{number % PICTURES}.jpg")} for number in range(stock)],
    )
    return int(project["id"])


@contextmanager
def stream(url: str, user: str, password: str) -> Iterator[Page]:
    """A browser in which the annotator has logged in."""
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        page.set_default_timeout(120_000)
        page.goto(f"{url}/user/login/")
        page.fill("input[name=email]", user)
        page.fill("input[name=password]", password)
        page.click("button[type=submit]")
        page.wait_for_url(f"{url}/**")
        yield page
        browser.close()


def by_turns(
    page: Page, url: str, workspace: Workspace, project_id: int, bare: int, submits: int
) -> dict[str, list[float]]:
    """Milliseconds from each submit to the next picture, in both projects by turns, during trainings."""
    measured: dict[str, list[float]] = {"Wildloop": [], "bare Label Studio": []}
    turn = max(10, submits // 5)
    while len(measured["bare Label Studio"]) < submits:
        for name, number in (("Wildloop", project_id), ("bare Label Studio", bare)):
            page.goto(f"{url}/projects/{number}/data")
            page.get_by_role("button", name="Label All Tasks").click()
            page.wait_for_selector(".lsf-choice")
            page.wait_for_timeout(2_000)
            for _ in range(turn):
                keep_training(workspace, project_id)
                page.evaluate(WATCH)
                page.evaluate("window.watch()")
                page.keyboard.press("1")
                page.wait_for_timeout(100)
                page.keyboard.press("Control+Enter")
                measured[name].append(float(page.evaluate("window.drawn")))
                page.wait_for_timeout(300)
    return measured


def keep_training(workspace: Workspace, project_id: int) -> None:
    """Request the next training if none waits or is under way."""
    with workspace.database.read() as conn:
        if any(run.kind is RunKind.TRAIN for run in runs.open_runs(conn, project_id)):
            return
    jobs.request(workspace, project_id, RunKind.TRAIN, trigger="command")


def print_table(crops: int, measured: Mapping[str, Sequence[float]]) -> None:
    """The percentiles of both, and their ratio."""
    print(f"\n{crops:,} crops, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| submit to next picture | submits | p50 | p95 | largest |")
    print("| --- | --- | --- | --- | --- |")
    for name, values in measured.items():
        p50, p95 = np.percentile(values, [50, 95])
        print(f"| {name} | {len(values)} | {p50:.0f} ms | {p95:.0f} ms | {max(values):.0f} ms |")
    ours, bare = (np.percentile(values, [50, 95]) for values in measured.values())
    print(f"| ratio | | {ours[0] / bare[0]:.2f} | {ours[1] / bare[1]:.2f} | |")


if __name__ == "__main__":
    main()
