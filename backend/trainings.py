"""Whether enough was labelled for a training: considered after the annotator has got their answer."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from pipeline import jobs
from pipeline.errors import WildloopError
from pipeline.workspace import Workspace

log = logging.getLogger(__name__)


class Trainings:
    """Asks for the trainings that are due. Counting labels takes tens of milliseconds at 20,000.

    Labels that arrive while their project waits to be considered are considered with it. A process
    that ends meanwhile loses nothing: the worker's timer considers every project too.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trainings")
        self._waiting: set[int] = set()
        self._lock = threading.Lock()

    def consider(self, project_id: int) -> None:
        """Have it considered whether the project is due; returns at once."""
        with self._lock:
            if project_id in self._waiting:
                return
            self._waiting.add(project_id)
        self._threads.submit(self._consider, project_id)

    def _consider(self, project_id: int) -> None:
        with self._lock:
            self._waiting.discard(project_id)
        try:
            jobs.train_if_due(self._workspace, project_id)
        except WildloopError as exc:
            log.error("project %d: no training was requested: %s", project_id, exc)
        except Exception:
            log.exception("project %d: no training was requested", project_id)
