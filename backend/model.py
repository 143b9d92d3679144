"""The class that label-studio-ml serves. It keeps nothing: what it answers comes from the predictor.

The same class serves under label-studio-ml 1.0.9 of PyPI, which makes `Model(label_config=...,
train_output=...)` and calls `predict(tasks, **params)`, and under the 2.x of its repository, which
makes `Model(project_id=..., label_config=...)` for each request and calls `predict(tasks, context=...)`.
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
    """Let an optional `import torch...` fail inside the block; what is loaded already stays loaded.

    label-studio-ml imports `torch.multiprocessing` where it finds it, and makes "spawn" the start
    method of the whole process; without it, it takes the standard library's module.
    """
    name = "torch.multiprocessing" if "torch" in sys.modules else "torch"
    loaded = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # the import system's own way to say "absent"
    try:
        yield
    finally:
        del sys.modules[name]
        if loaded is not None:
            sys.modules[name] = loaded


with without_torch():
    from label_studio_ml.model import LabelStudioMLBase


class SpeciesModel(LabelStudioMLBase):  # type: ignore[misc]
    """Species of crops, from stored embeddings and the project's current head."""

    predictor: ClassVar[Predictor]  # set by the application, one for the process

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def predict(
        self, tasks: Sequence[Mapping[str, Any]], context: Any = None, **params: Any
    ) -> list[dict[str, Any]]:
        """One prediction for each task, in their order: an empty `result` where there is no answer."""
        project = project_number(params.get("project") or getattr(self, "project_id", None))
        return self.predictor.answer(tasks, project)

    def fit(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Nothing: training is a run of `wildloop worker`, asked for by our own webhook."""
        return {}
