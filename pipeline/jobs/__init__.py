"""Background work. Each run is a row in the store first, whichever process carries it out.

`request` requests a run, `train_if_due` requests a training if there are enough new labels, and
`top_up_if_low` a top-up if Label Studio runs out of tasks. `perform` carries a run out, `run_now` requests a
run and carries it out at once, and `work` is the worker process: RQ on Redis if the settings name a Redis,
otherwise a loop that polls the store. `request_follow_up` requests what follows an import; `follow_up_now`
carries it out where no worker runs (`has_worker`).
"""

from pipeline.jobs.enqueue import request, top_up_if_low, train_if_due
from pipeline.jobs.execute import perform
from pipeline.jobs.follow_up import follow_up_now, has_worker, request_follow_up
from pipeline.jobs.worker import run_now, work

__all__ = [
    "follow_up_now",
    "has_worker",
    "perform",
    "request",
    "request_follow_up",
    "run_now",
    "top_up_if_low",
    "train_if_due",
    "work",
]
