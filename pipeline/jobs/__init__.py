"""Background work. A run is a row in the store first, whoever carries it out.

`request` asks for one, `train_if_due` where labels call for it, `perform` carries one out, `run_now`
asks and carries out in one go, and `work` is the worker process: RQ on Redis where the settings name
one, a polling loop of our own without.
"""

from pipeline.jobs.enqueue import request, train_if_due
from pipeline.jobs.execute import perform
from pipeline.jobs.worker import run_now, work

__all__ = ["perform", "request", "run_now", "train_if_due", "work"]
