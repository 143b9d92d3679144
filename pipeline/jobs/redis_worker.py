"""The worker process on Redis: RQ's own, with our timer in its idle moments."""

from __future__ import annotations

from typing import Any

from redis import Redis
from rq import Queue, Worker

from pipeline.jobs import redis_queue, timer
from pipeline.jobs.performing import perform
from pipeline.wiring import House, open_house

IDLE_SECONDS = 5  # how often an idle worker looks at its timer


class RunWorker(Worker):
    """RQ's worker; each run is carried out in a process of its own, forked from this one."""

    def __init__(self, house: House, queue: Queue, connection: Redis) -> None:
        super().__init__([queue], connection=connection)
        self._house = house

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """The next job; while there is none, the timer ticks. A burst ends with the first silence."""
        while True:
            timer.tick(self._house, burst=timeout is None)
            found = super().dequeue_job_and_maintain_ttl(timeout, IDLE_SECONDS)
            if found is not None or timeout is None:
                return found

    def fork_work_horse(self, job: Any, queue: Any) -> None:
        """Fork with no open database connection: two processes must never share one."""
        self._house.database.dispose()
        super().fork_work_horse(job, queue)

    def handle_work_horse_killed(self, job: Any, retpid: Any, ret_val: Any, rusage: Any) -> None:
        """A run whose process was killed waits again at once."""
        super().handle_work_horse_killed(job, retpid, ret_val, rusage)  # type: ignore[no-untyped-call]
        timer.tick(self._house, burst=True)


def work(house: House, *, burst: bool) -> None:
    """Carry out runs from Redis until told to stop, or with `burst` until none waits."""
    connection = redis_queue.connect(house.settings)
    worker = RunWorker(house, redis_queue.queue(house.settings, connection), connection)
    worker.work(burst=burst, logging_level="WARNING")


def carry_out(run_id: int) -> None:
    """What a job calls: the run of this number, in the house that the environment names."""
    house = open_house()
    try:
        perform(house, run_id)
    finally:
        house.database.dispose()
