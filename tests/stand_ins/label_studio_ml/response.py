"""The response type of 2.x; a plain list of predictions does as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class ModelResponse:
    predictions: list[Any]
    model_version: str | None = None
