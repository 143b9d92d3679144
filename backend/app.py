"""The web application that Label Studio talks to: label-studio-ml's, with views of ours where it fails.

Its own `/predict` of 1.0.9 fails after a restart until `/setup` was called, its webhook drops events,
and `/versions` does not answer as Label Studio asks. The replaced views are the same under 2.x.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask, Response, current_app, jsonify, request
from werkzeug.exceptions import HTTPException

from backend.auth import Guard
from backend.model import SpeciesModel, without_torch
from backend.payloads import PayloadError, project_number
from backend.predictions import Predictor
from backend.trainings import Trainings
from backend.webhook import START_TRAINING, receive
from pipeline.errors import WildloopError
from pipeline.workspace import Workspace

with without_torch():
    from label_studio_ml.api import init_app

log = logging.getLogger(__name__)

MAX_REQUEST = 256 * 1024 * 1024  # bytes: a batch of tasks, or of annotations made in bulk
_STATE = "wildloop"


@dataclass(frozen=True, kw_only=True)
class _State:
    """What the views of one process work with."""

    workspace: Workspace
    guard: Guard
    model: type[SpeciesModel]
    trainings: Trainings


def create_app(workspace: Workspace) -> Flask:
    """The application over `workspace`, its secrets generated where none are configured.

    label-studio-ml has one application a process: a second call moves it to the other workspace.
    """
    workspace = replace(workspace, settings=workspace.settings.with_secrets())
    model = type("WildloopModel", (SpeciesModel,), {"predictor": Predictor(workspace)})
    app: Flask = init_app(model)
    fresh = _STATE not in app.extensions
    app.extensions[_STATE] = _State(
        workspace=workspace, guard=Guard(workspace.settings), model=model, trainings=Trainings(workspace)
    )
    if fresh:
        _install(app)
    return app


def _install(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST
    views = app.view_functions
    views["_predict"], views["_setup"], views["webhook"], views["health"] = predict, setup, webhook, health
    for name, view in {"_train": gone, "_is_training": gone, "get_version": versions}.items():
        if name in views:  # 1.x has them
            views[name] = view
    app.add_url_rule("/versions", "wildloop_versions", versions, methods=["GET"])
    app.before_request(check)
    app.register_error_handler(WildloopError, failed)
    app.register_error_handler(HTTPException, refused)


def check() -> Response | None:
    """Turn away whoever does not carry the secret that the address asks for."""
    guard = _state().guard
    if request.path == "/health":
        return None
    if request.path == "/webhook":
        if guard.has_webhook_secret(request) or (
            guard.has_basic_auth(request) and _action() == START_TRAINING
        ):
            return None
        return _answer({"error": "the webhook's secret is missing or wrong"}, 401)
    if guard.has_basic_auth(request):
        return None
    answer = _answer({"error": "basic auth is missing or wrong"}, 401)
    answer.headers["WWW-Authenticate"] = 'Basic realm="wildloop"'
    return answer


def health() -> Response:
    """Whether the process answers; needs no secret, and tells none."""
    return _answer({"status": "UP", "model_class": SpeciesModel.__name__})


def setup() -> Response:
    """The project's current version, which Label Studio shows beside the backend."""
    predictor = _state().model.predictor
    return _answer({"model_version": predictor.version(project_number(_body().get("project")))})


def predict() -> Response:
    """A prediction for each task, in their order; no `/setup` need have come before."""
    body = _body()
    asked = body.get("tasks")
    if not isinstance(asked, list):
        raise PayloadError("'tasks' is to be a list")
    project = project_number(body.get("project"))
    model = _state().model(project_id=str(project or ""), label_config=body.get("label_config"))
    params = body.get("params")
    context = params.get("context") if isinstance(params, dict) else None
    results = model.predict(asked, context=context, project=project)
    return _answer({"results": results, "model_version": model.predictor.version(project)})


def webhook() -> Response:
    """One event, written down before the answer: the annotator waits for it."""
    state = _state()
    return _answer(receive(state.workspace, _body(), state.trainings.consider))


def versions() -> Response:
    """The versions there are, newest first: of `?project=`, or of every project."""
    body = request.get_json(silent=True)
    named = request.args.get("project") or (body.get("project") if isinstance(body, dict) else None)
    return _answer({"versions": _state().model.predictor.versions(project_number(named))})


def gone() -> Response:
    """What label-studio-ml 1.x offers beyond the contract, and we do not."""
    return _answer({"error": "training is asked for through /webhook"}, 410)


def failed(error: WildloopError) -> Response:
    """An error of ours: the caller's where the request was at fault, else ours to look after."""
    if isinstance(error, PayloadError):
        log.warning("%s %s refused: %s", request.method, request.path, error)
        return _answer({"error": str(error)}, 400)
    log.error("%s %s failed: %s", request.method, request.path, error)
    return _answer({"error": str(error)}, 500)


def refused(error: HTTPException) -> Response:
    """An error of HTTP, as JSON. Anything unforeseen arrives here as 500, its traceback in the log."""
    return _answer({"error": error.description}, error.code or 500)


def _state() -> _State:
    state: _State = current_app.extensions[_STATE]
    return state


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise PayloadError("the body is to be a JSON object")
    return body


def _action() -> Any:
    body = request.get_json(silent=True)
    return body.get("action") if isinstance(body, dict) else None


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    return answer
