"""A study as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from importlib.resources import files

import numpy as np

from pipeline import __version__
from pipeline.simulation.asking_summary import asking_summary
from pipeline.simulation.presses import TABLE
from pipeline.simulation.split import RARE_QUANTILE, RARE_SHARE
from pipeline.simulation.study import Study
from pipeline.simulation.summary import FIGURES, at_milestones, milestones, summary

TEMPLATE = "report.html.jinja"
FEW_SEEDS = 5  # fewer make wide intervals


def page(study: Study, picture: bytes, presses_picture: bytes) -> str:
    """The page as HTML, with the two PNG pictures in it. All text is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string(files("pipeline.simulation").joinpath(TEMPLATE).read_text("utf-8"))
    steps = milestones(study)
    sections = [(title, at_milestones(study, figure)) for figure, title in FIGURES.items()] if steps else []
    return template.render(
        source=study.pool.source,
        facts=_facts(study),
        picture=base64.b64encode(picture).decode(),
        summary=summary(study),
        presses_picture=base64.b64encode(presses_picture).decode(),
        asking=asking_summary(study),
        presses_table=TABLE,
        columns=["strategy", *(f"{labels:,} labels" for labels in steps)],
        sections=sections,
        few_seeds=len(study.splits) < FEW_SEEDS,
        rare_share=f"{RARE_SHARE:.0%}",
        rare_quantile=f"{RARE_QUANTILE:.0%}",
    )


def _facts(study: Study) -> Iterator[tuple[str, str]]:
    pool, splits, schedule = study.pool, study.splits, study.schedule
    yield "Pool", f"{pool.source}: {len(pool):,} crops, embeddings of dimension {pool.embeddings.shape[1]:,}"
    yield "Species", f"{len(pool.names):,}; {_span(len(split.judged) for split in splits)} judged"
    yield "Sequences", f"{pool.sequence_count:,}" if pool.sequence_count < len(pool) else "one for each crop"
    yield "Locations", f"{pool.location_count:,}" if pool.location_count > 1 else "not known, or only one"
    whole = "" if splits[0].by == "crop" else f" of whole {splits[0].by}s"
    yield "Test part", f"{_span(len(split.test) for split in splits)} crops{whole}, others for each seed"
    yield "Open to strategies", f"{_span(len(split.open) for split in splits)} crops"
    yield "Rare species", _span(len(split.rare) for split in splits)
    yield "Strategies", ", ".join(study.strategies)
    yield "Seeds", f"{len(splits)}"
    rounds = study.curves[0].labels[:4]
    yield (
        "Budget",
        f"{schedule.budget:,} labels, in rounds at {', '.join(map(str, rounds))}, …; as many key presses",
    )
    yield "Made by", f"Wildloop {__version__}"


def _span(numbers: Iterable[int]) -> str:
    """`12`, or `12 to 15` if they differ."""
    ordered = np.unique(list(numbers)).tolist()
    return " to ".join(f"{number:,}" for number in dict.fromkeys((ordered[0], ordered[-1])))
