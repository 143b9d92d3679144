"""A map of embeddings, on which similar crops are close to each other."""

from __future__ import annotations

from itertools import product

import numpy as np

from pipeline.arrays import Embeddings, Floats, Ints, unit
from pipeline.plotting import COLOURS, GREY, literal, new_figure, style_title
from pipeline.plotting import png as as_png

CAP = 2000  # crops on a map
MARKS = ("o", "^", "s", "D")  # a species is identified by colour and mark together
LONGEST = 32  # characters of a name in the legend
COMPONENTS = 50  # principal components that t-SNE reads


def chosen(count: int, cap: int = CAP, seed: int = 0) -> Ints:
    """The rows to show, ascending: all of them, or `cap` drawn at random."""
    rows = np.random.default_rng(seed).permutation(count)[:cap]
    return np.sort(rows.astype(np.intp))


def layout(vectors: Embeddings, seed: int = 0) -> Floats:
    """Places (N, 2) by t-SNE of the directions of the vectors (N, D); the same for the same vectors.

    van der Maaten and Hinton, Journal of Machine Learning Research 9, 2008.
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    count = len(vectors)
    rows = unit(vectors)
    if count < 4 or not np.ptp(rows, axis=0).any():  # there is no structure to lay out
        angles = 2 * np.pi * np.arange(count) / max(1, count)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    if min(rows.shape) > COMPONENTS:
        rows = PCA(COMPONENTS, random_state=seed).fit_transform(rows)
    perplexity = min(30.0, (count - 1) / 3)
    init = "pca" if rows.shape[1] > 1 else "random"
    places: Floats = TSNE(perplexity=perplexity, init=init, random_state=seed).fit_transform(rows)
    return places


def png(places: Floats, species: Ints, names: list[str], title: str) -> bytes:
    """Plot the places (N, 2) of crops by species (N,), numbers of `names`; the most frequent get colours."""
    figure = new_figure(11, 7.6)
    axes = figure.subplots()
    counts = np.bincount(species, minlength=len(names))
    order = [number for number in np.argsort(-counts, kind="stable") if counts[number]]
    looks = [(colour, mark) for mark, colour in product(MARKS, COLOURS)]
    others = order[len(looks) :]
    if others:
        rows = np.isin(species, others)
        label = f"{len(others)} other species ({rows.sum()})"
        axes.scatter(places[rows, 0], places[rows, 1], s=14, c=GREY, marker="x", linewidths=0.8, label=label)
    for number, (colour, mark) in zip(order, looks, strict=False):
        name = names[number] if len(names[number]) <= LONGEST else f"{names[number][: LONGEST - 1]}…"
        axes.scatter(
            places[species == number, 0],
            places[species == number, 1],
            s=22,
            c=colour,
            marker=mark,
            edgecolors="white",
            linewidths=0.4,
            label=literal(f"{name} ({counts[number]})"),
        )
    style_title(axes, title)
    axes.set_xticks([])
    axes.set_yticks([])
    handles, labels = axes.get_legend_handles_labels()
    moved = int(bool(others))  # drawn first, named last
    figure.legend(
        handles[moved:] + handles[:moved],
        labels[moved:] + labels[:moved],
        loc="outside right upper",
        frameon=False,
        fontsize=10,
        markerscale=1.6,
    )
    return as_png(figure, 130)
