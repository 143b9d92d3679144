"""A study as one page that needs nothing beside itself."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from html import escape

import numpy as np

from pipeline import __version__
from pipeline.simulation.split import RARE_QUANTILE, RARE_SHARE
from pipeline.simulation.study import Study
from pipeline.simulation.summary import FIGURES, at_milestones, milestones, summary

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .6rem; }
img { width: 100%; height: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dt { color: #666; } dd { margin: 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #ddd; }
th { vertical-align: bottom; border-bottom: 2px solid #888; } tbody th { border-bottom: 1px solid #ddd; }
th:first-child { text-align: left; padding-left: 0; } tbody tr:hover { background: #f4f7fa; }
.note { color: #555; font-size: .92rem; max-width: 48rem; }
"""


def page(study: Study, picture: bytes) -> str:
    """HTML with the PNG `picture` of the curves in it."""
    found = summary(study)
    title = f"Strategies on {study.pool.source}"
    shown = base64.b64encode(picture).decode()
    columns = ["strategy", *(f"{labels:,} labels" for labels in milestones(study))]
    parts = [
        f"<h1>{escape(title)}</h1>",
        '<p class="note">Labelling replayed: a strategy asks for crops, their known species answer in place '
        "of people, and each head is tested on crops that nobody could ask for.</p>",
        "<h2>What was replayed</h2>",
        "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in _facts(study)) + "</dl>",
        "<h2>Learning curves</h2>",
        f'<img alt="Learning curves of each strategy" src="data:image/png;base64,{shown}">',
        '<p class="note">Lines are means over the seeds, bands one standard deviation.</p>',
        "<h2>Side by side</h2>",
        _table(found.header(), found.cells()),
    ]
    if len(columns) > 1:
        for figure, words in FIGURES.items():
            parts += [f"<h2>{words} by labels</h2>", _table(columns, at_milestones(study, figure))]
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in _notes(study, found.reference, found.baseline))
    parts += ["<h2>How to read this</h2>", f'<ul class="note">\n{notes}</ul>']
    body = "\n".join(parts)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _facts(study: Study) -> Iterator[tuple[str, str]]:
    pool, splits = study.pool, study.splits
    schedule = study.schedule
    yield "Pool", f"{pool.source}: {len(pool):,} crops, embedded in {pool.embeddings.shape[1]:,} numbers"
    yield "Species", f"{len(pool.names):,}; {_span([len(one.judged) for one in splits])} judged"
    yield "Sequences", f"{pool.sequence_count:,}" if pool.sequence_count < len(pool) else "one for each crop"
    yield "Locations", f"{pool.location_count:,}" if pool.location_count > 1 else "not known, or only one"
    whole = "" if splits[0].by == "crop" else f" of whole {splits[0].by}s"
    yield "Test part", f"{_span([len(one.test) for one in splits])} crops{whole}, others for each seed"
    yield "Open to strategies", f"{_span([len(one.open) for one in splits])} crops"
    yield "Rare species", _span([len(one.rare) for one in splits])
    yield "Strategies", ", ".join(study.strategies)
    yield "Seeds", f"{len(splits)}"
    rounds = study.curves[0].labels[:4]
    yield "Budget", f"{schedule.budget:,} labels, in rounds at {', '.join(map(str, rounds))}, …"
    yield "Made by", f"Wildloop {__version__}"


def _notes(study: Study, reference: str, baseline: bool) -> Iterator[str]:
    yield (
        "In brackets: 95 % intervals over the seeds (Student's t), cut to what is possible. Each seed has a "
        "test part of its own, so that intervals may overlap though one strategy is better on every split."
    )
    if baseline:
        yield (
            "Over random: a strategy's area less that of random on the same split. An interval that leaves "
            "out 0 tells the two apart."
        )
    if len(study.splits) < 5:
        yield "With so few seeds the intervals are wide, or none: five or more say more."
    yield (
        "Area under macro-F1: its mean over the labels from the first round to the last, by trapezoids on "
        "a linear scale of labels."
    )
    if milestones(study):
        yield "Figures by labels between two rounds are on the straight line from one to the next."
    yield (
        f"Labels to reach: at the first round with at least the macro-F1 that {reference} ends with on the "
        "same split. All seen: at the first round when every species of the open crops has a label."
    )
    yield (
        "Macro-F1 is the mean F1 of the species judged: those of the test part that open crops show too. "
        "Accuracy is of every crop of the test part. Rare species are those judged that make less than "
        f"{RARE_SHARE:.0%} of the open crops or, where there is none, the rarest {RARE_QUANTILE:.0%} of "
        "them; their recall is a mean over species."
    )


def _span(numbers: Iterable[int]) -> str:
    """`12`, or `12 to 15` where they differ."""
    ordered = np.unique(list(numbers)).tolist()
    return " to ".join(f"{number:,}" for number in dict.fromkeys((ordered[0], ordered[-1])))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title).replace('|', '<br>')}</th>" for title in header)
    body = "".join(
        f"<tr><th>{escape(name)}</th>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"
        for name, *cells in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'
