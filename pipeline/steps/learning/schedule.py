"""When the next training is worth while, and how long a queue lasts until then."""

from __future__ import annotations

import math

from pipeline.records import ModelRecord

GROWTH = 0.2  # share of new labels, or of new crops before any label, that makes a training worth while


def next_training(newest: ModelRecord | None, retrain_every: int) -> int:
    """How many labels a project must have for the training after its newest version."""
    known = labels_known(newest)
    return known + new_labels_wanted(known, retrain_every)


def queue_length(labels: int, *, top_k: int, retrain_every: int) -> int:
    """How many crops to queue for a project with so many labels.

    `top_k`, or if more, twice the labels wanted until the next training: annotators then do not run out
    of crops while it is under way.
    """
    return max(top_k, 2 * new_labels_wanted(labels, retrain_every))


def new_labels_wanted(labels: int, retrain_every: int) -> int:
    """How many new labels make the next training worth while: `retrain_every`, or if more, a fifth."""
    return max(retrain_every, math.ceil(GROWTH * labels))


def labels_known(record: ModelRecord | None) -> int:
    """How many labels the project had when the version was made, including those of the audit."""
    return 0 if record is None else int(record.metrics.get("labels_known", record.labels))
