"""The metrics of a training, epoch by epoch: a CSV file and a plot of its curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pipeline.files.atomic import atomic_file
from pipeline.plotting import COLOURS, GREY, new_figure, png, style_curves

CSV = "log.csv"
PICTURE = "curves.png"


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """Metrics of one epoch."""

    epoch: int  # from 1
    step: int  # steps of the training until its end
    rate: float  # learning rate at its end
    loss: float  # mean over its steps
    gradient: float  # mean norm before clipping
    recall_at_1: float  # of the validation crops
    map_at_r: float
    crops_per_second: float  # without validation
    seconds: float  # including validation
    broken: int  # unreadable crops, each as often as it was drawn


def best(epochs: Sequence[Epoch]) -> Epoch:
    """The epoch whose weights are kept: the first of the best."""
    return max(epochs, key=lambda epoch: epoch.map_at_r)


def write(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Write both files, each completely or not at all. Raises FileError if the disk refuses."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Epoch)])
    for epoch in epochs:
        values = asdict(epoch).values()
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in values])
    for name, content in ((CSV, text.getvalue().encode()), (PICTURE, _picture(epochs))):
        with atomic_file(folder / name) as draft:
            draft.write_bytes(content)


def _picture(epochs: Sequence[Epoch]) -> bytes:
    """A PNG of the loss, the validation metrics and the learning rate against epochs."""
    figure = new_figure(11, 3.6)
    panels = {
        "Loss": {"loss": "training"},
        "Held-out retrieval": {"recall_at_1": "recall@1", "map_at_r": "MAP@R"},
        "Learning rate": {"rate": "at the end of the epoch"},
    }
    numbers = [epoch.epoch for epoch in epochs]
    for axes, (title, lines) in zip(figure.subplots(1, 3), panels.items(), strict=True):
        for (name, label), colour in zip(lines.items(), COLOURS, strict=False):
            values = [getattr(epoch, name) for epoch in epochs]
            axes.plot(numbers, values, color=colour, label=label, marker="o" if len(epochs) == 1 else None)
        axes.axvline(best(epochs).epoch, color=GREY, linewidth=0.8, label="kept")
        style_curves(axes, title, "epochs")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=9)
    return png(figure, 120)
