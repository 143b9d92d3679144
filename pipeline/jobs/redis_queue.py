"""RQ on Redis as the transport of runs. A job only carries a run's id: the store decides what happens."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pipeline.errors import SettingsError
from pipeline.records import RunRecord
from pipeline.settings import Settings

if TYPE_CHECKING:
    from redis import Redis
    from rq import Queue

CARRY_OUT = "pipeline.jobs.redis_worker.carry_out"
CONNECT_SECONDS = 1.0  # a webhook waits for this connection
JOB_SECONDS = 3600  # RQ stops a run that takes longer
FAILURE_SECONDS = 86_400  # how long RQ keeps its own record of a failed job

log = logging.getLogger(__name__)


def connect(settings: Settings, **options: Any) -> Redis:
    """A connection to the Redis that the settings name. Raises SettingsError for a malformed address."""
    from redis import Redis

    try:
        return Redis.from_url(str(settings.redis_url), **options)
    except ValueError as exc:
        raise SettingsError(f"REDIS_URL={settings.redis_url!r}: {exc}") from exc


def queue(settings: Settings, connection: Redis) -> Queue:
    """The queue of runs, named after the settings' prefix."""
    from rq import Queue

    return Queue(f"{settings.redis_prefix}-runs", connection=connection)


def offer(settings: Settings, waiting: Iterable[RunRecord]) -> None:
    """Enqueue these runs for the workers, except those enqueued already; does nothing without Redis.

    If Redis does not answer, this logs a warning: the workers' scheduler offers the runs again.
    """
    if settings.redis_url is None:
        return
    from redis.exceptions import RedisError

    timeouts = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": CONNECT_SECONDS}
    try:
        with connect(settings, **timeouts) as connection:
            run_queue = queue(settings, connection)
            for run in waiting:
                _offer(run_queue, f"{settings.redis_prefix}-run-{run.id}-{run.attempts}", run)
    except RedisError as exc:
        log.warning("Redis does not answer; the scheduler enqueues the runs later: %s", exc)


def _offer(run_queue: Queue, job_id: str, run: RunRecord) -> None:
    from rq.exceptions import NoSuchJobError
    from rq.job import Job, JobStatus

    try:
        job = Job.fetch(job_id, connection=run_queue.connection)
        if job.get_status(refresh=False) in (JobStatus.QUEUED, JobStatus.STARTED):
            return
        job.delete()  # it failed before it could claim the run
    except NoSuchJobError:
        pass  # the usual case: the run is new, or its job ended because another run was still running
    run_queue.enqueue(
        CARRY_OUT,
        run.id,
        job_id=job_id,
        job_timeout=JOB_SECONDS,
        result_ttl=0,
        failure_ttl=FAILURE_SECONDS,
        description=f"{run.kind} of project {run.project_id}",
    )
