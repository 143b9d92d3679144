"""What a task asks -> its data in Label Studio, and the result of its prediction."""

from __future__ import annotations

from typing import Any

from pipeline.label_studio.screen.content import Asked
from pipeline.label_studio.screen.options import ScreenOptions


def task_data(asked: Asked, options: ScreenOptions) -> dict[str, Any]:
    """The `data` of a task: what the label config draws, and what Label Studio's lists show and filter by."""
    raise NotImplementedError


def prediction_result(asked: Asked, options: ScreenOptions) -> list[dict[str, Any]]:
    """The `result` of the task's prediction: the suggestion and the box; empty if there is neither."""
    raise NotImplementedError
