"""The model class that label-studio-ml serves. It has no state: predictions come from the predictor.

It works with both releases of label-studio-ml: 1.0.9 on PyPI creates `Model(label_config=...,
train_output=...)` and calls `predict(tasks, **params)`; 2.x in its repository creates
`Model(project_id=..., label_config=...)` for each request and calls `predict(tasks, context=...)`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from backend.payloads import project_number

if TYPE_CHECKING:
    from backend.predictions import Predictor


@contextmanager
def without_torch() -> Iterator[None]:
    """Make an optional `import torch...` fail in the block; modules that are loaded stay loaded.

    If `torch.multiprocessing` is available, label-studio-ml imports it and sets the start method of the
    whole process to "spawn"; otherwise it uses the standard library's module.
    """
    name = "torch.multiprocessing" if "torch" in sys.modules else "torch"
    loaded = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # marks it as missing
    try:
        yield
    finally:
        del sys.modules[name]
        if loaded is not None:
            sys.modules[name] = loaded


with without_torch():
    from label_studio_ml.model import LabelStudioMLBase


class SpeciesModel(LabelStudioMLBase):  # type: ignore[misc]
    """Predicts the species of crops from stored embeddings, by the project's current version."""

    predictor: ClassVar[Predictor]  # set by the application, one per process

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def predict(
        self, tasks: Sequence[Mapping[str, Any]], context: Any = None, **params: Any
    ) -> list[dict[str, Any]]:
        """One prediction for each task, in the same order; without an answer its `result` is empty."""
        project = project_number(params.get("project") or getattr(self, "project_id", None))
        return self.predictor.predict(tasks, project, params.get("label_config"))

    def fit(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Do nothing: `wildloop worker` trains, on request through the webhook."""
        return {}
