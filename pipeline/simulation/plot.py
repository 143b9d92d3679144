"""The plot of learning curves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from pipeline.arrays import Doubles
from pipeline.plotting import COLOURS, DARK, GREY, new_figure, style_curves
from pipeline.plotting import png as as_png
from pipeline.simulation.curve import Curve
from pipeline.simulation.study import Study
from pipeline.simulation.summary import BASELINE

PANELS = {
    "macro_f1": "Macro-F1",
    "accuracy": "Accuracy",
    "rare_recall": "Recall of rare species",
    "classes_seen": "Species seen",
}
DASHES = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)))
BASELINE_LOOK = (DARK, (0, (1, 1)))
LEGEND_COLUMNS = 5


def png(study: Study) -> bytes:
    """Four panels against labels: the mean over seeds, with a band of one standard deviation."""
    legend_rows = -(-len(study.strategies) // LEGEND_COLUMNS)
    figure = new_figure(11, 7.6 + 0.25 * legend_rows, padding=0.12)
    looks = _looks(study.strategies)
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        for strategy in study.strategies:
            labels, values = _together(study.of(strategy), name)
            mean, spread = values.mean(axis=0), values.std(axis=0, ddof=min(1, len(values) - 1))
            colour, dash = looks[strategy]
            low = np.maximum(0, mean - spread)
            axes.fill_between(labels, low, mean + spread, color=colour, alpha=0.12, linewidth=0)
            axes.plot(
                labels,
                mean,
                color=colour,
                linestyle=dash,
                linewidth=1.8,
                marker="o" if len(labels) == 1 else None,
                label=strategy,
            )
        style_curves(axes, title, "labels")
        if name == "classes_seen":
            most = float(np.mean([part.open_species for part in study.splits]))
            axes.axhline(most, color=GREY, linewidth=0.8)
            axes.annotate(
                "all", (1, most), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="#666666"
            )
            axes.set_ylim(0, 1.1 * most)
            axes.yaxis.get_major_locator().set_params(integer=True)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False, handlelength=3
    )
    return as_png(figure, 150)


def _looks(strategies: Sequence[str]) -> dict[str, tuple[str, str | tuple[int, tuple[float, ...]]]]:
    """A colour and a dash for each strategy; the baseline is dotted."""
    free = ((colour, dash) for dash, colour in product(DASHES * len(strategies), COLOURS))
    return {name: BASELINE_LOOK if name == BASELINE else next(free) for name in strategies}


def _together(curves: Sequence[Curve], name: str) -> tuple[Doubles, Doubles]:
    """Numbers of labels (R,) that every curve reaches, and the values (S, R) of the curves there."""
    last = min(curve.labels[-1] for curve in curves)
    labels = np.array(
        sorted({count for curve in curves for count in curve.labels if count <= last}), np.float64
    )
    return labels, np.array([np.interp(labels, curve.labels, curve.values(name)) for curve in curves])
