"""Background work. Each run is a row in the store first, whichever process carries it out.

`request` requests a run, `train_if_due` requests a training if there are enough new labels, `perform`
carries a run out, `run_now` requests a run and carries it out at once, and `work` is the worker process:
RQ on Redis if the settings name a Redis, otherwise a loop that polls the store.
"""

from pipeline.jobs.enqueue import request, train_if_due
from pipeline.jobs.execute import perform
from pipeline.jobs.worker import run_now, work

__all__ = ["perform", "request", "run_now", "train_if_due", "work"]
