"""Key presses and seconds for the same labels: one by one, by sequences, by boards.

    python benchmarks/screens.py [--labels 100] [--seeds 100] [--fish DIR] [--embedder SPEC] [--only scenes]

Starts a Label Studio, trains a version on `--seeds` true labels, and lets a played annotator, who knows the
truth, answer in Chromium by keys alone: crops one by one, the same crops as sequences, and crops that the
version calls an easy species as boards. What is struck out comes back as a single and is answered, too.
Prints key presses and seconds, and the labels that are wrong at the end, each beside one by one. Needs
`wildloop[demo]`, the `playwright` package and Chromium.

Seconds are the machine's: the played annotator does not think. `--fish` is a folder with crops and a
`labels.csv` (file_name, label, seq_id, frame_num, location); the other pool are the demo's rendered scenes.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tabulate import tabulate

from importers.sources.megadetector import import_results
from pipeline.arrays import numbered
from pipeline.demo.scenes import scene_set
from pipeline.demo.truth import read_truth
from pipeline.embedders import load
from pipeline.grouping.likeness import alike_order
from pipeline.grouping.sequences import Crops, grouped
from pipeline.identity import detection_id, image_id
from pipeline.label_studio.client import LabelStudio
from pipeline.local_label_studio import fresh_account
from pipeline.records import (
    WHOLE_FRAME,
    WHOLE_FRAME_DETECTOR,
    AnnotationRecord,
    DetectionRecord,
    ImageRecord,
    Purpose,
    TaskKind,
    Verdict,
    utc_now,
)
from pipeline.servers import label_studio
from pipeline.servers.processes import Servers, free_port
from pipeline.settings import Settings
from pipeline.steps.embedding.embed import embed
from pipeline.steps.labelling.ask import PlannedTask, ask
from pipeline.steps.labelling.project import create_project
from pipeline.steps.labelling.sync import sync
from pipeline.steps.learning.predict import load_version
from pipeline.steps.learning.train import train
from pipeline.store import candidates, categories, detections, embeddings, images, oracle
from pipeline.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from playwright.sync_api import Page, Response

WAYS = ("one by one", "sequences", "boards")
BOARD = 24  # crops
PATIENCE = 60_000  # milliseconds
SETTLE = 100  # milliseconds: keys act a moment after the pictures are drawn


@dataclass(frozen=True, kw_only=True)
class TruePool:
    """A workspace of crops without labels, whose true labels are known."""

    name: str
    folder: Path  # the data folder
    truth: Mapping[str, str]  # by detection id


@dataclass(kw_only=True)
class Work:
    """What a played annotator did."""

    tasks: int = 0
    presses: int = 0
    seconds: float = 0.0  # from the screen being drawn to the next one being drawn
    asked: set[str] = field(default_factory=set)  # detections


def fish(source: Path, data_dir: Path) -> TruePool:
    """Store the crops of a folder with a `labels.csv`, each as a photograph of its own."""
    workspace = workspace_in(data_dir, "http://localhost:1", "")
    truth: dict[str, str] = {}
    photographs, crops = [], []
    start = dt.datetime(2024, 5, 1)
    with (source / "labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            image = image_id(row["file_name"], row["file_name"])
            crop = detection_id(image, WHOLE_FRAME_DETECTOR, WHOLE_FRAME)
            paths = {name: f"{name}/{crop[:2]}/{crop}.jpg" for name in ("crops", "frames")}
            for path in paths.values():
                (data_dir / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / row["file_name"], data_dir / path)
            photographs.append(
                ImageRecord(
                    id=image,
                    file_name=row["file_name"],
                    path=str(source / row["file_name"]),
                    location=row["location"],
                    seq_id=row["seq_id"],
                    frame_num=int(row["frame_num"] or 0),
                    datetime=start + dt.timedelta(seconds=int(row["frame_num"] or 0)),
                )
            )
            crops.append(
                DetectionRecord(
                    id=crop,
                    image_id=image,
                    box=WHOLE_FRAME,
                    bbox_confidence=None,
                    detector=WHOLE_FRAME_DETECTOR,
                    crop_path=paths["crops"],
                    frame_path=paths["frames"],
                )
            )
            truth[crop] = row["label"].lower()
    with workspace.database.write() as conn:
        images.add(conn, photographs)
        detections.add(conn, crops)
    workspace.database.dispose()
    return TruePool(name="fish", folder=data_dir, truth=truth)


def scenes(data_dir: Path) -> TruePool:
    """Render the demo's scenes and import them."""
    files = scene_set.render(data_dir.with_name("scenes"))
    workspace = workspace_in(data_dir, "http://localhost:1", "")
    import_results(workspace, files.results, files.photos)
    known = read_truth(files.truth)
    with workspace.database.read() as conn:
        ids = candidates.waiting_ids(conn)
        records = detections.get(conn, ids)
        names = detections.file_names(conn, ids)
    truth = {crop: known.label(names[crop], records[crop].box) or "empty" for crop in ids}
    workspace.database.dispose()
    return TruePool(name="scenes", folder=data_dir, truth=truth)


def workspace_in(data_dir: Path, url: str, token: str) -> Workspace:
    """The workspace of a data folder that lies in the document root of a Label Studio."""
    data_dir.mkdir(parents=True, exist_ok=True)
    environ = {
        "WILDLOOP_DATA_DIR": str(data_dir),
        "LABEL_STUDIO_URL": url,
        "LABEL_STUDIO_API_KEY": token,
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(data_dir.parent),
    }
    return open_workspace(Settings.from_environ(environ).with_secrets())


@contextmanager
def label_studio_in(folder: Path) -> Iterator[tuple[str, Any]]:
    """A Label Studio that serves the files of `folder`; yields its address and an account."""
    account, url = fresh_account("played@example.org"), f"http://localhost:{(port := free_port())}"
    environ = label_studio.environ(account, url=url, data_dir=folder / "label-studio", served_dir=folder)
    with Servers(folder / "logs") as servers:
        servers.start("label-studio", label_studio.command(port), environ)
        servers.wait_until_up(f"{url}/health", seconds=300)
        yield url, account


class Played:
    """Answers tasks by keys as the truth says; `words` are the choices of the project."""

    def __init__(self, page: Page, truth: Mapping[str, str], words: Sequence[str]) -> None:
        self._page, self._truth, self._words = page, truth, words

    def keys(self, task: Mapping[str, Any]) -> list[str]:
        """The keys that answer the task, without the one that submits."""
        data = task["data"]
        suggested = {
            choice
            for prediction in task["predictions"]
            for result in prediction["result"]
            for choice in result["value"].get("choices", ())
        }
        if data["single"]:
            return self._answer(data["single"][0]["choices"], self._truth[data["detections"][0]], suggested)
        group = data["group"][0]
        true = {item["value"]: self._truth[item["value"]] for item in group["items"]}
        counts = Counter(true.values())
        wanted = max(counts, key=lambda name: (counts[name], name in suggested))
        if task["data"]["kind"] == TaskKind.BOARD:  # the question is what it suggests
            wanted = next(iter(suggested), wanted)
        keys = self._answer(group["choices"], wanted, suggested)
        odd = [item for item in group["items"] if true[item["value"]] != wanted]
        keys += [item["hotkey"] for item in odd]
        others = {true[item["value"]] for item in odd}
        if len(others) == 1:
            [other] = others
            keys += [each["hotkey"] for each in group["struck"] if each["value"].lower() == other][:1]
        return [key.split(",")[0] for key in keys]

    def _answer(self, choices: Sequence[Mapping[str, Any]], true: str, suggested: set[str]) -> list[str]:
        if true in {word.lower() for word in suggested}:
            return []
        for choice in choices:
            if str(choice["value"]).lower() == true and choice.get("hotkey"):
                return [str(choice["hotkey"]).split(",")[0]]
        return ["=", *self._search(true), "Enter", "Tab"]

    def _search(self, true: str) -> str:
        """The fewest letters that make `true` the first hit of the search."""
        for length in range(1, len(true)):
            hits = [word for word in self._words if true[:length] in word.lower()]
            if hits and hits[0].lower() == true:
                return true[:length]
        return true

    def press(self, key: str) -> None:
        """Press a key as Label Studio names it."""
        names = {"shift": "Shift", "ctrl": "Control", "left": "ArrowLeft", "right": "ArrowRight"}
        *modifiers, last = key.split("+") if key not in ("+", "=") else [key]
        pressed = [names.get(modifier, modifier) for modifier in modifiers]
        if "Shift" in pressed and last.isdigit():
            last = f"Digit{last}"
        self._page.keyboard.press("+".join([*pressed, names.get(last, last)]))


def play(page: Page, address: str, played: Played) -> Work:
    """Answer all tasks of the label stream."""
    work = Work()
    page.goto(address)
    button = page.get_by_role("button", name="Label All Tasks")
    button.wait_for(timeout=PATIENCE)
    task = _next(page, button.click)
    while task is not None:
        _await_pictures(page, task["id"])
        started = time.perf_counter()
        keys = played.keys(task)
        for key in keys:
            played.press(key)
        served = _next(page, lambda: page.keyboard.press("Control+Enter"))
        if served is not None:
            _await_pictures(page, served["id"])
        work.seconds += time.perf_counter() - started
        work.tasks += 1
        work.presses += len(keys) + 1
        work.asked.update(task["data"]["detections"])
        task = served
    return work


def _next(page: Page, act: Any) -> Mapping[str, Any] | None:
    def serves(response: Response) -> bool:
        return "id=next_task" in response.url

    with page.expect_response(serves, timeout=PATIENCE) as answer:
        act()
    if answer.value.status == 404:
        return None
    number = answer.value.json()["id"]
    origin = "/".join(page.url.split("/")[:3])
    task: Mapping[str, Any] = page.request.get(f"{origin}/api/tasks/{number}").json()
    return task


def _await_pictures(page: Page, task_id: int) -> None:
    page.wait_for_function(
        """id => document.querySelector('.lsf-current-task')?.innerText.startsWith(id)
        && [...document.querySelectorAll('.wildloop img')].every(
          image => image.loading === 'lazy' || (image.complete && image.naturalWidth))""",
        arg=str(task_id),
        timeout=PATIENCE,
    )
    page.wait_for_timeout(SETTLE)


def measure(pool: TruePool, way: str, options: argparse.Namespace, url: str, account: Any, page: Page) -> Any:
    """Ask about the crops of the pool in one way, in a project of its own; returns a row of the table."""
    folder = pool.folder.with_name(f"{pool.name}-{way.replace(' ', '-')}")
    shutil.copytree(pool.folder, folder)
    workspace = workspace_in(folder, url, account.token)
    client = LabelStudio(url, account.token)
    embedder = load(options.embedder, data_dir=folder)
    embed(workspace, embedder)
    with workspace.database.write() as conn:
        embeddings.register(conn, embedder)
    words = sorted(set(pool.truth.values()) - {"empty"})
    project, _ = create_project(
        workspace,
        client,
        title=f"{pool.name}, {way}",
        species=words,
        embedder_id=embedder.id,
        connect_backend=False,
    )
    give_seeds(workspace, pool, options.seeds)
    record = train(workspace, project.id)
    if record is None:
        sys.exit("nothing to train on")
    planned = plan(workspace, record, way, options.labels)
    ask(workspace, client, project.id, planned, version=record.version)
    client.update_project(project.id, model_version=record.version)
    played, address = Played(page, pool.truth, words), f"{url}/projects/{project.id}/data"
    work = play(page, address, played)
    sync(workspace, client, project.id)
    with workspace.database.read() as conn:
        labels = oracle.labels(conn)
    again = sorted(work.asked - labels.keys())
    if again:
        ask(workspace, client, project.id, list(map(single, again)), version=record.version)
        rest = play(page, address, played)
        work.tasks, work.presses = work.tasks + rest.tasks, work.presses + rest.presses
        work.seconds += rest.seconds
        sync(workspace, client, project.id)
    with workspace.database.read() as conn:
        labels, names = oracle.labels(conn), categories.names(conn)
    wrong = sum(names[labels[crop]] != pool.truth[crop] for crop in work.asked & labels.keys())
    workspace.database.dispose()
    return {
        "crops": len(work.asked),
        "tasks": work.tasks,
        "presses": work.presses,
        "seconds": work.seconds,
        "labels": len(work.asked & labels.keys()),
        "wrong": wrong,
    }


def single(crop: str, score: float = 0.0) -> PlannedTask:
    """The crop by itself, without a suggestion."""
    return PlannedTask(kind=TaskKind.SINGLE, purpose=Purpose.QUEUE, detections=(crop,), score=score)


def give_seeds(workspace: Workspace, pool: TruePool, number: int) -> None:
    """Label `number` crops as the truth says, in whole sequences drawn at random, as a source would."""
    with workspace.database.read() as conn:
        places = candidates.places(conn, pool.truth)
    sequences = sorted({place.sequence for place in places.values()})
    np.random.default_rng(0).shuffle(sequences)
    of_sequence: dict[str, list[str]] = {name: [] for name in sequences}
    for crop in sorted(pool.truth):
        of_sequence[places[crop].sequence].append(crop)
    seeds = [crop for name in sequences for crop in of_sequence[name]][:number]
    with workspace.database.write() as conn:
        ids = categories.ensure(conn, sorted(set(pool.truth.values())))
        oracle.append(
            conn,
            [
                AnnotationRecord(
                    project_id=None,
                    detection_id=crop,
                    annotation_uid=f"seed {crop}",
                    annotation_id=None,
                    task_id=None,
                    verdict=Verdict.LABEL,
                    label=ids[pool.truth[crop]],
                    annotator=None,
                    annotated_at=utc_now(),
                    source="truth",
                )
                for crop in seeds
            ],
        )
        oracle.update_labels(conn, seeds)


def plan(workspace: Workspace, record: Any, way: str, number: int) -> list[PlannedTask]:
    """The tasks: about `number` crops in whole sequences, or boards of the most frequent easy species."""
    version = load_version(workspace, record)
    with workspace.database.read() as conn:
        ids = candidates.waiting_ids(conn)
        places = candidates.places(conn, ids)
        frames = {
            crop: images.get(conn, [found.image_id])[found.image_id].frame_num or 0
            for crop, found in detections.get(conn, ids).items()
        }
    rows = np.array([version.pool.index[crop] for crop in ids], np.intp)
    predicted = version.predict(rows)
    sequence = numbered([places[crop].sequence for crop in ids])[1]
    if way == "boards":
        sure = predicted.probability >= 0.9
        easy = Counter(predicted.category[sure].tolist()).most_common(1)[0][0]
        chosen = np.flatnonzero(sure & (predicted.category == easy))[: number // BOARD * BOARD or BOARD]
        chosen = chosen[alike_order(version.pool.vectors[rows[chosen]])]
        groups = [chosen[start : start + BOARD] for start in range(0, len(chosen), BOARD)]
        kind = TaskKind.BOARD
    else:
        order = np.random.default_rng(1).permutation(sequence.max() + 1)[sequence]
        queue = np.lexsort((np.arange(len(ids)), order)).astype(np.intp)
        last = order[queue[min(number, len(queue)) - 1]]
        queue = queue[order[queue] <= last]
        crops = Crops(
            sequences=sequence,
            frames=np.array([frames[crop] for crop in ids], np.intp),
            named=predicted.category,
            probability=predicted.probability,
            alone=np.zeros(len(ids), np.bool_),
        )
        groups = [np.array([row]) for row in queue] if way == "one by one" else grouped(queue, crops)
        kind = TaskKind.SEQUENCE
    return [
        PlannedTask(
            kind=kind if len(group) > 1 else TaskKind.SINGLE,
            purpose=Purpose.QUEUE,
            detections=tuple(ids[row] for row in group),
            score=place / len(groups),
            suggested=int(predicted.category[group[0]]),
            probability=float(predicted.probability[group].mean()),
        )
        for place, group in enumerate(groups)
    ]


def main() -> None:
    """Measure every pool in every way, and print the table."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--labels", type=int, default=100, help="crops to ask about, one by one and by sequences"
    )
    parser.add_argument("--seeds", type=int, default=100, help="true labels that the version learns from")
    parser.add_argument("--fish", type=Path, default=Path("../shared/data/fish_crops"))
    parser.add_argument("--embedder", default="descriptor")
    parser.add_argument("--only", choices=("fish", "scenes"))
    options = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory() as temporary, label_studio_in(Path(temporary)) as (url, account):
        root = Path(temporary)
        pools = [] if options.only == "scenes" else [fish(options.fish.resolve(), root / "fish")]
        pools += [] if options.only == "fish" else [scenes(root / "scenes-data")]
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
            page.goto(f"{url}/user/login/")
            page.fill("input[name=email]", account.user)
            page.fill("input[name=password]", account.password)
            page.click("button[type=submit]")
            page.wait_for_url(f"{url}/**")
            for pool in pools:
                base = None
                for way in WAYS:
                    found = measure(pool, way, options, url, account, page)
                    presses = found["presses"] / max(1, found["labels"] - found["wrong"])
                    seconds = found["seconds"] / max(1, found["labels"])
                    base = base or (presses, seconds)
                    ratios = f"{presses / base[0]:.2f}", f"{seconds / base[1]:.2f}"
                    table.append(
                        [
                            *(pool.name, way, found["crops"], found["tasks"], found["presses"]),
                            *(f"{presses:.2f}", ratios[0], f"{seconds:.2f}", ratios[1]),
                            *(found["labels"], found["wrong"]),
                        ]
                    )
                    print(table[-1], file=sys.stderr, flush=True)
            browser.close()
    headings = ["pool", "way", "crops", "tasks", "presses", "per right label", "ratio"]
    print(tabulate(table, [*headings, "s per label", "ratio", "labels", "wrong"]))


if __name__ == "__main__":
    main()
