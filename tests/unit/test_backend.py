"""The backend over a small database; also run with a stand-in for label-studio-ml 2.x."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from backend import external_tasks, trainings
from backend.app import create_app
from pipeline import jobs, version_files
from pipeline.embedders import load
from pipeline.errors import LabelStudioError, StoreError
from pipeline.heads import LinearHead
from pipeline.label_studio.screen import controls
from pipeline.records import (
    ModelRecord,
    PredictionRecord,
    ProjectRecord,
    Purpose,
    TaskKind,
    TaskRecord,
    utc_now,
)
from pipeline.settings import Settings
from pipeline.steps.labelling.stock_plan import is_external
from pipeline.store import (
    categories,
    detections,
    embeddings,
    models,
    oracle,
    projects,
    tasks,
)
from pipeline.store.database import Database
from pipeline.workspace import Workspace
from tests.helpers.stored import publish_tasks

PROJECT = 3
UID = f"{PROJECT}.1700000000"
CONFIG = (
    '<View><Image name="crop" value="$crop"/>'
    '<Choices name="species" toName="crop"><Choice value="deer"/><Choice value="fox"/></Choices></View>'
)
BASIC = {"Authorization": "Basic " + base64.b64encode(b"ls:p\xc3\xa4ss").decode()}
SECRET = {"X-Wildloop-Secret": "hush"}
DETECTION_OF = {1: "d1", 2: "d2", 3: "d3"}  # by task


@pytest.fixture
def workspace(sqlite_database: Database, tmp_path: Path) -> Workspace:
    """Three published detections with embeddings, and no version yet."""
    settings = Settings(
        data_dir=tmp_path / "data",
        database_url="",
        basic_auth_user="ls",
        basic_auth_password="päss",
        webhook_secret="hush",
    )
    embedder = load("descriptor", data_dir=tmp_path)
    vectors = np.zeros((3, embedder.dimension), np.float32)
    vectors[0, 0], vectors[1, 1], vectors[2, :2] = 1, 1, (1.0, 0.9)
    publish_tasks(
        sqlite_database, ProjectRecord(id=PROJECT, title="Forest", embedder=embedder.id), DETECTION_OF
    )
    with sqlite_database.write() as conn:
        embeddings.register(conn, embedder)
        embeddings.append(conn, embedder.id, list(DETECTION_OF.values()), vectors)
    return Workspace(settings=settings, database=sqlite_database)


@pytest.fixture
def client(workspace: Workspace) -> FlaskClient:
    return create_app(workspace).test_client()


def activate(workspace: Workspace, version: str = "v1", queue: tuple[PredictionRecord, ...] = ()) -> None:
    """Activate a version whose head predicts deer by the first number and fox by the second."""
    with workspace.database.read() as conn:
        embedder_id = projects.get(conn, PROJECT).embedder
        dimension = embeddings.get_embedder(conn, embedder_id).dimension
        numbers = {name: number for number, name in categories.names(conn).items()}
    weights = np.zeros((2, dimension), np.float32)
    weights[0, 0] = weights[1, 1] = 1.0
    head = LinearHead(
        embedder=embedder_id,
        classes=[numbers["deer"], numbers["fox"]],
        weights=weights,
        bias=np.zeros(2, np.float32),
        temperature=1.0,
        penalty=None,
        shrinkage=None,
        logistic_weight=None,
    )
    record = ModelRecord(
        version=version,
        project_id=PROJECT,
        embedder=embedder_id,
        digest=version,
        labels=2,
        path=f"models/{version}",
        created_at=utc_now(),
    )
    version_files.save(workspace.data_dir, record, head, names={})
    with workspace.database.write() as conn:
        models.activate(conn, record, queue)


def task(number: int, **data: Any) -> dict[str, Any]:
    return {"id": number, "project": PROJECT, "data": data, "annotations": [], "predictions": []}


def predict(client: FlaskClient, *tasks_shown: Any) -> Any:
    body = {
        "tasks": list(tasks_shown),
        "project": UID,
        "label_config": CONFIG,
        "params": {"login": None, "password": None, "context": None},
    }
    answer = client.post("/predict", json=body, headers=BASIC)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.json is not None
    results = answer.json["results"]
    assert len(results) == len(tasks_shown)
    return results


def chosen(prediction: dict[str, Any]) -> str:
    name: str = prediction["result"][0]["value"]["choices"][0]
    return name


# --- predictions


def test_predict_works_without_a_previous_setup(workspace: Workspace, client: FlaskClient) -> None:
    activate(workspace)
    first, second = predict(client, task(1), task(2))
    assert (chosen(first), chosen(second)) == ("deer", "fox")
    assert first["model_version"] == "v1"
    result = first["result"][0]
    assert (result["from_name"], result["to_name"], result["type"]) == ("species", "crop", "choices")
    assert 0.5 < result["score"] <= 1


def test_crops_outside_the_queue_come_after_it(workspace: Workspace, client: FlaskClient) -> None:
    queued = PredictionRecord(detection_id="d2", rank=0, score=0.125, category_id=2, probability=0.9)
    activate(workspace, queue=(queued,))
    sure, pushed, doubtful = predict(client, task(1), task(2), task(3))
    assert pushed["score"] == 0.125
    assert 1 <= doubtful["score"] < sure["score"] <= 2


def test_a_new_version_predicts_at_once(workspace: Workspace, client: FlaskClient) -> None:
    activate(workspace)
    predict(client, task(1))
    activate(workspace, "v2")
    assert predict(client, task(1))[0]["model_version"] == "v2"


def test_without_a_version_predictions_are_empty(client: FlaskClient) -> None:
    assert predict(client, task(1))[0] == {"result": [], "score": 2.0, "model_version": "none"}


def test_a_version_without_a_head_has_an_order_and_no_categories(
    workspace: Workspace, client: FlaskClient
) -> None:
    with workspace.database.write() as conn:
        embedder_id = projects.get(conn, PROJECT).embedder
        cold_start = ModelRecord(
            version="cover-1",
            project_id=PROJECT,
            embedder=embedder_id,
            digest="c",
            labels=0,
            path=None,
            created_at=utc_now(),
        )
        queued = PredictionRecord(detection_id="d1", rank=0, score=0.5, category_id=None, probability=None)
        models.activate(conn, cold_start, [queued])
    first, second = predict(client, task(1), task(2))
    assert first == {"result": [], "score": 0.5, "model_version": "cover-1"}
    assert second == {"result": [], "score": 2.0, "model_version": "cover-1"}


def test_a_task_that_is_not_stored_is_identified_by_its_data(
    workspace: Workspace, client: FlaskClient
) -> None:
    activate(workspace)
    assert chosen(predict(client, task(77, detection_id="d2"))[0]) == "fox"


def test_tasks_without_a_prediction_get_an_empty_one_in_their_place(
    workspace: Workspace, client: FlaskClient
) -> None:
    activate(workspace)
    answers = predict(
        client,
        task(90),
        task(1),
        task(91, crop="s3://bucket/a.jpg"),
        {"id": 92},
        task(93, crop=7),
        {"id": "x", "data": None, "project": None},
        "not a task",
    )
    assert [bool(answer["result"]) for answer in answers] == [False, True] + [False] * 5
    assert answers[0]["model_version"] == "none"


def test_tasks_of_other_projects_get_empty_predictions(client: FlaskClient) -> None:
    assert predict(client, {**task(1), "project": 99})[0]["model_version"] == "none"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"tasks": 3}', b'{"project": "3.1"}'])
def test_an_invalid_request_is_an_error(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/predict", data=body, headers=BASIC, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json is not None
    assert "error" in answer.json


def test_a_damaged_head_is_an_error_that_names_it(workspace: Workspace, client: FlaskClient) -> None:
    activate(workspace)
    (workspace.data_dir / "models/v1/head.npz").write_bytes(b"no")
    answer = client.post("/predict", json={"tasks": [task(1)], "project": UID}, headers=BASIC)
    assert answer.status_code == 500
    assert answer.json is not None
    assert "head.npz" in answer.json["error"]
    assert "Traceback" not in answer.get_data(as_text=True)


def test_the_model_class_works_with_both_releases_of_label_studio_ml(workspace: Workspace) -> None:
    activate(workspace)
    model_class = create_app(workspace).extensions["wildloop"].model
    shown = [task(1), {**task(2), "project": None}]
    import label_studio_ml.model as base

    if hasattr(base, "LabelStudioMLManager"):  # 1.x
        model = model_class(label_config=CONFIG, train_output={}, hostname="", access_token="")
        assert [len(each["result"]) for each in model.predict(shown, login=None, password=None)] == [1, 0]
        assert model.fit((), workdir=None, event="ANNOTATION_CREATED", data={}) == {}
    else:
        model = model_class(project_id=str(PROJECT), label_config=CONFIG)
        assert [len(each["result"]) for each in model.predict(shown, context=None, login=None)] == [1, 1]
        assert model.fit("ANNOTATION_CREATED", {}) == {}


def screen(*suggested: str) -> dict[str, Any]:
    """The data of a task that can show these suggestions."""
    return {"single": [{"url": "/x.jpg", "suggested": [{"value": word} for word in suggested]}], "group": []}


def asked(workspace: Workspace, number: int, **fields: Any) -> None:
    """Label Studio has a further task of the first crop."""
    with workspace.database.write() as conn:
        tasks.add(conn, [TaskRecord(project_id=PROJECT, task_id=number, detections=("d1",), **fields)])


def test_a_task_gets_the_suggestion_that_it_can_show(workspace: Workspace, client: FlaskClient) -> None:
    activate(workspace)
    can, other, none = predict(
        client, task(1, **screen("deer")), task(1, **screen("fox")), task(1, **screen())
    )
    assert (can["result"][0]["from_name"], chosen(can)) == (controls.SUGGESTED, "deer")
    assert (other["result"], none["result"]) == ([], [])
    assert other["model_version"] == "v1"


def test_a_project_suggests_nothing_below_its_probability(workspace: Workspace, client: FlaskClient) -> None:
    activate(workspace)
    with workspace.database.write() as conn:
        conn.exec_driver_sql("""UPDATE project SET options = '{"suggest_from": 0.99}'""")
    assert predict(client, task(3, **screen("deer")))[0]["result"] == []


@pytest.mark.parametrize("purpose", [Purpose.REVIEW, Purpose.OPINION, Purpose.CONFIRMATION, Purpose.AUDIT])
def test_what_judges_somebody_comes_without_a_suggestion(
    workspace: Workspace, client: FlaskClient, purpose: Purpose
) -> None:
    activate(workspace)
    asked(workspace, 9, purpose=purpose, score=-1.5)
    [answer] = predict(client, task(9, **screen("deer")))
    assert answer["result"] == []
    if purpose is not Purpose.AUDIT:
        assert answer["score"] == -1.5


def test_a_board_keeps_the_suggestion_that_it_was_made_with(
    workspace: Workspace, client: FlaskClient
) -> None:
    activate(workspace)
    with workspace.database.read() as conn:
        fox = categories.numbers(conn)["fox"]
    asked(workspace, 9, kind=TaskKind.BOARD, purpose=Purpose.SUGGESTION, details={"suggested": fox})
    group = {"single": [], "group": [{"suggested": [{"value": "fox"}]}]}
    [answer] = predict(client, task(9, **group))
    assert (answer["result"][0]["from_name"], chosen(answer)) == (controls.ALL_SUGGESTED, "fox")


# --- unknown photographs


def photograph(path: Path, colour: str = "olive") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (320, 200), colour).save(path)
    return path


def local(path: Path, root: Path) -> str:
    return f"/data/local-files/?d={quote(str(path.relative_to(root)))}"


@pytest.mark.parametrize("levels", [0, 1])
def test_an_unknown_photograph_is_embedded_once_and_gets_a_prediction(
    workspace: Workspace, client: FlaskClient, levels: int
) -> None:
    activate(workspace)
    root = [workspace.data_dir, workspace.data_dir.parent][levels]
    path = photograph(workspace.data_dir / "uploads" / "a new one.jpg")
    unknown = task(50, crop=local(path, root))
    answer = predict(client, unknown)[0]
    assert answer["model_version"] == "v1"
    assert chosen(answer) in ("deer", "fox")
    with workspace.database.read() as conn:
        shown = tasks.by_task(conn, PROJECT, [50])[50]
        stored = detections.get(conn, [shown])[shown]
    assert (stored.detector, stored.box.width) == ("whole-frame", 1.0)
    assert (workspace.data_dir / str(stored.crop_path)).is_file()
    assert (workspace.data_dir / str(stored.frame_path)).is_file()
    path.unlink()
    assert predict(client, unknown)[0] == answer


def test_an_unknown_photograph_on_the_present_screen_is_asked_about_alone(
    workspace: Workspace, client: FlaskClient
) -> None:
    activate(workspace)
    with workspace.database.write() as conn:
        conn.exec_driver_sql("""UPDATE project SET options = '{"suggest_from": 0.0}'""")
    path = photograph(workspace.data_dir / "uploads" / "a.jpg")
    data = screen("deer", "fox")
    data["single"][0]["url"] = local(path, workspace.data_dir)
    [answer] = predict(client, task(50, **data))
    assert chosen(answer) in ("deer", "fox")
    assert answer["result"][0]["from_name"] == controls.SUGGESTED
    with workspace.database.read() as conn:
        [record] = tasks.open_tasks(conn, PROJECT)[-1:]
    assert (record.task_id, is_external(record)) == (50, True)


def test_a_file_outside_the_data_folder_is_not_read_from_disk(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = photograph(tmp_path / "secret.jpg")
    photograph(workspace.data_dir / "in.jpg")
    asked: list[str] = []

    class Client:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def content(self, path: str, *, limit: int) -> bytes:
            asked.append(path)
            raise LabelStudioError(f"fetching {path}: 404")

    monkeypatch.setattr(external_tasks, "LabelStudio", Client)
    activate(workspace)
    names = ["in.jpg", "secret.jpg", "../secret.jpg", str(outside), "data/../secret.jpg", "", "%00"]
    urls = [f"/data/local-files/?d={name}" for name in names]
    answers = predict(
        create_app(workspace).test_client(), *[task(50 + at, crop=url) for at, url in enumerate(urls)]
    )
    assert [bool(answer["result"]) for answer in answers] == [True, *[False] * 6]
    assert asked == urls[1:]  # Label Studio decides whether the rest is there


def test_files_of_label_studio_are_fetched_with_the_token_and_others_without(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(encoded, "PNG")
    fetched: list[tuple[str, str]] = []

    class Client:
        def __init__(self, url: str, api_key: str | None, **_: Any) -> None:
            assert (url, api_key) == ("http://ls.example:8080", "key")

        def content(self, path: str, *, limit: int) -> bytes:
            fetched.append(("with key", path))
            return encoded.getvalue()

    @contextmanager
    def stream(method: str, url: str, **_: Any) -> Iterator[httpx.Response]:
        fetched.append(("without", url))
        yield httpx.Response(200, content=encoded.getvalue(), request=httpx.Request(method, url))

    monkeypatch.setattr(external_tasks, "LabelStudio", Client)
    monkeypatch.setattr(httpx, "stream", stream)
    settings = replace(
        workspace.settings, label_studio_url="http://ls.example:8080", label_studio_api_key="key"
    )
    workspace = replace(workspace, settings=settings)
    activate(workspace)
    urls = [
        "/data/upload/3/a.png",
        "http://ls.example:8080/data/upload/3/b.png?x=1",
        "http://ls.example:9999/c.png",
        "https://ls.example:8080/d.png",
        "//elsewhere.example/e.png",
        "/data/local-files/?d=not/here.png",
    ]
    answers = predict(
        create_app(workspace).test_client(), *[task(60 + at, crop=url) for at, url in enumerate(urls)]
    )
    assert all(answer["result"] for answer in answers)
    assert fetched == [
        ("with key", "/data/upload/3/a.png"),
        ("with key", "/data/upload/3/b.png?x=1"),
        ("without", "http://ls.example:9999/c.png"),
        ("without", "https://ls.example:8080/d.png"),
        ("with key", "/e.png"),
        ("with key", "/data/local-files/?d=not/here.png"),
    ]


def test_a_file_that_is_not_a_photograph_gets_an_empty_prediction(
    workspace: Workspace, client: FlaskClient
) -> None:
    activate(workspace)
    text = workspace.data_dir / "text.jpg"
    text.write_text("not a photograph")
    answer = predict(client, task(50, crop=local(text, workspace.data_dir)))[0]
    assert answer["result"] == []
    with workspace.database.read() as conn:
        assert tasks.by_task(conn, PROJECT, [50]) == {}


def test_photographs_after_the_time_limit_of_a_request_wait_for_the_next(
    workspace: Workspace, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(workspace)
    path = photograph(workspace.data_dir / "new.jpg")
    unknown = task(50, crop=local(path, workspace.data_dir))
    with monkeypatch.context() as patch:
        patch.setattr("backend.predictions.INGEST_SECONDS", -1.0)
        assert predict(client, unknown)[0]["result"] == []
    assert predict(client, unknown)[0]["result"]


# --- other requests


def test_setup_returns_the_current_version(workspace: Workspace, client: FlaskClient) -> None:
    body = {"project": UID, "schema": CONFIG, "hostname": "x", "access_token": "t", "extra_params": None}
    assert client.post("/setup", json=body, headers=BASIC).json == {"model_version": "none"}
    activate(workspace)
    assert client.post("/setup", json=body, headers=BASIC).json == {"model_version": "v1"}


def test_versions_are_listed_newest_first(workspace: Workspace, client: FlaskClient) -> None:
    activate(workspace)
    activate(workspace, "v2")
    assert client.get("/versions", headers=BASIC).json == {"versions": ["v2", "v1"]}
    assert client.get(f"/versions?project={UID}", headers=BASIC).json == {"versions": ["v2", "v1"]}
    assert client.get("/versions?project=99", headers=BASIC).json == {"versions": []}


def test_the_application_starts_without_torch() -> None:
    code = (
        "import sys, tempfile; from pathlib import Path\n"
        "from backend.app import create_app\n"
        "from pipeline.settings import Settings; from pipeline.workspace import open_workspace\n"
        "here = Path(tempfile.mkdtemp())\n"
        "settings = Settings(data_dir=here, database_url=f'sqlite:///{here}/w.db')\n"
        "app = create_app(open_workspace(settings))\n"
        "assert app.test_client().get('/health').status_code == 200\n"
        "print(sorted({'torch', 'torchvision', 'sklearn', 'label_studio_sdk'} & set(sys.modules)))\n"
        "import torch.multiprocessing\n"
        "import multiprocessing; print(multiprocessing.get_start_method(allow_none=True))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "None"]


def test_these_tests_pass_under_label_studio_ml_2(request: pytest.FixtureRequest) -> None:
    import label_studio_ml

    is_stand_in = "stand_ins" in str(label_studio_ml.__file__)
    assert is_stand_in == ("WILDLOOP_STAND_IN" in os.environ)
    if is_stand_in:
        return
    stand_ins = Path(__file__).parents[1] / "stand_ins"
    environ = os.environ | {"PYTHONPATH": str(stand_ins), "WILDLOOP_STAND_IN": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__))]
    done = subprocess.run(
        command, env=environ, cwd=request.config.rootpath, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]


# --- authentication


INVALID_CREDENTIALS = [
    {},
    SECRET,
    {"Authorization": "Basic " + base64.b64encode(b"ls:wrong").decode()},
    {"Authorization": "Basic " + base64.b64encode(b"who:p\xc3\xa4ss").decode()},
    {"Authorization": "Basic " + base64.b64encode(b"ls").decode()},
    {"Authorization": "Basic ???"},
    {"Authorization": "Bearer hush"},
]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/predict"), ("POST", "/setup"), ("GET", "/versions"), ("GET", "/"), ("GET", "/nowhere")],
)
def test_all_addresses_except_health_and_the_webhook_need_basic_auth(
    client: FlaskClient, method: str, path: str
) -> None:
    for headers in INVALID_CREDENTIALS:
        assert client.open(path, method=method, headers=headers, json={}).status_code == 401, headers
    assert client.open(path, method=method, headers=BASIC, json={}).status_code != 401


def test_health_needs_no_authentication_and_reveals_nothing(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert (answer.status_code, (answer.json or {}).get("status")) == (200, "UP")
    assert "data" not in answer.get_data(as_text=True)


def test_the_webhook_needs_its_secret(client: FlaskClient, workspace: Workspace) -> None:
    payload = event("ANNOTATION_CREATED", annotation=annotation())
    for headers in ({}, BASIC, {"X-Wildloop-Secret": "hush!"}, {"X-Wildloop-Secret": ""}):
        assert client.post("/webhook", json=payload, headers=headers).status_code == 401, headers
    assert labels(workspace) == {}


def test_the_training_button_may_use_basic_auth(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[tuple[Any, ...]] = []

    def request(_: Workspace, *rest: Any, **how: Any) -> int:
        requests.append((*rest, how))
        return 5

    monkeypatch.setattr(jobs, "request", request)
    for headers in (BASIC, SECRET):
        answer = client.post("/webhook", json=event("START_TRAINING"), headers=headers)
        assert (answer.status_code, answer.json) == (200, {"status": "queued", "run": 5})
    assert requests == [(PROJECT, "train", {"trigger": "button"})] * 2
    assert client.post("/webhook", json=event("START_TRAINING")).status_code == 401


def test_missing_secrets_are_generated(workspace: Workspace) -> None:
    bare = replace(workspace.settings, basic_auth_user=None, basic_auth_password=None, webhook_secret=None)
    open_client = create_app(replace(workspace, settings=bare)).test_client()
    assert open_client.post("/setup", json={"project": UID}).status_code == 401
    stored = json.loads((workspace.data_dir / "secrets.json").read_text())
    given = f"{stored['basic_auth_user']}:{stored['basic_auth_password']}"
    headers = {"Authorization": "Basic " + base64.b64encode(given.encode()).decode()}
    assert open_client.post("/setup", json={"project": UID}, headers=headers).status_code == 200


# --- webhooks


def event(action: str, project: int = PROJECT, **payload: Any) -> dict[str, Any]:
    return {"action": action, "project": {"id": project, "title": "Forest"}, **payload}


def annotation(number: int = 8, of: int = 1, choice: str | None = "deer", **changes: Any) -> dict[str, Any]:
    value = {"from_name": "species", "to_name": "crop", "type": "choices", "value": {"choices": [choice]}}
    return {
        "id": number,
        "unique_id": str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))),
        "task": of,
        "result": [value] if choice else [],
        "was_cancelled": choice is None,
        "ground_truth": False,
        "updated_at": "2026-11-22T18:54:50.289476Z",
        "lead_time": 1.5,
        "completed_by": 1,
        "prediction": {},
        **changes,
    }


def send(client: FlaskClient, payload: Any) -> Any:
    answer = client.post("/webhook", json=payload, headers=SECRET)
    assert "Traceback" not in answer.get_data(as_text=True)
    return answer.status_code, answer.json


def labels(workspace: Workspace) -> dict[str, str]:
    with workspace.database.read() as conn:
        names = categories.names(conn)
        return {id_: names[label] for id_, label in oracle.labels(conn).items()}


def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def due(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The projects for which a training was considered."""
    considered: list[int] = []
    monkeypatch.setattr(jobs, "train_if_due", lambda _, project_id: considered.append(project_id))
    monkeypatch.setattr(jobs, "top_up_if_low", lambda *_, **__: None)
    return considered


def test_a_created_annotation_is_stored_and_a_training_is_considered(
    client: FlaskClient, workspace: Workspace, due: list[int]
) -> None:
    payload = event("ANNOTATION_CREATED", annotation=annotation(), task={"id": 1, "data": {}})
    assert send(client, payload) == (200, {"status": "recorded", "new": 1})
    assert labels(workspace) == {"d1": "deer"}
    assert send(client, payload) == (200, {"status": "recorded", "new": 0})
    eventually(lambda: due == [PROJECT])


def test_annotations_created_in_bulk_are_stored_except_invalid_ones(
    client: FlaskClient, workspace: Workspace
) -> None:
    made = [annotation(8, 1), annotation(9, 2, "fox"), annotation(10, 3, updated_at="?")]
    payload = event("ANNOTATIONS_CREATED", annotation=made, task=[{"id": 1, "data": {}}])
    assert send(client, payload) == (200, {"status": "recorded", "new": 2})
    assert labels(workspace) == {"d1": "deer", "d2": "fox"}


def test_an_update_replaces_and_a_deletion_by_id_removes_a_label(
    client: FlaskClient, workspace: Workspace
) -> None:
    send(client, event("ANNOTATION_CREATED", annotation=annotation()))
    later = annotation(choice="fox", updated_at="2026-11-22T18:55:50Z")
    send(client, event("ANNOTATION_UPDATED", annotation=later))
    assert labels(workspace) == {"d1": "fox"}
    gone = event("ANNOTATIONS_DELETED", annotations=[{"id": 8}, {"id": 999}])
    assert send(client, gone) == (200, {"status": "recorded", "new": 1})
    assert labels(workspace) == {}


def test_deleting_a_task_removes_its_labels(client: FlaskClient, workspace: Workspace) -> None:
    send(client, event("ANNOTATION_CREATED", annotation=annotation()))
    assert send(client, event("TASKS_DELETED", tasks=[{"id": 1}])) == (200, {"status": "recorded", "new": 1})
    assert labels(workspace) == {}


def test_a_skip_is_stored_and_gives_no_label(client: FlaskClient, workspace: Workspace) -> None:
    send(client, event("ANNOTATION_CREATED", annotation=annotation(choice=None)))
    assert labels(workspace) == {}
    with workspace.database.read() as conn:
        assert len(oracle.active_annotations(conn, PROJECT)) == 1


def test_other_actions_and_projects_are_ignored_silently(
    client: FlaskClient, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    for payload in [
        event("PROJECT_UPDATED"),
        event("TASKS_CREATED", tasks=[{"id": 5}]),
        event("LABEL_LINK_CREATED"),
        event("SOMETHING_NEW"),
        event("ANNOTATION_CREATED", project=99, annotation=annotation()),
        event("START_TRAINING", project=99),
    ]:
        assert send(client, payload) == (200, {"status": "ignored"})
    assert caplog.records == []
    assert labels(workspace) == {}


def test_an_invalid_webhook_is_an_error_with_a_line_in_the_log(
    client: FlaskClient, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    for payload in [
        [],
        3,
        {},
        {"action": None},
        {"action": ["ANNOTATION_CREATED"]},
        {"action": "ANNOTATION_CREATED"},
        {"action": "ANNOTATION_CREATED", "project": {"id": "x"}, "annotation": annotation()},
        event("ANNOTATION_CREATED"),
        event("ANNOTATION_CREATED", annotation="deer"),
        event("ANNOTATION_CREATED", annotation={}),
        event("ANNOTATION_CREATED", annotation=annotation(), task=["x"]),
        event("ANNOTATION_CREATED", annotation=annotation(unique_id=None)),
        event("ANNOTATIONS_CREATED", annotation=[3]),
        event("ANNOTATIONS_DELETED"),
        event("ANNOTATIONS_DELETED", annotations=[{"id": "8"}]),
        event("TASKS_DELETED", tasks=[{}]),
    ]:
        caplog.clear()
        status, answer = send(client, payload)
        assert status == 400, payload
        assert answer["error"]
        assert len(caplog.records) == 1
    assert labels(workspace) == {}


def test_a_label_is_stored_even_if_no_training_can_be_requested(
    client: FlaskClient,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: Any) -> None:
        raise StoreError("the store is full")

    monkeypatch.setattr(jobs, "train_if_due", broken)
    assert send(client, event("ANNOTATION_CREATED", annotation=annotation()))[0] == 200
    assert labels(workspace) == {"d1": "deer"}
    eventually(lambda: "the store is full" in caplog.text)


def test_labels_that_arrive_while_a_training_is_considered_are_considered_together(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    considered: list[int] = []
    started, go = threading.Event(), threading.Event()

    def slow(_: Workspace, project_id: int) -> None:
        started.set()
        go.wait(10)
        considered.append(project_id)

    monkeypatch.setattr(jobs, "train_if_due", slow)
    monkeypatch.setattr(jobs, "top_up_if_low", lambda *_, **__: None)
    both = trainings.Trainings(workspace)
    both.consider(PROJECT)
    started.wait(10)
    for _ in range(20):
        both.consider(PROJECT)
    both.consider(PROJECT + 1)  # considered after all others
    go.set()
    eventually(lambda: PROJECT + 1 in considered)
    assert considered == [PROJECT, PROJECT, PROJECT + 1]
