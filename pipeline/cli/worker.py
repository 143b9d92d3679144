"""`wildloop worker`"""

from __future__ import annotations

import logging

import click

from pipeline import jobs
from pipeline.cli.store import opened


@click.command()
@click.option("--burst", is_flag=True, help="Exit when no run is waiting.")
def worker(burst: bool) -> None:
    """Embed and publish new crops, train, refresh queues and sync with Label Studio until stopped.

    Takes runs from Redis if REDIS_URL is set, else from the database. You can start several workers; if one
    is killed, another takes over its run.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it logs how it looks at the schema
    jobs.work(opened(), burst=burst)
