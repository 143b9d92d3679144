"""A check of a project's labels: whether annotators can choose all that labels say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.errors import LabelStudioError
from pipeline.label_studio import config
from pipeline.label_studio.checks import CheckResult, ok, warn
from pipeline.label_studio.client import LabelStudio
from pipeline.records import ProjectRecord
from pipeline.store import categories, choices, oracle


@dataclass(frozen=True, kw_only=True)
class KnownLabels:
    """The labels of a project by category, and every name of the categories."""

    counts: Mapping[int, int]
    names: Mapping[int, str]
    numbers: Mapping[str, int]


def read_labels(conn: sa.Connection) -> KnownLabels:
    """What the check needs of the store."""
    return KnownLabels(
        counts=oracle.label_counts(conn),
        names=categories.names(conn),
        numbers=categories.numbers(conn),
    )


def examine_choices(client: LabelStudio, record: ProjectRecord, labels: KnownLabels) -> Iterator[CheckResult]:
    """Compare the choices that the project has in Label Studio now with its labels."""
    try:
        words = list(config.offered(str(client.project(record.id)["label_config"])))
    except LabelStudioError:
        return  # `examine_project` names it
    offered = choices.resolve(labels.numbers, words)
    missing = {
        labels.names[number]: count for number, count in labels.counts.items() if number not in offered
    }
    if missing:
        named = ", ".join(f"{name} ({count:,})" for name, count in missing.items())
        yield warn(
            "choices",
            f"labels are of species that nobody can choose, so nothing suggests them: {named}",
            choices.remedy(missing),
        )
    elif set(record.choices or words) != set(words):
        yield warn(
            "choices",
            "somebody changed them in Label Studio, and the suggestions there are of before",
            "run `wildloop publish`",
        )
    else:
        yield ok("choices", "every label is of a species that can be chosen")
