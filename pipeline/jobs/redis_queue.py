"""RQ on Redis as the carrier of runs. Redis only says "look at run N": the rows decide."""

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
CONNECT_SECONDS = 1.0  # a webhook waits for this
JOB_SECONDS = 3600  # a run that takes longer is stopped
FAILURE_SECONDS = 86_400  # RQ keeps its own account of a broken job so long

log = logging.getLogger(__name__)


def connect(settings: Settings, **options: Any) -> Redis:
    """The Redis that the settings name. Raises SettingsError for an address of no known form."""
    from redis import Redis

    try:
        return Redis.from_url(str(settings.redis_url), **options)
    except ValueError as exc:
        raise SettingsError(f"REDIS_URL={settings.redis_url!r}: {exc}") from exc


def queue(settings: Settings, connection: Redis) -> Queue:
    """Our queue, named after the settings' prefix."""
    from rq import Queue

    return Queue(f"{settings.redis_prefix}-runs", connection=connection)


def offer(settings: Settings, waiting: Iterable[RunRecord]) -> None:
    """Put runs in front of the workers, unless they lie there already; nothing without Redis.

    A Redis that does not answer is a warning: the workers' timer offers the runs again.
    """
    if settings.redis_url is None:
        return
    from redis.exceptions import RedisError

    timeouts = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": CONNECT_SECONDS}
    try:
        with connect(settings, **timeouts) as connection:
            ours = queue(settings, connection)
            for run in waiting:
                _offer(ours, f"{settings.redis_prefix}-run-{run.id}-{run.attempts}", run)
    except RedisError as exc:
        log.warning("runs are left for the timer, Redis does not answer: %s", exc)


def _offer(ours: Queue, job_id: str, run: RunRecord) -> None:
    from rq.exceptions import NoSuchJobError
    from rq.job import Job, JobStatus

    try:
        job = Job.fetch(job_id, connection=ours.connection)
        if job.get_status(refresh=False) in (JobStatus.QUEUED, JobStatus.STARTED):
            return
        job.delete()  # it broke before it could claim the run
    except NoSuchJobError:
        pass  # the usual case: nobody offered this run yet, or its job ended while another run was busy
    ours.enqueue(
        CARRY_OUT,
        run.id,
        job_id=job_id,
        job_timeout=JOB_SECONDS,
        result_ttl=0,
        failure_ttl=FAILURE_SECONDS,
        description=f"{run.kind} of project {run.project_id}",
    )
