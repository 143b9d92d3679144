"""The Flask application of 2.x."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify, request

from .model import LabelStudioMLBase
from .response import ModelResponse

_server = Flask(__name__)
MODEL_CLASS: Any = LabelStudioMLBase
TRAIN_EVENTS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATION_DELETED", "START_TRAINING")


def init_app(
    model_class: Any, basic_auth_user: str | None = None, basic_auth_pass: str | None = None
) -> Flask:
    global MODEL_CLASS
    if not issubclass(model_class, LabelStudioMLBase):
        raise ValueError("Inference class should be the subclass of LabelStudioMLBase")
    MODEL_CLASS = model_class
    return _server


@_server.route("/predict", methods=["POST"])
def _predict() -> Response:
    data = request.json or {}
    project_id = str(data.get("project")).split(".", 1)[0]
    params = data.get("params", {})
    context = params.pop("context", {})
    model = MODEL_CLASS(project_id=project_id, label_config=data.get("label_config"))
    answer = model.predict(data.get("tasks"), context=context, **params)
    if isinstance(answer, ModelResponse):
        answer = answer.predictions
    if isinstance(answer, dict):
        answer = answer.get("predictions", answer)
    return jsonify({"results": answer or []})


@_server.route("/setup", methods=["POST"])
def _setup() -> Response:
    data = request.json or {}
    model = MODEL_CLASS(project_id=data["project"].split(".", 1)[0], label_config=data.get("schema"))
    if data.get("extra_params"):
        model.set_extra_params(data["extra_params"])
    return jsonify({"model_version": model.get("model_version")})


@_server.route("/webhook", methods=["POST"])
def webhook() -> tuple[Response, int]:
    data = request.json or {}
    event = data.pop("action")
    if event not in TRAIN_EVENTS:
        return jsonify({"status": "Unknown event"}), 200
    model = MODEL_CLASS(str(data["project"]["id"]), label_config=data["project"]["label_config"])
    return jsonify({"result": model.fit(event, data), "status": "ok"}), 201


@_server.route("/health", methods=["GET"])
@_server.route("/", methods=["GET"])
def health() -> Response:
    return jsonify({"status": "UP", "model_class": MODEL_CLASS.__name__})


@_server.route("/metrics", methods=["GET"])
def metrics() -> Response:
    return jsonify({})
