"""Figures as PNG: one palette and one style for all plots."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, Color Universal Design (2008), without its yellow, which is hard to see on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
GREY = "#999999"  # of reference lines and of the rest
DARK = "#222222"


def new_figure(width: float, height: float, *, padding: float | None = None) -> Figure:
    """An empty figure of `width` x `height` inches that needs no display, with `padding` around its axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=padding, h_pad=padding))
    FigureCanvasAgg(figure)
    return figure


def style_title(axes: Axes, title: str) -> None:
    """Put a bold title above the left end of the axes, without formulas in it."""
    axes.set_title(literal(title), loc="left", fontsize=12, fontweight="bold")


def style_curves(axes: Axes, title: str, x_label: str) -> None:
    """Give axes with curves their title, the name of the x axis and a faint grid."""
    style_title(axes, title)
    axes.set_xlabel(x_label)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def literal(text: str) -> str:
    """The text with `$` escaped, which would start a formula."""
    return text.replace("$", r"\$")


def png(figure: Figure, dpi: int) -> bytes:
    """The figure as PNG at `dpi` pixels per inch."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return file.getvalue()
