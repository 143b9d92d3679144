"""The web application that Label Studio calls: label-studio-ml's, with own views in place of broken ones.

In label-studio-ml 1.0.9, `/predict` fails after a restart until `/setup` is called, the webhook loses
events, and `/versions` does not answer as Label Studio expects. The same views are replaced in 2.x.
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

MAX_REQUEST = 256 * 1024 * 1024  # bytes: a batch of tasks, or annotations created in bulk
_STATE = "wildloop"


@dataclass(frozen=True, kw_only=True)
class _State:
    """The objects that the views of one process share."""

    workspace: Workspace
    guard: Guard
    model: type[SpeciesModel]
    trainings: Trainings


def create_app(workspace: Workspace) -> Flask:
    """The application for `workspace`; missing secrets are generated.

    label-studio-ml has one application per process: a second call switches it to the other workspace.
    """
    workspace = replace(workspace, settings=workspace.settings.with_secrets())
    model = type("WildloopModel", (SpeciesModel,), {"predictor": Predictor(workspace)})
    app: Flask = init_app(model)
    is_new = _STATE not in app.extensions
    app.extensions[_STATE] = _State(
        workspace=workspace, guard=Guard(workspace.settings), model=model, trainings=Trainings(workspace)
    )
    if is_new:
        _set_up(app)
    return app


def _set_up(app: Flask) -> None:
    """Limit requests, replace views of label-studio-ml, and add authentication and error handlers."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST
    app.view_functions |= {"_predict": predict, "_setup": setup, "webhook": webhook, "health": health}
    only_in_1x = {"_train": not_supported, "_is_training": not_supported, "get_version": versions}
    app.view_functions |= {name: view for name, view in only_in_1x.items() if name in app.view_functions}
    app.add_url_rule("/versions", "wildloop_versions", versions, methods=["GET"])
    app.before_request(authenticate)
    app.register_error_handler(WildloopError, on_wildloop_error)
    app.register_error_handler(HTTPException, on_http_error)


def authenticate() -> Response | None:
    """Reject requests without authentication.

    `/webhook` needs the webhook's secret; Label Studio's button for a training, which also calls it,
    carries basic auth. `/health` is open. All else needs basic auth.
    """
    guard = _state().guard
    if request.path == "/health":
        return None
    if request.path == "/webhook":
        if guard.has_webhook_secret(request):
            return None
        if guard.has_basic_auth(request) and _action() == START_TRAINING:
            return None
        return _answer({"error": "the webhook's secret is missing or wrong"}, 401)
    if guard.has_basic_auth(request):
        return None
    answer = _answer({"error": "basic auth is missing or wrong"}, 401)
    answer.headers["WWW-Authenticate"] = 'Basic realm="wildloop"'
    return answer


def health() -> Response:
    """Whether the process is running. Needs no authentication."""
    return _answer({"status": "UP", "model_class": SpeciesModel.__name__})


def setup() -> Response:
    """The project's current version, which Label Studio shows next to the backend."""
    predictor = _state().model.predictor
    return _answer({"model_version": predictor.version(project_number(_body().get("project")))})


def predict() -> Response:
    """A prediction for each task, in the same order. Works without a previous `/setup`."""
    body = _body()
    tasks = body.get("tasks")
    if not isinstance(tasks, list):
        raise PayloadError("`tasks` must be a list")
    project = project_number(body.get("project"))
    model = _state().model(project_id=str(project or ""), label_config=body.get("label_config"))
    params = body.get("params")
    context = params.get("context") if isinstance(params, dict) else None
    label_config = body.get("label_config")
    results = model.predict(
        tasks,
        context=context,
        project=project,
        label_config=label_config if isinstance(label_config, str) else None,
    )
    return _answer({"results": results, "model_version": model.predictor.version(project)})


def webhook() -> Response:
    """Handle one event. It is stored before the answer, for which the annotator waits."""
    state = _state()
    return _answer(receive(state.workspace, _body(), state.trainings.consider))


def versions() -> Response:
    """The versions of `?project=`, newest first; of all projects without it."""
    body = request.get_json(silent=True)
    project = request.args.get("project") or (body.get("project") if isinstance(body, dict) else None)
    return _answer({"versions": _state().model.predictor.versions(project_number(project))})


def not_supported() -> Response:
    """The answer of endpoints that only label-studio-ml 1.x has."""
    return _answer({"error": "request a training through /webhook"}, 410)


def on_wildloop_error(error: WildloopError) -> Response:
    """Status 400 if the request is invalid, else 500."""
    if isinstance(error, PayloadError):
        log.warning("%s %s: invalid request: %s", request.method, request.path, error)
        return _answer({"error": str(error)}, 400)
    log.error("%s %s failed: %s", request.method, request.path, error)
    return _answer({"error": str(error)}, 500)


def on_http_error(error: HTTPException) -> Response:
    """An HTTP error as JSON. Unexpected exceptions arrive as status 500; their traceback is in the log."""
    return _answer({"error": error.description}, error.code or 500)


def _state() -> _State:
    state: _State = current_app.extensions[_STATE]
    return state


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise PayloadError("the body must be a JSON object")
    return body


def _action() -> Any:
    body = request.get_json(silent=True)
    return body.get("action") if isinstance(body, dict) else None


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    return answer
