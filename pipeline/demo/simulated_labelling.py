"""Labels from the simulated annotator, the versions trained on them, and the check that all arrived."""

from __future__ import annotations

import time
from collections.abc import Callable

from pipeline import jobs
from pipeline.demo import metrics
from pipeline.demo.folder import DemoError
from pipeline.demo.simulated_annotator import SimulatedAnnotator
from pipeline.demo.truth import Truth
from pipeline.records import ModelRecord, RunKind, RunState
from pipeline.servers.processes import Servers
from pipeline.steps.learning.training_set import training_labels
from pipeline.store import candidates, models, oracle, predictions, projects, runs
from pipeline.workspace import Workspace

RUN_SECONDS = 600.0  # longest time for one run of the worker
POLL_SECONDS = 0.25

Say = Callable[[str], None]


class NewVersions:
    """Prints each version once, when it has become the project's current one."""

    def __init__(self, workspace: Workspace, project_id: int, truth: Truth | None, say: Say) -> None:
        self._workspace = workspace
        self._project_id = project_id
        self._truth = truth
        self._say = say
        self._printed: set[str] = set()

    def look(self) -> None:
        """Print the current version if it was trained on labels and is not printed yet."""
        with self._workspace.database.read() as conn:
            model = models.current(conn, self._project_id)
        if model is None or not model.labels or model.version in self._printed:
            return
        self._printed.add(model.version)
        truth = self._truth
        self._say(metrics.line(model, None if truth is None else metrics.rest(self._workspace, model, truth)))


def simulate_labels(
    workspace: Workspace,
    servers: Servers,
    annotator: SimulatedAnnotator,
    project_id: int,
    labels: int,
    watch: NewVersions,
    say: Say,
) -> None:
    """Submit at least `labels` labels; fewer only if Label Studio has no more tasks.

    People take longer for a few labels than a training takes. So each training that a label triggers ends
    before the next label is submitted.
    """
    say(
        f"the simulated annotator starts: {labels} labels\n"
        "  every tenth crop is an audit crop: drawn at random, and no version learns from it\n"
        "  held-out accuracy is that on the hard crops of the queue; the unlabelled rest is usually easier"
    )
    while annotator.given < labels:
        servers.check()
        if not annotator.label_next():
            say(f"Label Studio has no more tasks after {annotator.given} labels")
            return
        _await_trainings(workspace, servers, project_id)
        watch.look()


def wait_until_trained(
    workspace: Workspace,
    servers: Servers,
    annotator: SimulatedAnnotator,
    project_id: int,
    watch: NewVersions,
    say: Say,
) -> None:
    """Return when a version is trained on every label but the audit's, and Label Studio shows its queue.

    Raises DemoError with the reason if this fails.
    """
    _perform(workspace, servers, project_id, RunKind.SYNC)  # reads labels whose webhook was lost
    _await_trainings(workspace, servers, project_id)
    with workspace.database.read() as conn:
        labels = oracle.label_count(conn)
        current = models.current(conn, project_id)
    if labels < annotator.given:
        raise DemoError(f"only {labels} of the {annotator.given} submitted labels are in the oracle")
    lessons = _lessons(workspace, project_id)
    if current is None or current.labels < lessons:
        _perform(workspace, servers, project_id, RunKind.TRAIN)
    watch.look()
    model = _current(workspace, project_id)
    if model.labels < lessons:
        raise DemoError(f"{model.version} learned from {model.labels} of {lessons} labels")
    _check_queue(workspace, annotator, model)
    say(
        f"all {labels} labels arrived: {model.version} learned from {model.labels} of them, and Label Studio "
        "serves its queue"
    )
    audited = metrics.audited(workspace, project_id)
    if audited is not None:
        say(audited)


def _lessons(workspace: Workspace, project_id: int) -> int:
    """The number of labels to train on: those of embedded crops, without the audit's."""
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
        ids = training_labels(conn, project_id)
    pool = workspace.pool(project.embedder)
    return sum(detection_id in pool.index for detection_id in ids)


def _check_queue(workspace: Workspace, annotator: SimulatedAnnotator, model: ModelRecord) -> None:
    """Raise DemoError unless Label Studio uses the version and the next task has its prediction."""
    project = workspace.label_studio().project(model.project_id)
    if project["model_version"] != model.version:
        raise DemoError(f"Label Studio uses the version {project['model_version']!r}, not {model.version}")
    with workspace.database.read() as conn:
        left = predictions.unpushed(conn, model.version)
        waiting = candidates.waiting_ids(conn)
    if left:
        raise DemoError(f"{len(left)} predictions of {model.version} did not reach Label Studio")
    task = annotator.next_task()
    if task is None:
        if waiting:
            raise DemoError(f"Label Studio shows no task, though {len(waiting)} crops wait")
        return
    if model.version not in {prediction["model_version"] for prediction in task["predictions"]}:
        raise DemoError(f"the next task, {task['id']}, has no prediction of {model.version}")


def _await_trainings(workspace: Workspace, servers: Servers, project_id: int) -> None:
    """Wait until no training is queued or running."""
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        with workspace.database.read() as conn:
            open_runs = runs.claimable(conn) + runs.running(conn)
        if not any(run.project_id == project_id and run.kind is RunKind.TRAIN for run in open_runs):
            return
        _pause(servers, deadline, "a training")


def _perform(workspace: Workspace, servers: Servers, project_id: int, kind: RunKind) -> None:
    """Request a run and wait for its end. Raises DemoError if it fails."""
    run_id = jobs.request(workspace, project_id, kind, trigger="command")
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        with workspace.database.read() as conn:
            run = runs.get(conn, run_id)
        if run.state is RunState.FAILED:
            raise DemoError(f"the run {run_id} ({kind}) failed: {run.error}")
        if run.state is RunState.DONE:
            return
        _pause(servers, deadline, f"the run {run_id} ({kind})")


def _pause(servers: Servers, deadline: float, what: str) -> None:
    servers.check()
    if time.monotonic() > deadline:
        raise DemoError(f"{what} did not end within {RUN_SECONDS:.0f} s", remedy="read the worker's log")
    time.sleep(POLL_SECONDS)


def _current(workspace: Workspace, project_id: int) -> ModelRecord:
    with workspace.database.read() as conn:
        model = models.current(conn, project_id)
    if model is None:
        raise DemoError("there is no model version yet")
    return model
