"""The `result` lists of Label Studio: written to predictions, read from annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.records import Verdict
from pipeline.vocabulary import category_of

CONTROL = "species"  # name of the <Choices> in label_config.xml
OBJECT = "crop"  # name of the <Image> to which it refers


def choice_result(word: str, probability: float | None) -> list[dict[str, Any]]:
    """A result that pre-selects the choice with this word. Label Studio shows the probability."""
    result: dict[str, Any] = {
        "from_name": CONTROL,
        "to_name": OBJECT,
        "type": "choices",
        "value": {"choices": [word]},
    }
    if probability is not None:
        result["score"] = probability
    return [result]


def read_verdict(result: Sequence[Mapping[str, Any]], was_cancelled: bool) -> tuple[Verdict, str | None]:
    """The verdict of an annotation, and the category name with `Verdict.LABEL`.

    An annotation without a choice counts as skipped, and one with several different choices as unsure, as
    does a choice that people added and that names no species, such as "unknown"; "nothing" is `empty`.
    Results of other controls, which people can add to a project, are ignored.
    """
    if was_cancelled:
        return Verdict.SKIPPED, None
    chosen = {
        category_of(choice)
        for item in result
        if item.get("from_name") == CONTROL
        for choice in item["value"]["choices"]
    }
    if not chosen:
        return Verdict.SKIPPED, None
    category = chosen.pop()
    if chosen or category is None:
        return Verdict.UNSURE, None
    return Verdict.LABEL, category
