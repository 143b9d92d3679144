"""The `result` lists of Label Studio: written for predictions, read from annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.records import UNSURE, Verdict, category_name

CONTROL = "species"  # the <Choices> of label_config.xml
OBJECT = "crop"  # the <Image> that it is about


def choice_result(category: str, probability: float | None) -> list[dict[str, Any]]:
    """What pre-selects `category` on the annotator's screen, with the probability shown to people."""
    result: dict[str, Any] = {
        "from_name": CONTROL,
        "to_name": OBJECT,
        "type": "choices",
        "value": {"choices": [category]},
    }
    if probability is not None:
        result["score"] = probability
    return [result]


def read_verdict(result: Sequence[Mapping[str, Any]], was_cancelled: bool) -> tuple[Verdict, str | None]:
    """What an annotation says, and the name of its category with `Verdict.LABEL`.

    Skipped, or submitted without a choice: SKIPPED. Several choices are no one species: UNSURE. Results
    of other controls, which people add to a project by hand, say nothing of the species.
    """
    if was_cancelled:
        return Verdict.SKIPPED, None
    chosen = [
        category_name(choice)
        for item in result
        if item.get("from_name") == CONTROL
        for choice in item["value"]["choices"]
    ]
    if not chosen:
        return Verdict.SKIPPED, None
    if len(set(chosen)) > 1 or chosen[0] == UNSURE:
        return Verdict.UNSURE, None
    return Verdict.LABEL, chosen[0]
