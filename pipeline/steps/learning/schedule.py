"""When the next training is worth while, and how long a queue lasts until then."""

from __future__ import annotations

import math

from pipeline.records import ModelRecord

GROWTH = 0.2  # of the labels that the newest version knew: so many new ones make the next worth while


def next_training(newest: ModelRecord | None, retrain_every: int) -> int:
    """How many labels there must be for the next training to be worth while."""
    known = labels_known(newest)
    return known + new_labels_wanted(known, retrain_every)


def queue_length(labels: int, *, top_k: int, retrain_every: int) -> int:
    """How many crops to queue: `top_k`, or twice what is labelled until the next training if more."""
    return max(top_k, 2 * new_labels_wanted(labels, retrain_every))


def new_labels_wanted(known: int, retrain_every: int) -> int:
    """New labels between one training and the next: `retrain_every`, or a fifth of those known if more."""
    return max(retrain_every, math.ceil(GROWTH * known))


def labels_known(record: ModelRecord | None) -> int:
    """Labels that the oracle held when the version was made, also those that it did not learn from."""
    return 0 if record is None else int(record.metrics.get("labels_known", record.labels))
