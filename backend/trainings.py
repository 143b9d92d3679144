"""Requesting trainings and top-ups after new labels, in the background: the annotator does not wait."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from pipeline import jobs
from pipeline.errors import WildloopError
from pipeline.store import runs
from pipeline.workspace import Workspace

log = logging.getLogger(__name__)


class Trainings:
    """Requests the trainings and top-ups that are due. To count labels takes tens of milliseconds at 20,000.

    Labels that arrive before their project is considered are considered together. If the process ends
    first, nothing is lost: the worker regularly considers every project.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trainings")
        self._waiting: set[int] = set()
        self._lock = threading.Lock()

    def consider(self, project_id: int) -> None:
        """Request a training of the project if one is due, and a top-up if it is low; returns at once."""
        with self._lock:
            if project_id in self._waiting:
                return
            self._waiting.add(project_id)
        self._threads.submit(self._consider, project_id)

    def _consider(self, project_id: int) -> None:
        with self._lock:
            self._waiting.discard(project_id)
        for request in (jobs.train_if_due, partial(jobs.top_up_if_low, trigger=runs.BY_LABELS)):
            try:
                request(self._workspace, project_id)
            except WildloopError as exc:
                log.error("project %d: cannot request what is due: %s", project_id, exc)
            except Exception:  # the future is never read: without this line the error would be lost
                log.exception("project %d: cannot request what is due", project_id)
