"""`wildloop worker`"""

from __future__ import annotations

import logging

import click


@click.command()
@click.option("--burst", is_flag=True, help="End when nothing waits, instead of waiting for more.")
def worker(burst: bool) -> None:
    """Train, refresh queues and reconcile with Label Studio, until stopped.

    Takes runs from Redis where REDIS_URL is set, and else from the store. Several workers may run; a
    run whose worker was killed is picked up by another.
    """
    from pipeline import jobs
    from pipeline.workspace import open_workspace

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    jobs.work(open_workspace(), burst=burst)
