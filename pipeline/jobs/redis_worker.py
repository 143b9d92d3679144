"""The worker process on Redis: RQ's worker, which runs our scheduler while it is idle."""

from __future__ import annotations

from typing import Any

from redis import Redis
from rq import Queue, Worker

from pipeline.jobs import presence, redis_queue, scheduler
from pipeline.jobs.execute import perform
from pipeline.workspace import Workspace, open_workspace

IDLE_SECONDS = 5  # between two ticks of the scheduler in an idle worker
MONITOR_SECONDS = 10  # between two looks at a run that goes on


class RunWorker(Worker):
    """RQ's worker; it carries out each run in a process forked from this one."""

    def __init__(self, workspace: Workspace, queue: Queue, connection: Redis) -> None:
        super().__init__([queue], connection=connection, job_monitoring_interval=MONITOR_SECONDS)
        self._workspace = workspace

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """The next job; the scheduler ticks while there is none. A burst ends when the queue is empty."""
        while True:
            scheduler.tick(self._workspace, burst=timeout is None)
            job = super().dequeue_job_and_maintain_ttl(timeout, IDLE_SECONDS)
            if job is not None or timeout is None:
                return job

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """As in RQ, which calls it while idle and while a run goes on; also for commands and doctor."""
        super().heartbeat(timeout, pipeline)
        if not self.is_horse:  # the process of one run
            presence.beat(self._workspace.database)

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        """Fork without an open database connection: two processes must never share one."""
        self._workspace.database.dispose()
        super().fork_work_horse(job, queue)

    def handle_work_horse_killed(self, job: Any, retpid: Any, ret_val: Any, rusage: Any) -> None:
        """Requeue a run at once if its process was killed."""
        super().handle_work_horse_killed(job, retpid, ret_val, rusage)  # type: ignore[no-untyped-call]
        scheduler.tick(self._workspace, burst=True)


def work(workspace: Workspace, *, burst: bool) -> None:
    """Carry out runs from Redis until the process gets a signal, or with `burst` until none waits."""
    connection = redis_queue.connect(workspace.settings)
    worker = RunWorker(workspace, redis_queue.queue(workspace.settings, connection), connection)
    worker.work(burst=burst, logging_level="WARNING")


def carry_out(run_id: int) -> None:
    """The function of a job: carries out the run in the workspace that the environment names."""
    workspace = open_workspace()
    try:
        perform(workspace, run_id)
    finally:
        workspace.database.dispose()
